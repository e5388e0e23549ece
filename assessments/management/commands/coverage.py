"""`manage.py coverage ROUND`: plan against done, by bucket and region."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.models import AssessmentRound
from assessments.selectors.coverage import coverage, targets_in_bucket
from dtm_ops.common.command import JsonCommand


class Command(JsonCommand):
    help = "Print where every target of a round stands."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("round", help="code of the round, like 2022-Q4")

    def handle(self, *args: Any, **options: Any) -> None:
        found = AssessmentRound.objects.filter(code=options["round"]).first()
        if found is None:
            raise CommandError(f"No round has the code {options['round']}.")
        result = coverage(found)
        if options["json"]:
            self.answer(
                {
                    "round": found.code,
                    "planned": result.planned,
                    "buckets": result.buckets,
                    "regions": [
                        {
                            "code": region.unit.code,
                            "name": region.unit.name,
                            "planned": region.planned,
                            "buckets": region.buckets,
                        }
                        for region in result.regions
                    ],
                    "targets": [
                        {"unit_id": unit_id, "form_kind": kind, "bucket": bucket}
                        for unit_id, kind, bucket in targets_in_bucket(found).values_list(
                            "unit__unit_id", "form_kind__code", "bucket"
                        )
                    ],
                }
            )
            return
        self.say(f"{found.code}: {result.covered} of {result.planned} covered ({result.share or '-'} %)")
        for region in result.regions:
            self.say(f"  {region.unit.code} {region.unit.name}: {region.covered} of {region.planned}")
