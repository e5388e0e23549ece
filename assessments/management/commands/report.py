"""`manage.py report ROUND`: the figures of a round by the figure rule."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.models import AssessmentRound
from assessments.selectors.report import Breakdown, Row, report
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
        result = report(found)
        if options["json"]:
            by = {code: _breakdown(breakdown) for code, breakdown in result.by.items()}
            self.answer({"round": found.code, "total": result.total, "by": by})
            return
        self.say(f"{found.code}: {result.total}")
        for breakdown in result.by.values():
            self.say(f"  {breakdown.code} (of {breakdown.base})")
            for row in breakdown.rows:
                self.say(f"    {row.code}: {row.count} ({'-' if row.share is None else row.share} %)")


def _breakdown(breakdown: Breakdown) -> dict[str, Any]:
    return {
        "base": breakdown.base,
        "rows": [_row(row, with_growth=breakdown.code == "arrival_year") for row in breakdown.rows],
    }


def _row(row: Row, *, with_growth: bool) -> dict[str, Any]:
    line = {"code": row.code, "name": row.name, "count": row.count, "share": row.share}
    return {**line, "growth": row.growth} if with_growth else line
