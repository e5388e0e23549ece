"""What is wrong between the units of a gazetteer: names taken twice, parents, cycles, levels, dates, codes.

Asks nothing of the database: what it says of rows that are not there yet, it says of rows that are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from locations.models import AdminUnit
from locations.services.gazetteer_file import Problem, UnitRow


@dataclass(slots=True)
class Place:
    """A unit as it will be, whether the file or the database says so. ``number`` None: not in the file."""

    unit_id: str
    parent_id: str
    code: str
    level: int
    valid_from: date | None
    valid_to: date | None
    number: int | None = None

    def overlaps(self, other: "Place") -> bool:
        return (self.valid_from or date.min) <= (other.valid_to or date.max) and (other.valid_from or date.min) <= (
            self.valid_to or date.max
        )


def find_problems(rows: Sequence[UnitRow], before: Mapping[str, AdminUnit]) -> list[Problem]:
    """What is wrong between units: names taken twice, parents, cycles, levels, dates, codes."""
    places = {unit_id: place_of_unit(unit) for unit_id, unit in before.items()}
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for row in rows:
        if row.unit_id and first.setdefault(row.unit_id, row.number) != row.number:
            params = {"row": first[row.unit_id]}
            problems.append(Problem(row.number, "unit_id", _("The same unit is in row %(row)s.") % params))
        elif row.unit_id:
            places[row.unit_id] = place_of_row(row)
    # In the order of the dictionary: units of the database that the file does not touch are judged with it,
    # since a change of the parent can break them; they are told without a row.
    for place in places.values():
        problems += problems_above(place, places)
    problems += problems_of_codes(places.values())
    problems += problems_of_predecessors(rows, places)
    return problems


def place_of_unit(unit: AdminUnit) -> Place:
    parent_id = unit.parent.unit_id if unit.parent else ""
    return Place(unit.unit_id, parent_id, unit.code, unit.level, unit.valid_from, unit.valid_to)


def place_of_row(row: UnitRow) -> Place:
    fields = row.fields
    # A level that could not be read was told already; it must not be told again as a wrong order.
    level = -1 if fields["level"] is None else fields["level"]
    dates = fields["valid_from"], fields["valid_to"]
    return Place(row.unit_id, row.parent_id, fields["code"], level, *dates, number=row.number)


def problems_above(place: Place, places: Mapping[str, Place]) -> Iterator[Problem]:
    if place.level < 0:
        return
    if not place.parent_id:
        if place.level > 0:
            yield problem_of(place, "parent_id", _("Every place but the country is part of another place."))
        return
    parent = places.get(place.parent_id)
    if parent is None:
        yield problem_of(place, "parent_id", _("There is no unit “%(unit)s”.") % {"unit": place.parent_id})
        return
    cycle = _cycle_from(place, places)
    if cycle:
        yield problem_of(
            place, "parent_id", _("A place cannot lie within itself: %(way)s.") % {"way": " > ".join(cycle)}
        )
    elif place.level <= parent.level:
        params = {"level": place.level, "unit": parent.unit_id, "above": parent.level}
        yield problem_of(
            place,
            "level",
            _("Level %(level)s is not below level %(above)s of “%(unit)s”, of which the place is a part.") % params,
        )
    elif not place.overlaps(parent):
        yield problem_of(
            place, "parent_id", _("“%(unit)s” is in force on none of the place's days.") % {"unit": parent.unit_id}
        )


def _cycle_from(place: Place, places: Mapping[str, Place]) -> list[str]:
    """The ids from the place round to itself; empty when the way up ends, or ends in somebody else's cycle."""
    way = [place.unit_id]
    above = places.get(place.parent_id)
    while above is not None and above.unit_id not in way:
        way.append(above.unit_id)
        above = places.get(above.parent_id)
    return [*way, place.unit_id] if above is not None and above.unit_id == place.unit_id else []


def problems_of_codes(places: Iterable[Place]) -> Iterator[Problem]:
    by_code: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_code[place.code].append(place)
    for code, namesakes in by_code.items():
        # Units of the file last: those are told, with the other's name.
        ordered = sorted(namesakes, key=lambda place: place.number or 0)
        for position, place in enumerate(ordered):
            for other in ordered[:position]:
                if code and place.overlaps(other):
                    params = {"code": code, "unit": other.unit_id}
                    yield problem_of(place, "code", _("“%(unit)s” has the code %(code)s at the same time.") % params)


def problems_of_predecessors(rows: Iterable[UnitRow], places: Mapping[str, Place]) -> Iterator[Problem]:
    for row in rows:
        for unit_id in row.predecessors:
            if unit_id == row.unit_id:
                yield Problem(row.number, "predecessors", _("A place cannot come before itself."))
            elif unit_id not in places:
                yield Problem(row.number, "predecessors", _("There is no unit “%(unit)s”.") % {"unit": unit_id})


def problem_of(place: Place, column: str, message: str) -> Problem:
    if place.number is None:
        return Problem(None, "", f"{place.unit_id}: {message}")
    return Problem(place.number, column, message)
