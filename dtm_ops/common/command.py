"""What our commands share: one JSON object on standard output, everything else on standard error."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dtm_ops.common.encryption import HiddenText


class JsonCommand(BaseCommand):
    """With ``--json`` exactly one JSON object goes to standard output, so that a program can read it."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")

    def answer(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=float))

    def say(self, text: str) -> None:
        self.stderr.write(text)


def read_token(file: Path) -> str:
    """A token comes in a file: an argument would stand in the shell's history and in the list of processes."""
    try:
        token = HiddenText(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    if not token:
        raise CommandError(f"{file} is empty: it has to hold the API token alone.")
    return token
