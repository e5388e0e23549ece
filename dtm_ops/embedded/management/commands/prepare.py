"""`manage.py prepare`: all that the database needs before the first page, in one process; each step is idempotent."""

from typing import Any

from django.core.management import CommandParser, call_command, get_commands
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, load the gazetteer and (unless --no-demo) the demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave the demo out")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=options["verbosity"], interactive=False, stdout=self.stdout)
        for name in ["load_gazetteer"] if options["no_demo"] else ["load_gazetteer", "demo"]:
            if name in get_commands():
                call_command(name, verbosity=options["verbosity"], stdout=self.stdout)
            else:
                self.stderr.write(f"{name} is left out: there is no such command")
