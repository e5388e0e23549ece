"""What our commands share: one JSON object on standard output, everything else on standard error."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class JsonCommand(BaseCommand):
    """With ``--json`` exactly one JSON object goes to standard output, so that a program can read it."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def answer(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=float))

    def say(self, text: str) -> None:
        self.stderr.write(text)
