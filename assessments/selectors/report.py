"""The figures of a round: the figure rule, of approved revisions only (design, section 7).

A district's number is, for each village that its form names, the approved village form's number, else the district
form's own estimate for it; plus what the district form leaves to no village; plus approved villages that the district
form did not name. A district without a form of its own is its villages. District and village numbers are never added
on top of each other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from assessments.enums import IndicatorBase, ReviewStatus
from assessments.models import AssessmentRound, Category, Figure, Indicator, KoboSubmission, RoundRegion
from assessments.selectors.coverage import region_id
from dtm_ops.common.rounding import growth, percent_of
from locations.models import AdminUnit
from locations.querysets import AnyUser

TOTAL = "present"
YEARS = "arrival_year"
UNKNOWN = "unknown"
AREA = "baseline_area"

Parts = dict[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a breakdown. ``share`` in percent of the base; None for a zero base. ``growth`` over the line
    before.
    """

    code: str
    name: str
    count: int
    share: Decimal | None
    growth: Decimal | None = None
    remark: str = ""
    # Of the region, for its page: a code repeats over time.
    unit_id: str = ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """``rows`` add up to ``base``; what forms did not give stands in the row "unknown"."""

    code: str
    name: str
    base: int
    rows: tuple[Row, ...]

    @property
    def share_sum(self) -> Decimal:
        """Of the printed shares: rounding may miss 100.0, and whoever shows them says so."""
        return sum((row.share for row in self.rows if row.share is not None), Decimal())


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a district's number, with the submission that it rests on.

    ``kind``: ``village`` (approved village form), ``estimate`` (the district form's, for a village without one),
    ``rest`` (what the district form leaves to no village).
    """

    kind: str
    unit: int
    value: int
    submission: int


@dataclass(slots=True)
class District:
    """A district's number and what it is made of; ``breakdowns`` by indicator and category, without what is unknown."""

    unit: int
    parts: list[Part] = field(default_factory=list)
    breakdowns: Parts = field(default_factory=lambda: defaultdict(Counter))

    @property
    def total(self) -> int:
        return sum(part.value for part in self.parts)


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a round. ``by`` holds region, nationality, sex and so on in the order of the indicators."""

    round: AssessmentRound
    total: int
    by: Mapping[str, Breakdown]
    districts: tuple[District, ...]


@dataclass(slots=True)
class _Form:
    """The figures of one approved submission: its unit's own ones, and those that it gives for villages."""

    submission: int
    unit: int
    path: str
    is_area: bool
    total: int | None = None
    parts: Parts = field(default_factory=lambda: defaultdict(Counter))
    estimates: dict[int, int] = field(default_factory=dict)


def report(assessment_round: AssessmentRound, *, user: AnyUser | None = None) -> Report:
    """The round's figures, of the places that ``user`` may see; of all for None."""
    forms = _read_forms(assessment_round, user)
    places = {form.unit: form.path for form in forms}
    named = {unit for form in forms for unit in form.estimates}
    places |= dict(AdminUnit.objects.filter(pk__in=named - places.keys()).values_list("pk", "path"))
    reference = str(assessment_round.reference_year)
    districts = tuple(combine(forms, places=places, reference_year=reference))
    total = sum(district.total for district in districts)
    by = {"region": _by_region(assessment_round, districts, places, total, user)}
    by |= _by_indicator(districts, total, reference)
    return Report(assessment_round, total, by, districts)


def combine(forms: Iterable[_Form], *, places: Mapping[int, str], reference_year: str) -> Iterable[District]:
    """The figure rule. Each approved village counts once, in the district that holds it or, failing that, names it."""
    forms = sorted(forms, key=lambda form: (form.path, form.submission))
    areas = [form for form in forms if form.is_area]
    villages = {form.unit: form for form in forms if not form.is_area}
    owner = _owners(areas, villages, places)
    by_area: dict[int, list[_Form]] = defaultdict(list)
    alone: list[_Form] = []
    for unit, village in villages.items():
        (by_area[owner[unit]] if unit in owner else alone).append(village)
    for area in areas:
        yield _district(area, by_area[area.unit], owner, reference_year)
    for village in alone:
        yield _village_alone(village)


def _owners(areas: list[_Form], villages: Mapping[int, _Form], places: Mapping[int, str]) -> dict[int, int]:
    """Village -> the district whose number it is part of. A village named by two districts belongs to the one it
    lies in.
    """
    owner: dict[int, int] = {}
    for area in areas:
        for unit in area.estimates:
            if unit not in owner or places.get(unit, "").startswith(area.path):
                owner[unit] = area.unit
    by_path = {area.path: area.unit for area in areas}
    for unit, village in villages.items():
        if unit in owner:
            continue
        steps = village.path.split("/")[:-1]
        above = ("".join(f"{step}/" for step in steps[:length]) for length in range(len(steps), 0, -1))
        holder = next((by_path[path] for path in above if path in by_path), None)
        if holder is not None:
            owner[unit] = holder
    return owner


def _district(area: _Form, villages: list[_Form], owner: Mapping[int, int], reference_year: str) -> District:
    district = District(area.unit)
    approved = {village.unit: village for village in villages if village.total is not None}
    for village in villages:
        _add_village(district, village)
    left = 0
    for unit, estimate in area.estimates.items():
        if unit not in approved and owner.get(unit) == area.unit:
            district.parts.append(Part("estimate", unit, estimate, area.submission))
            left += estimate
    rest = max((area.total or 0) - sum(area.estimates.values()), 0)
    if rest or not area.estimates:
        district.parts.append(Part("rest", area.unit, rest, area.submission))
    left += rest
    # The form's breakdowns speak of those whom it leaves to no village. Where they add up to more people than still
    # rest on
    # this form, they speak of people whom village forms have replaced: then nothing is known about those who are left.
    for indicator, counts in area.parts.items():
        base = left if indicator in _OF_PRESENT else area.parts[YEARS][reference_year]
        if counts.total() <= base and (indicator in _OF_PRESENT or area.parts[YEARS].total() <= left):
            district.breakdowns[indicator] += counts
    return district


def _village_alone(village: _Form) -> District:
    district = District(village.unit)
    _add_village(district, village)
    return district


def _add_village(district: District, village: _Form) -> None:
    if village.total is None:
        return
    district.parts.append(Part("village", village.unit, village.total, village.submission))
    for indicator, counts in village.parts.items():
        district.breakdowns[indicator] += counts


_OF_PRESENT = frozenset({YEARS, "nationality", "sex"})


def _read_forms(assessment_round: AssessmentRound, user: AnyUser | None) -> list[_Form]:
    counted = KoboSubmission.objects.counted().filter(
        review_status=ReviewStatus.APPROVED, target__round=assessment_round, covers_alone=True
    )
    if user is not None:
        counted = counted.visible_to(user)
    # Any: the stubs take the place's key for its unit_id.
    heads: Any = counted.order_by().values_list(
        "pk", "approved_revision_id", "target__unit_id", "target__unit__path", "target__form_kind__code"
    )
    forms = {
        revision: _Form(submission=pk, unit=unit, path=path, is_area=kind == AREA)
        for pk, revision, unit, path, kind in heads
    }
    figures: Any = (
        Figure.objects.filter(revision__in=counted.order_by().values("approved_revision"), value__isnull=False)
        .order_by()
        .values_list("revision_id", "unit_id", "indicator__code", "category__code", "value")
    )
    for revision, unit, indicator, category, value in figures.iterator(chunk_size=5000):
        form = forms[revision]
        if indicator == TOTAL and unit == form.unit:
            form.total = value
        elif indicator == TOTAL:
            form.estimates[unit] = value
        elif category is not None and unit == form.unit:
            form.parts[indicator][category] += value
    return list(forms.values())


def _by_region(
    assessment_round: AssessmentRound,
    districts: Iterable[District],
    places: Mapping[int, str],
    total: int,
    user: AnyUser | None,
) -> Breakdown:
    counts: Counter[str] = Counter()
    for district in districts:
        counts[region_id(places[district.unit])] += district.total
    rows = RoundRegion.objects.filter(round=assessment_round).select_related("unit")
    if user is not None:
        rows = rows.filter(unit__in=AdminUnit.objects.visible_to(user))
    named = {row.unit.unit_id: row for row in rows}
    units = {key: row.unit for key, row in named.items()}
    units |= {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=counts.keys() - units.keys())}
    lines = tuple(
        Row(
            unit.code,
            unit.name,
            counts[key],
            percent_of(counts[key], total),
            remark=named[key].remark if key in named else "",
            unit_id=key,
        )
        for key, unit in sorted(units.items(), key=lambda item: (item[1].code, item[0]))
    )
    return Breakdown("region", "", total, lines)


def _by_indicator(districts: Iterable[District], total: int, reference_year: str) -> dict[str, Breakdown]:
    sums: Parts = defaultdict(Counter)
    for district in districts:
        for code, counts in district.breakdowns.items():
            sums[code] += counts
    names: dict[str, list[Category]] = defaultdict(list)
    for category in Category.objects.select_related("indicator").order_by("indicator__order", "order", "code"):
        names[category.indicator.code].append(category)
    result = {}
    for indicator in Indicator.objects.exclude(code=TOTAL).order_by("order", "code"):
        base = total if indicator.base == IndicatorBase.PRESENT else sums[YEARS][reference_year]
        result[indicator.code] = _breakdown(indicator, names[indicator.code], sums[indicator.code], base)
    return result


def _breakdown(indicator: Indicator, categories: list[Category], counts: Counter[str], base: int) -> Breakdown:
    rows: list[Row] = []
    before: int | None = None
    for category in categories:
        count = counts[category.code]
        if indicator.code == YEARS and not count:
            continue
        change = growth(count, before) if indicator.code == YEARS and before else None
        rows.append(Row(category.code, str(category), count, percent_of(count, base), growth=change))
        before = count
    unknown = base - counts.total()
    if unknown > 0:
        rows.append(Row(UNKNOWN, "", unknown, percent_of(unknown, base)))
    return Breakdown(indicator.code, str(indicator), base, tuple(rows))
