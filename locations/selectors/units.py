"""Questions to the gazetteer that span units or dates."""

from collections.abc import Iterable
from datetime import date
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
    now = on or timezone.localdate()
    found: dict[int, AdminUnit] = {}
    seen: set[int] = set()
    front = [(unit, day)] if unit else []
    while front:
        since = {unit.pk: start for unit, start in front}
        seen |= since.keys()
        found |= {unit.pk: unit for unit, _start in front if _is_in_force(unit, now)}
        links = AdminUnit.predecessors.through.objects.filter(to_adminunit__in=since)
        front = [
            (link.from_adminunit, max(since[link.to_adminunit_id], link.from_adminunit.valid_from or day))
            for link in links.select_related("from_adminunit", "to_adminunit")
            if link.from_adminunit_id not in seen
            and _came_out(link.from_adminunit, of=link.to_adminunit, after=since[link.to_adminunit_id], until=now)
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
