"""`manage.py demo`: both demonstration rounds. Idempotent; refused in production."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from assessments.demo.cast import LOGINS
from assessments.demo.load import load_demo
from assessments.selectors.report import report
from dtm_ops.common.command import JsonCommand
from dtm_ops.common.errors import Refused


class Command(JsonCommand):
    help = "Load the demonstration: invented people, the round 2022-Q4 and a practice round dated around today."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kobo-state", type=Path, help="state file of the practice Kobo")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO_ALLOWED:
            raise CommandError("The demonstration holds invented people and is refused in production.")
        state = options["kobo_state"] or settings.PRACTICE_KOBO_STATE
        try:
            rounds = load_demo(kobo_state=state, kobo_address=settings.PRACTICE_KOBO_URL, today=timezone.localdate())
        except Refused as refused:
            raise CommandError(str(refused)) from None
        for one in rounds:
            self.say(f"{one.code}: {one.targets.count()} targets, {report(one).total} migrant workers approved")
        if options["json"]:
            self.answer(
                {
                    "rounds": [one.code for one in rounds],
                    "logins": [[name, password, str(words)] for name, password, words in LOGINS],
                }
            )
