"""`manage.py report ROUND`: the figures of a round by the figure rule."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.models import AssessmentRound
from assessments.selectors.contracts import report_answer
from assessments.selectors.report import report
from dtm_ops.common.command import JsonCommand


class Command(JsonCommand):
    help = "Print the figures of a round: the total and every breakdown with its shares."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("round", help="code of the round, like 2022-Q4")

    def handle(self, *args: Any, **options: Any) -> None:
        found = AssessmentRound.objects.filter(code=options["round"]).first()
        if found is None:
            raise CommandError(f"No round has the code {options['round']}.")
        if options["json"]:
            self.answer(report_answer(found))
            return
        result = report(found)
        self.say(f"{found.code}: {result.total}")
        for breakdown in result.by.values():
            self.say(f"  {breakdown.code} (of {breakdown.base})")
            for row in breakdown.rows:
                self.say(f"    {row.code}: {row.count} ({'-' if row.share is None else row.share} %)")
