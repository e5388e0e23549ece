"""`manage.py prepare`: all that the database needs before the first page, in one process; each step is idempotent."""

from typing import Any

from django.core.management import CommandParser, call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, load the gazetteer, the vocabulary and (unless --no-demo) the demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave the demo out")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=options["verbosity"], stdout=self.stdout)
        for name in ["load_gazetteer", "load_vocabulary", "load_courses", *([] if options["no_demo"] else ["demo"])]:
            call_command(name, stdout=self.stdout, stderr=self.stderr)
