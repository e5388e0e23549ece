"""What a region's number rests on: its districts, and in each the forms that it was added up from."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from assessments.models import KoboSubmission
from assessments.selectors.report import Part, Report
from dtm_ops.common.rounding import percent_of
from locations.models import AdminUnit


@dataclass(frozen=True, slots=True)
class PartLine:
    """One piece of a number with the place and the submission that it comes from. ``kind`` as in `Part`."""

    kind: str
    unit: AdminUnit
    value: int
    submission: KoboSubmission


@dataclass(frozen=True, slots=True)
class DistrictLine:
    """A district (or a city without districts) of a region; its parts add up to its total."""

    unit: AdminUnit
    total: int
    share: Decimal | None
    parts: tuple[PartLine, ...]


@dataclass(frozen=True, slots=True)
class RegionReport:
    unit: AdminUnit
    total: int
    districts: tuple[DistrictLine, ...]


def region_report(report: Report, region: AdminUnit) -> RegionReport:
    """The lines of one region, by code. Villages without a district form stand under the district they lie in. Three
    queries.
    """
    owners = {unit.pk: unit for unit in AdminUnit.objects.filter(pk__in={line.unit for line in report.districts})}
    own = [line for line in report.districts if owners[line.unit].path.startswith(region.path)]
    parts = [part for line in own for part in line.parts]
    keys = {part.unit for part in parts}
    heads = {_district_id(owners[line.unit], region) for line in own}
    found = AdminUnit.objects.filter(pk__in=keys) | AdminUnit.objects.filter(unit_id__in=heads)
    units = {unit.pk: unit for unit in found}
    by_id = {unit.unit_id: unit for unit in units.values()}
    submissions = KoboSubmission.objects.in_bulk({part.submission for part in parts})
    grouped: dict[str, list[Part]] = {}
    for line in own:
        grouped.setdefault(_district_id(owners[line.unit], region), []).extend(line.parts)
    total = sum(part.value for part in parts)
    lines = [
        _line(by_id[unit_id], grouped[unit_id], total=total, units=units, submissions=submissions)
        for unit_id in sorted(grouped, key=lambda key: (by_id[key].code, key))
    ]
    return RegionReport(region, total, tuple(lines))


def _district_id(unit: AdminUnit, region: AdminUnit) -> str:
    """``unit_id`` of the place just below the region that holds the unit; of the region for the region itself."""
    below = unit.path.removeprefix(region.path).split("/")[0]
    return below or region.unit_id


def _line(
    unit: AdminUnit,
    parts: list[Part],
    *,
    total: int,
    units: Mapping[int, AdminUnit],
    submissions: Mapping[int, KoboSubmission],
) -> DistrictLine:
    lines = tuple(
        PartLine(part.kind, units[part.unit], part.value, submissions[part.submission])
        for part in sorted(parts, key=lambda part: (part.kind == "rest", units[part.unit].path, part.submission))
    )
    whole = sum(line.value for line in lines)
    return DistrictLine(unit, whole, percent_of(whole, total), lines)
