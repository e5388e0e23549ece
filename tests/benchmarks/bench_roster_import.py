"""10,000 people by XLSX, dry run and commit, against django-import-export's own defaults on the same file.

Both sides read the file twice, as the two steps of the desk do, and both leave the same rows: people, what they are
known by, and the audit of each. The yardstick has no rules of its own; ours tells every fault of every row.
"""

import io
import sys
import tracemalloc
from datetime import date
from typing import Any, Final

from django.db import connection
from import_export import fields, resources
from import_export.formats import base_formats
from import_export.widgets import ForeignKeyWidget
from openpyxl import Workbook

from dtm_ops.common.desk_import import TableFormat
from locations.models import AdminUnit
from tests.benchmarks.comparison import Comparison
from tests.factories.locations import AdminUnitFactory, user_with
from training.models import Enumerator, EnumeratorIdentity
from training.resources import EnumeratorResource

PEOPLE: Final = 10_000
PLACES: Final = 50
MOST_MEGABYTES: Final = 150
COLUMNS: Final = EnumeratorResource.columns()


class PlainResource(resources.ModelResource):
    """As the library's documentation begins; the place is found by its id, as the file has it."""

    home_unit = fields.Field("home_unit", "home_unit", widget=ForeignKeyWidget(AdminUnit, "unit_id"))

    class Meta:
        model = Enumerator
        import_id_fields = ["code"]
        fields = COLUMNS


class RosterFormat(TableFormat):
    resource = EnumeratorResource


class World:
    def __init__(self) -> None:
        self.user = user_with("administrator")
        self.units = [AdminUnitFactory() for _unused in range(PLACES)]
        self.file = self._write()
        self.has_run = False

    def _write(self) -> bytes:
        book = Workbook()
        sheet: Any = book.active
        sheet.append(COLUMNS)
        for number in range(PEOPLE):
            row = {
                "code": f"P{number:05}", "full_name": f"Айгерім Демо {number}", "other_names": f"Aigerim Demo {number}",
                "sex": "female" if number % 2 else "male", "languages": "kk,ru",
                "home_unit": self.units[number % PLACES].unit_id, "phone": f"+7701{number:07}",
                "email": f"p{number}@example.org", "organisation": "Office of statistics",
                "terms_of_reference": f"TOR-{number}", "contract_from": date(2022, 11, 1),
                "contract_to": date(2023, 3, 31), "has_vehicle": number % 3 == 0, "kobo_username": f"kobo{number}",
            }  # fmt: skip
            sheet.append([row[name] for name in COLUMNS])
        written = io.BytesIO()
        book.save(written)
        return written.getvalue()

    def ours(self) -> None:
        shown = self._import_ours(dry_run=True, expected=None)
        self._import_ours(dry_run=False, expected=shown.digest)
        self.has_run = True

    def _import_ours(self, *, dry_run: bool, expected: str | None) -> Any:
        resource = EnumeratorResource(user=self.user)
        dataset = RosterFormat().create_dataset(self.file)
        result = resource.import_data(
            dataset, dry_run=dry_run, rollback_on_validation_errors=True, expected=expected, file_name="people.xlsx"
        )
        assert (result.new, result.faults, result.base_errors) == (PEOPLE, [], [])
        return result

    def yardstick(self) -> None:
        for dry_run in (True, False):
            dataset = base_formats.XLSX().create_dataset(self.file)
            result = PlainResource().import_data(dataset, dry_run=dry_run, raise_errors=True)
            assert result.totals["new"] == PEOPLE
        self.has_run = True

    def empty(self) -> None:
        """Before each run; whoever ran before has left everybody, with their identities and the audit of both."""
        if self.has_run:
            events = (Enumerator.pgh_event_model, EnumeratorIdentity.pgh_event_model)  # type: ignore[attr-defined]
            rows = [model.objects.count() for model in (Enumerator, EnumeratorIdentity, *events)]
            assert rows == [PEOPLE, PEOPLE * 3, PEOPLE, PEOPLE * 3], rows
        tables = [
            model._meta.db_table
            for one in (Enumerator, EnumeratorIdentity)
            for model in (one, one.pgh_event_model)  # type: ignore[attr-defined]
        ]
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        self.has_run = False

    def measure_memory(self) -> float:
        """The most that ours holds at once, over what was there before; in megabytes."""
        tracemalloc.start()
        try:
            self.ours()
            return tracemalloc.get_traced_memory()[1] / 1024 / 1024
        finally:
            tracemalloc.stop()


def bench_roster_import() -> Comparison:
    world = World()
    world.empty()  # people of the benchmark before
    peak = world.measure_memory()
    sys.stdout.write(f"Import of {PEOPLE} people: at most {peak:.0f} MB over the start, {MOST_MEGABYTES} are allowed\n")
    if peak > MOST_MEGABYTES:
        raise MemoryError(f"{peak:.0f} MB")
    return Comparison(
        name=f"import of {PEOPLE} people, dry run and commit",
        ours=world.ours,
        yardstick=world.yardstick,
        at_most=0.33,
        rounds=1,
        warms_up=False,
        before_each=world.empty,
        after_all=world.empty,
    )
