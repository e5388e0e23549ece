"""`manage.py import_boundaries FILE [--source S] [--licence L] [--on DATE] [--property P] [--skip-unknown] [--dry-run]
[--json]`.
"""

from argparse import ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from dtm_ops.common.command import JsonCommand
from locations.services.boundaries import BoundaryImport, import_boundaries
from locations.services.boundary_file import MOST_BYTES, BoundariesRefused, FeatureProblem, read_collection


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(_("a date is written like 2022-06-08.")) from None


class Command(JsonCommand):
    help = "Give places the polygons of a GeoJSON file whose features carry their codes. All of it or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="a GeoJSON FeatureCollection, degrees of WGS 84")
        parser.add_argument("--source", default="", help="whose polygons these are, unless the file says so")
        parser.add_argument("--licence", default="", help="under which licence, unless the file says so")
        parser.add_argument("--on", type=_day, help="codes as they were on that day (today)")
        parser.add_argument("--property", help="which property holds the code, instead of trying all")
        parser.add_argument("--skip-unknown", action="store_true", help="leave out features whose code no place has")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("source", "licence", "on", "property", "skip_unknown", "dry_run")
        try:
            done = import_boundaries(
                read_collection(_content(options["file"])), **{name: options[name] for name in names}
            )
        except BoundariesRefused as refused:
            if options["json"]:
                self.answer({"errors": [_as_dict(problem) for problem in refused.problems]})
            raise CommandError(
                "\n".join([_("Nothing was imported."), *(_in_words(problem) for problem in refused.problems)])
            ) from None
        if options["json"]:
            self.answer(done.as_dict())
        self._tell(done, to_stdout=not options["json"])

    def _tell(self, done: BoundaryImport, *, to_stdout: bool) -> None:
        counts = {"added": done.added, "changed": done.changed, "unchanged": done.unchanged, "name": done.matched_by}
        summary = (
            _("Matched by “%(name)s”: %(added)s added, %(changed)s changed, %(unchanged)s unchanged.") % counts
        ) + (" " + _("Only tried: nothing was written.") if done.dry_run else "")
        if to_stdout:
            self.stdout.write(summary)
        else:
            self.say(summary)
        for one in done.repaired:
            self.say(
                _("Feature %(number)s (%(code)s) was repaired: %(reason)s.")
                % {"number": one.feature, "code": one.code, "reason": one.note}
            )
        if done.unmatched:
            codes = ", ".join(one.code or f"#{one.feature}" for one in done.unmatched)
            self.say(_("Left out, no place has the code: %(codes)s.") % {"codes": codes})
        if done.missing:
            units = ", ".join(f"{unit.name} ({unit.code})" for unit in done.missing)
            self.say(_("Without a polygon (%(count)s): %(units)s.") % {"count": len(done.missing), "units": units})


def _content(file: Path) -> bytes:
    """One byte more than is taken, so that the reader can say that it is too large."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None


def _in_words(problem: FeatureProblem) -> str:
    return f"{problem} (--{problem.part})" if problem.part else str(problem)


def _as_dict(problem: FeatureProblem) -> dict[str, Any]:
    return {"feature": problem.feature, "code": problem.code, "message": problem.message}
