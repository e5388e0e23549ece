"""Questions to the gazetteer that span units or dates."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet


def units_on(day: date, *, level: int | None = None) -> AdminUnitQuerySet:
    units = AdminUnit.objects.units_on(day)
    return units if level is None else units.level(level)


def unit_by_code(code: str, on: date) -> AdminUnit | None:
    """The one unit that bore the code on that day; None: nobody did."""
    return AdminUnit.objects.units_on(on).filter(code=code).first()


def successors(code: str, day: date, *, on: date | None = None) -> list[AdminUnit]:
    """The units that stand ``on`` a later day (today) for what ``code`` was on ``day``, in the order of their codes.

    The unit itself while it is in force, and everything that came out of it since: a region that lost a part is
    answered with the part. A successor whose first day is not known counts only where the unit has closed. Empty: no
    unit had the code that day.
    """
    unit = unit_by_code(code, day)
    return _stand_for([(unit, day)], on or timezone.localdate())[unit.pk] if unit else []


def successors_of(units: Iterable[AdminUnit], on: date) -> dict[int, list[AdminUnit]]:
    """As `successors`, for several closed units at once by their keys, each since its last day. The number of queries
    is that of the generations.
    """
    return _stand_for([(unit, unit.valid_to or on) for unit in units], on)


def _stand_for(beginnings: Sequence[tuple[AdminUnit, date]], on: date) -> dict[int, list[AdminUnit]]:
    links = _links_after(unit.pk for unit, _day in beginnings)
    return {unit.pk: _follow(unit, day, links, on) for unit, day in beginnings}


def _links_after(keys: Iterable[int]) -> dict[int, list[Any]]:
    """What came out of these units, of what came out of them, and so on; by the key of the predecessor."""
    links: dict[int, list[Any]] = {}
    front = set(keys)
    while front:
        links |= {key: [] for key in front}
        found = AdminUnit.predecessors.through.objects.filter(to_adminunit__in=front)
        for link in found.select_related("from_adminunit__parent", "to_adminunit"):
            links[link.to_adminunit_id].append(link)
        front = {link.from_adminunit_id for key in front for link in links[key]} - links.keys()
    return links


def _follow(unit: AdminUnit, day: date, links: Mapping[int, Sequence[Any]], now: date) -> list[AdminUnit]:
    found: dict[int, AdminUnit] = {}
    seen: set[int] = set()
    front = [(unit, day)]
    while front:
        since = {unit.pk: start for unit, start in front}
        seen |= since.keys()
        found |= {unit.pk: unit for unit, _start in front if _is_in_force(unit, now)}
        front = [
            (link.from_adminunit, max(since[key], link.from_adminunit.valid_from or day))
            for key in since
            for link in links[key]
            if link.from_adminunit_id not in seen
            and _came_out(link.from_adminunit, of=link.to_adminunit, after=since[key], until=now)
        ]
    return sorted(found.values(), key=lambda unit: (unit.code, unit.unit_id))


def _is_in_force(unit: AdminUnit, day: date) -> bool:
    return (unit.valid_from or day) <= day <= (unit.valid_to or day)


def _came_out(unit: AdminUnit, *, of: AdminUnit, after: date, until: date) -> bool:
    if unit.valid_from is None:
        return of.valid_to is not None and of.valid_to < until
    return after < unit.valid_from <= until


def regions_of(units: Iterable[AdminUnit]) -> dict[int, AdminUnit]:
    """The region (or city of republican significance) of each unit, by the unit's key; one query for all.

    A region is its own region. A unit above the regions has none and is left out.
    """
    steps = {unit.pk: unit.path.rstrip("/").split("/") for unit in units}
    wanted = {unit_id for way in steps.values() for unit_id in way}
    regions = {region.unit_id: region for region in AdminUnit.objects.level(REGION_LEVEL).filter(unit_id__in=wanted)}
    return {key: regions[unit_id] for key, way in steps.items() for unit_id in way if unit_id in regions}


def region_ids(units: Iterable[AdminUnit]) -> dict[int, int]:
    """As `regions_of`, by keys alone."""
    return {key: region.pk for key, region in regions_of(units).items()}


def region_of(unit: AdminUnit) -> AdminUnit | None:
    return regions_of([unit]).get(unit.pk)


def zones_of(units: Iterable[AdminUnit]) -> dict[int, ZoneInfo]:
    """The time zone of each unit, by the unit's key: its own, else the nearest above, else the mission's. One query."""
    steps = {unit.pk: unit.path.rstrip("/").split("/") for unit in units}
    wanted = {unit_id for way in steps.values() for unit_id in way}
    named = dict(AdminUnit.objects.filter(unit_id__in=wanted).exclude(time_zone="").values_list("unit_id", "time_zone"))
    mission = timezone.get_default_timezone_name()
    return {
        key: ZoneInfo(next((named[unit_id] for unit_id in reversed(way) if unit_id in named), mission))
        for key, way in steps.items()
    }


def zone_of(unit: AdminUnit) -> ZoneInfo:
    return zones_of([unit])[unit.pk]
