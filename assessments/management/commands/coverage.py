"""`manage.py coverage ROUND`: plan against done, by bucket and region."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.models import AssessmentRound
from assessments.selectors.contracts import coverage_answer
from assessments.selectors.coverage import coverage
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
        if options["json"]:
            self.answer(coverage_answer(found))
            return
        result = coverage(found)
        self.say(f"{found.code}: {result.covered} of {result.planned} covered ({result.share or '-'} %)")
        for region in result.regions:
            self.say(f"  {region.unit.code} {region.unit.name}: {region.covered} of {region.planned}")
