"""Loading a gazetteer: idempotent, all or nothing, never deletes. The file may be a part of the country.

One pass compares in memory and writes in bulk, level by level, since a unit needs its parent's key.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from locations.models import AdminUnit, path_of
from locations.services.gazetteer_file import GazetteerRefused, Problem, UnitRow, parse_rows

Predecessor = AdminUnit.predecessors.through
BATCH = 500


@dataclass(frozen=True, slots=True)
class GazetteerLoad:
    """What a load did, or (``dry_run``) would do. ``kept`` are units of the database that the file does not name."""

    added: int
    changed: int
    unchanged: int
    kept: int
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Place:
    """A unit as it will be, whether the file or the database says so. ``number`` None: not in the file."""

    unit_id: str
    parent_id: str
    code: str
    level: int
    valid_from: date | None
    valid_to: date | None
    number: int | None = None

    def overlaps(self, other: "_Place") -> bool:
        return (self.valid_from or date.min) <= (other.valid_to or date.max) and (other.valid_from or date.min) <= (
            self.valid_to or date.max
        )


def load_gazetteer(rows: Iterable[Mapping[str, str]], *, dry_run: bool = False) -> GazetteerLoad:
    """Add and change units as the rows say (columns: locations/data/README.md); a second load changes nothing.

    Raises `GazetteerRefused` with all problems of all rows, and then nothing is written. A dry run writes, lets the
    database check, and rolls back.
    """
    parsed, problems = parse_rows(rows)
    with transaction.atomic(), connection.cursor() as cursor:
        # Nobody else writes units between the comparison and the writing; readers are not disturbed.
        cursor.execute("LOCK TABLE locations_adminunit IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time DEFERRED")
        before = {unit.unit_id: unit for unit in AdminUnit.objects.select_related("parent")}
        problems += find_problems(parsed, before)
        if problems:
            raise GazetteerRefused(problems)
        load = _write(parsed, before, dry_run=dry_run)
        cursor.execute("SET CONSTRAINTS adminunit_code_once_at_a_time IMMEDIATE")
        if dry_run:
            transaction.set_rollback(True)
    return load


def find_problems(rows: Sequence[UnitRow], before: Mapping[str, AdminUnit]) -> list[Problem]:
    """What is wrong between units: names taken twice, parents, cycles, levels, dates, codes."""
    places = {unit_id: _place_of_unit(unit) for unit_id, unit in before.items()}
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for row in rows:
        if row.unit_id and first.setdefault(row.unit_id, row.number) != row.number:
            params = {"row": first[row.unit_id]}
            problems.append(Problem(row.number, "unit_id", _("The same unit is in row %(row)s.") % params))
        elif row.unit_id:
            places[row.unit_id] = _place_of_row(row)
    # In the order of the dictionary: units of the database that the file does not touch are judged with it,
    # since a change of the parent can break them; they are told without a row.
    for place in places.values():
        problems += _problems_above(place, places)
    problems += _problems_of_codes(places.values())
    problems += _problems_of_predecessors(rows, places)
    return problems


def _place_of_unit(unit: AdminUnit) -> _Place:
    parent_id = unit.parent.unit_id if unit.parent else ""
    return _Place(unit.unit_id, parent_id, unit.code, unit.level, unit.valid_from, unit.valid_to)


def _place_of_row(row: UnitRow) -> _Place:
    fields = row.fields
    # A level that could not be read was told already; it must not be told again as a wrong order.
    level = -1 if fields["level"] is None else fields["level"]
    dates = fields["valid_from"], fields["valid_to"]
    return _Place(row.unit_id, row.parent_id, fields["code"], level, *dates, number=row.number)


def _problems_above(place: _Place, places: Mapping[str, _Place]) -> Iterator[Problem]:
    if place.level < 0:
        return
    if not place.parent_id:
        if place.level > 0:
            yield _problem(place, "parent_id", _("Every place but the country is part of another place."))
        return
    parent = places.get(place.parent_id)
    if parent is None:
        yield _problem(place, "parent_id", _("There is no unit “%(unit)s”.") % {"unit": place.parent_id})
        return
    cycle = _cycle_from(place, places)
    if cycle:
        yield _problem(place, "parent_id", _("A place cannot lie within itself: %(way)s.") % {"way": " > ".join(cycle)})
    elif place.level <= parent.level:
        params = {"level": place.level, "unit": parent.unit_id, "above": parent.level}
        yield _problem(
            place,
            "level",
            _("Level %(level)s is not below level %(above)s of “%(unit)s”, of which the place is a part.") % params,
        )
    elif not place.overlaps(parent):
        yield _problem(
            place, "parent_id", _("“%(unit)s” is in force on none of the place's days.") % {"unit": parent.unit_id}
        )


def _cycle_from(place: _Place, places: Mapping[str, _Place]) -> list[str]:
    """The ids from the place round to itself; empty when the way up ends, or ends in somebody else's cycle."""
    way = [place.unit_id]
    above = places.get(place.parent_id)
    while above is not None and above.unit_id not in way:
        way.append(above.unit_id)
        above = places.get(above.parent_id)
    return [*way, place.unit_id] if above is not None and above.unit_id == place.unit_id else []


def _problems_of_codes(places: Iterable[_Place]) -> Iterator[Problem]:
    by_code: dict[str, list[_Place]] = defaultdict(list)
    for place in places:
        by_code[place.code].append(place)
    for code, namesakes in by_code.items():
        # Units of the file last: those are told, with the other's name.
        ordered = sorted(namesakes, key=lambda place: place.number or 0)
        for position, place in enumerate(ordered):
            for other in ordered[:position]:
                if code and place.overlaps(other):
                    params = {"code": code, "unit": other.unit_id}
                    yield _problem(place, "code", _("“%(unit)s” has the code %(code)s at the same time.") % params)


def _problems_of_predecessors(rows: Iterable[UnitRow], places: Mapping[str, _Place]) -> Iterator[Problem]:
    for row in rows:
        for unit_id in row.predecessors:
            if unit_id == row.unit_id:
                yield Problem(row.number, "predecessors", _("A place cannot come before itself."))
            elif unit_id not in places:
                yield Problem(row.number, "predecessors", _("There is no unit “%(unit)s”.") % {"unit": unit_id})


def _problem(place: _Place, column: str, message: str) -> Problem:
    if place.number is None:
        return Problem(None, "", f"{place.unit_id}: {message}")
    return Problem(place.number, column, message)


def _write(rows: Sequence[UnitRow], before: Mapping[str, AdminUnit], *, dry_run: bool) -> GazetteerLoad:
    names = list(rows[0].fields) if rows else []
    paths = _paths(rows, before)
    keys = {unit_id: unit.pk for unit_id, unit in before.items()}
    changed = {
        row.unit_id for row in rows if row.unit_id in before and _differs(row, before[row.unit_id], paths[row.unit_id])
    }
    written = [row for row in rows if row.unit_id not in before or row.unit_id in changed]
    for level in sorted({row.fields["level"] for row in written}):
        units = [
            AdminUnit(unit_id=row.unit_id, parent_id=keys.get(row.parent_id), path=paths[row.unit_id], **row.fields)
            for row in written
            if row.fields["level"] == level
        ]
        AdminUnit.objects.bulk_create(
            units,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["unit_id"],
            update_fields=[*names, "parent", "path"],
        )
        keys |= {unit.unit_id: unit.pk for unit in units}
    _move_others(before, paths, named={row.unit_id for row in rows})
    changed |= _write_predecessors(rows, keys) & before.keys()
    added = len(rows) - sum(row.unit_id in before for row in rows)
    return GazetteerLoad(
        added=added,
        changed=len(changed),
        unchanged=len(rows) - added - len(changed),
        kept=len(before) - (len(rows) - added),
        dry_run=dry_run,
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
    links = Predecessor.objects.filter(from_adminunit__in=unit_ids)
    present = {(link.from_adminunit_id, link.to_adminunit_id): link.pk for link in links}
    gone = present.keys() - wanted
    Predecessor.objects.filter(pk__in=[present[pair] for pair in gone]).delete()
    new = sorted(wanted - present.keys())
    Predecessor.objects.bulk_create([Predecessor(from_adminunit_id=unit, to_adminunit_id=past) for unit, past in new])
    return {unit_ids[unit] for unit, _past in (*gone, *new)}
