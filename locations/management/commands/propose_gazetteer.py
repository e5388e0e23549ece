"""`manage.py propose_gazetteer FILE --title T --effective-on DAY [--source S] [--within UNIT_ID] [--json]`."""

from argparse import ArgumentParser
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from dtm_ops.common.command import JsonCommand
from locations.models import AdminUnit, GazetteerUpdate
from locations.services import GazetteerRefused, read_rows
from locations.services.gazetteer_update import NothingDiffers, propose_update


class Command(JsonCommand):
    help = "Lay a newer classifier (XLSX or CSV) beside the gazetteer. What differs waits on the desk for a decision."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)  # type: ignore[arg-type]  # Django's own parser is one of these
        parser.add_argument("file", type=Path)
        parser.add_argument("--title", required=True)
        parser.add_argument("--source", default="")
        parser.add_argument("--effective-on", required=True, type=date.fromisoformat, help="first day of the new state")
        parser.add_argument("--within", default="", help="unit id of the one place that the file is about")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            update = self._propose(options)
        except NothingDiffers as same:
            update = None
            self.say(str(same))
        except GazetteerRefused as refused:
            if options["json"]:
                problems = [{"row": one.row, "column": one.column, "message": one.message} for one in refused.problems]
                self.answer({"errors": problems})
            raise CommandError("\n".join([_("Nothing was proposed."), *map(str, refused.problems)])) from None
        kinds = Counter(update.changes.values_list("kind", flat=True)) if update else Counter[str]()
        if options["json"]:
            self.answer({"update": update.pk if update else None, "changes": sum(kinds.values()), "kinds": dict(kinds)})
        elif update:
            self.say(", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())))

    def _propose(self, options: dict[str, Any]) -> GazetteerUpdate:
        within = AdminUnit.objects.filter(unit_id=options["within"]).first()
        if options["within"] and within is None:
            raise CommandError(_("There is no unit “%(unit)s”.") % {"unit": options["within"]})
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        return propose_update(
            read_rows(content),
            title=options["title"],
            source=options["source"],
            effective_on=options["effective_on"],
            within=within,
            file_name=options["file"].name,
            by=None,
        )
