"""Loading a gazetteer: idempotent, all or nothing, never deletes. The file may be a part of the country.

One pass compares in memory and writes in bulk, level by level, since a unit needs its parent's key.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

from locations.models import AdminUnit, path_of
from locations.selectors.changes import decided_by_people
from locations.services.aliases import follow_spellings, load_aliases, renew_keys, spellings_of
from locations.services.gazetteer_checks import find_problems
from locations.services.gazetteer_file import PLAIN_FIELDS, GazetteerRefused, UnitRow, parse_rows

Predecessor = AdminUnit.predecessors.through
BATCH = 500


@dataclass(frozen=True, slots=True)
class GazetteerLoad:
    """What a load did, or (``dry_run``) would do. ``decided``: rows left alone, since people changed those units on the
    desk. ``kept`` are units of the database that the file does not name.
    """

    added: int
    changed: int
    unchanged: int
    decided: int
    kept: int
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def lock_gazetteer() -> None:
    """To the end of the transaction: nobody else writes units between the comparison and the writing; readers are not
    disturbed.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE locations_adminunit IN SHARE ROW EXCLUSIVE MODE")


def load_gazetteer(
    rows: Iterable[Mapping[str, str]], *, aliases: Iterable[Mapping[str, str]] = (), dry_run: bool = False
) -> GazetteerLoad:
    """Add and change units as the rows say (columns: locations/data/README.md); a second load changes nothing. The
    spellings by which places are found follow, and ``aliases`` are added to them. A name that a row changes is a name
    put right: it leaves no old name behind. What people changed on the desk stays as they left it, so that the shipped
    file can be loaded at every start: `propose_update` lays a file beside their decisions.

    Raises `GazetteerRefused` with all problems of all rows, and then nothing is written. A dry run writes, lets the
    database check, and rolls back.
    """
    parsed, problems = parse_rows(rows)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_gazetteer()
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time DEFERRED")
        before = _units_with_parents()
        decided = decided_by_people()
        loaded = [row for row in parsed if row.unit_id not in decided]
        problems += find_problems(loaded, before)
        if problems:
            raise GazetteerRefused(problems)
        load = _write(loaded, before, decided=len(parsed) - len(loaded), dry_run=dry_run)
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time IMMEDIATE")
        _write_spellings(loaded, aliases)
        if dry_run:
            transaction.set_rollback(True)
    return load


def _units_with_parents() -> dict[str, AdminUnit]:
    units = {unit.pk: unit for unit in AdminUnit.objects.all()}
    for unit in units.values():
        unit.parent = units[unit.parent_id] if unit.parent_id else None
    return {unit.unit_id: unit for unit in units.values()}


def _write_spellings(rows: Iterable[UnitRow], aliases: Iterable[Mapping[str, str]]) -> None:
    """Also where no unit changed: what is missing is put right."""
    keys = dict(AdminUnit.objects.order_by().values_list("unit_id", "pk"))
    names = ((keys[row.unit_id], row.fields["names"], row.fields["short_names"]) for row in rows)
    renew_keys()
    follow_spellings({key: list(spellings_of(key, *columns)) for key, *columns in names})
    load_aliases(aliases, keys)


def _write(rows: Sequence[UnitRow], before: Mapping[str, AdminUnit], *, decided: int, dry_run: bool) -> GazetteerLoad:
    paths = _paths(rows, before)
    keys = {unit_id: unit.pk for unit_id, unit in before.items()}
    changed = {
        row.unit_id for row in rows if row.unit_id in before and _differs(row, before[row.unit_id], paths[row.unit_id])
    }
    written = [row for row in rows if row.unit_id not in before or row.unit_id in changed]
    for level in sorted({row.fields["level"] for row in written}):
        here = [row for row in written if row.fields["level"] == level]
        _put_in([row for row in here if row.unit_id not in before], paths, keys)
        _put_right([row for row in here if row.unit_id in before], paths, keys)
        keys |= dict(AdminUnit.objects.level(level).order_by().values_list("unit_id", "pk"))
    _move_others(before, paths, named={row.unit_id for row in rows})
    changed |= _write_predecessors(rows, keys) & before.keys()
    added = len(rows) - sum(row.unit_id in before for row in rows)
    return GazetteerLoad(
        added=added,
        changed=len(changed),
        unchanged=len(rows) - added - len(changed),
        decided=decided,
        kept=len(before) - decided - (len(rows) - added),
        dry_run=dry_run,
    )


def _put_in(rows: Iterable[UnitRow], paths: Mapping[str, str], keys: Mapping[str, int]) -> None:
    """By COPY: a country has tens of thousands of them."""
    columns = ", ".join(("unit_id", "parent_id", "path", *PLAIN_FIELDS))
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {AdminUnit._meta.db_table} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            values = (row.fields[name] for name in PLAIN_FIELDS)
            plain = (json.dumps(value) if isinstance(value, dict) else value for value in values)
            copy.write_row((row.unit_id, keys.get(row.parent_id), paths[row.unit_id], *plain))


def _put_right(rows: Iterable[UnitRow], paths: Mapping[str, str], keys: Mapping[str, int]) -> None:
    """As rows in conflict: many times faster than an update of as many columns by cases."""
    AdminUnit.objects.bulk_create(
        [
            AdminUnit(unit_id=row.unit_id, parent_id=keys.get(row.parent_id), path=paths[row.unit_id], **row.fields)
            for row in rows
        ],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["unit_id"],
        update_fields=[*PLAIN_FIELDS, "parent", "path"],
    )


def _paths(rows: Iterable[UnitRow], before: Mapping[str, AdminUnit]) -> dict[str, str]:
    parents = {unit_id: unit.parent.unit_id if unit.parent else "" for unit_id, unit in before.items()}
    parents |= {row.unit_id: row.parent_id for row in rows}
    paths = {"": ""}

    def path(unit_id: str) -> str:
        if unit_id not in paths:
            paths[unit_id] = path_of(unit_id, path(parents[unit_id]))
        return paths[unit_id]

    for unit_id in parents:
        path(unit_id)
    return paths


def _differs(row: UnitRow, unit: AdminUnit, path: str) -> bool:
    return unit.path != path or any(getattr(unit, name) != value for name, value in row.fields.items())


def _move_others(before: Mapping[str, AdminUnit], paths: Mapping[str, str], *, named: set[str]) -> None:
    """Units that the file does not name, below a unit that moved."""
    moved = [unit for unit_id, unit in before.items() if unit_id not in named and unit.path != paths[unit_id]]
    for unit in moved:
        unit.path = paths[unit.unit_id]
    AdminUnit.objects.bulk_update(moved, ["path"], batch_size=BATCH)


def _write_predecessors(rows: Iterable[UnitRow], keys: Mapping[str, int]) -> set[str]:
    """Returns the units whose predecessors changed."""
    unit_ids = {keys[row.unit_id]: row.unit_id for row in rows}
    wanted = {(keys[row.unit_id], keys[unit_id]) for row in rows for unit_id in row.predecessors}
    links = Predecessor.objects.values_list("from_adminunit_id", "to_adminunit_id", "pk")
    present = {(unit, past): key for unit, past, key in links if unit in unit_ids}
    gone = present.keys() - wanted
    Predecessor.objects.filter(pk__in=[present[pair] for pair in gone]).delete()
    new = sorted(wanted - present.keys())
    Predecessor.objects.bulk_create([Predecessor(from_adminunit_id=unit, to_adminunit_id=past) for unit, past in new])
    return {unit_ids[unit] for unit, _past in (*gone, *new)}
