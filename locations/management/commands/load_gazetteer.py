"""`manage.py load_gazetteer [FILE] [--dry-run] [--json]`."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from locations import services
from locations.apps import LocationsConfig


class Command(BaseCommand):
    help = "Load the units of a gazetteer file (the shipped ones by default). Adds and changes, never deletes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="an XLSX or CSV file")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            load = _load(options["file"], dry_run=options["dry_run"])
        except services.GazetteerRefused as refused:
            if options["json"]:
                self.stdout.write(json.dumps({"errors": [_as_dict(problem) for problem in refused.problems]}))
            raise CommandError(
                "\n".join([_("Nothing was loaded."), *(str(problem) for problem in refused.problems)])
            ) from None
        if options["json"]:
            self.stdout.write(json.dumps(load.as_dict()))
        else:
            self.stdout.write(
                _("%(added)s added, %(changed)s changed, %(unchanged)s unchanged.") % load.as_dict()
                + (" " + _("%(decided)s left as people decided on the desk.") % load.as_dict() if load.decided else "")
                + (" " + _("Only tried: nothing was written.") if load.dry_run else "")
            )


def _load(file: Path | None, *, dry_run: bool) -> services.GazetteerLoad:
    """Without a file: the shipped ones, as one."""
    if file:
        return services.load_gazetteer(services.read_rows(_content(file)), dry_run=dry_run)
    shipped = (LocationsConfig.GAZETTEER, LocationsConfig.SETTLEMENTS)
    rows = [row for part in shipped for row in services.read_rows(_content(part))]
    aliases = services.read_aliases(_content(LocationsConfig.ALIASES))
    return services.load_gazetteer(rows, aliases=aliases, dry_run=dry_run)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None


def _as_dict(problem: services.Problem) -> dict[str, Any]:
    return {"row": problem.row, "column": problem.column, "message": problem.message}
