"""The demo set of round 2022-Q4: forms whose approved figures are the published ones.

Published are the one-way margins (source report, dtm method A12) and the counts of six regions. INVENTED are the
counts of eight regions and everything below the region: districts, villages, estimates, informants. Five of the
fourteen regions are an ASSUMPTION, the report does not list them. All is computed from the ids of the units alone, so
the same gazetteer gives the same forms everywhere.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assessments.demo.answers import (
    AREA,
    NATIONALITIES,
    REASONS,
    SEXES,
    SUB_AREA,
    TYPES,
    Answers,
    Place,
    draw_informants,
    write_answers,
)
from assessments.demo.splits import apportion, draw, split_table
from assessments.kobo.mapping import FormFigure, Person

ROUND_CODE = "2022-Q4"
FIRST_DAY = dt.date(2022, 11, 14)
LAST_DAY = dt.date(2023, 3, 3)
# Weekdays of the window that are holidays in Kazakhstan: Independence Day and New Year.
DAYS_OFF = frozenset({dt.date(2022, 12, 16), dt.date(2023, 1, 2), dt.date(2023, 1, 3)})

REGION_TOTALS: Mapping[str, int] = {
    "470000000": 213_227,  # Mangystau
    "190000000": 125_663,  # Almaty region
    "750000000": 120_984,  # Almaty city
    "610000000": 54_142,  # Turkistan
    "790000000": 41_442,  # Shymkent city
    "710000000": 30_747,  # Astana city
    "310000000": 20_721,  # Zhambyl
    "230000000": 17_379,  # Atyrau
    "150000000": 13_368,  # Aktobe
    "350000000": 10_695,  # Karaganda
    "430000000": 9_359,  # Kyzylorda
    "590000000": 4_679,  # North Kazakhstan
    "630000000": 3_342,  # East Kazakhstan
    "270000000": 2_674,  # West Kazakhstan
}
PUBLISHED_REGIONS = frozenset({"470000000", "190000000", "750000000", "590000000", "630000000", "270000000"})
INVENTED_REGIONS = frozenset(REGION_TOTALS) - PUBLISHED_REGIONS
ASSUMED_REGIONS = frozenset({"610000000", "710000000", "310000000", "230000000", "150000000"})

YEARS = ("2020", "2021", "2022")
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "sex": SEXES,
    "nationality": NATIONALITIES,
    "arrival_year": YEARS,
    "reason": REASONS,
    "migration_type": TYPES,
}
MARGINS: Mapping[str, tuple[int, ...]] = {
    "sex": (561_474, 106_948),
    "nationality": (543_427, 52_137, 29_411, 20_053, 23_394),
    "arrival_year": (185_158, 214_783, 268_481),
    "reason": (180_473, 33_346, 23_680, 16_431, 14_551),
    "migration_type": (196_797, 54_233, 17_451),
}
# Captions of the source report's photographs: the focus group of that place was on that day.
PHOTO_DAYS: Mapping[str, dt.date] = {
    "431047000": dt.date(2023, 1, 30),  # Tasboget
    "791310000": dt.date(2023, 2, 2),  # Al-Farabi
    "351013000": dt.date(2023, 2, 16),  # Kazybek bi
    "751810000": dt.date(2023, 3, 3),  # Nauryzbay
}

_CITIES = frozenset({"city", "town_admin"})
_WEST = frozenset({"150000000", "230000000", "270000000", "430000000", "470000000"})  # UTC+5, the others were UTC+6
# How much likelier a category is in a region than in the country: invented, only so that regions differ.
_LIKELIER: Mapping[tuple[str, str], float] = {
    **{(region, "RU"): 5.0 for region in ("590000000", "630000000")},
    **{(region, "RU"): 3.0 for region in ("270000000", "350000000", "150000000")},
    **{(region, "RU"): 0.5 for region in ("610000000", "790000000", "430000000")},
    **{(region, "KG"): 3.0 for region in ("310000000", "750000000", "190000000")},
    **{(region, "TJ"): 2.0 for region in ("710000000", "790000000", "230000000")},
    **{(region, "mobilization"): 3.0 for region in ("590000000", "630000000", "270000000", "350000000", "150000000")},
    **{(region, "sanctions"): 1.8 for region in ("590000000", "710000000", "750000000", "270000000")},
    **{(region, "female"): 1.6 for region in ("710000000", "750000000", "790000000")},
    **{(region, "seasonal"): 1.4 for region in ("610000000", "190000000", "310000000")},
    **{(region, "long_term"): 1.5 for region in ("470000000", "710000000", "750000000")},
}


@dataclass(frozen=True, slots=True)
class DemoUnit:
    """A unit of the gazetteer as it stood on 2022-11-10; ``parent`` is the parent's ``unit_id``."""

    unit_id: str
    level: int
    unit_type: str
    parent: str


@dataclass(frozen=True, slots=True)
class DemoForm:
    """One filled form. ``district_id`` is the district, or the republican city, that the unit lies in or is.

    ``total`` is the form's own total; ``listed`` the places it names with its estimates of them; ``figures`` are in the
    order of the form's mapping. ``answers`` lack the codes of focus group and enumerator (``sign_answers``).
    """

    kind: str
    unit_id: str
    district_id: str
    region_id: str
    day: dt.date
    total: int
    listed: tuple[tuple[str, int], ...]
    figures: tuple[FormFigure, ...]
    informants: tuple[Person, ...]
    answers: Answers = field(compare=False)


@dataclass(slots=True)
class _Draft:
    """A form in the making. ``base`` = the people whom its breakdown describes: for a district those not listed."""

    kind: str
    unit_id: str
    district_id: str
    region_id: str
    base: int
    listed: tuple[tuple[str, int], ...] = ()
    day: dt.date = FIRST_DAY
    parts: dict[str, list[int]] = field(default_factory=dict)


def build_forms(units: Iterable[DemoUnit]) -> list[DemoForm]:
    """Return all forms of the round: region by region in the order of ``REGION_TOTALS``, then by day.

    The units of other regions are ignored. A region, or a photographed place, that is missing raises ``ValueError``.
    """
    children: dict[str, list[DemoUnit]] = {}
    for unit in units:
        children.setdefault(unit.parent, []).append(unit)
    drafts: list[_Draft] = []
    for region, total in REGION_TOTALS.items():
        region_drafts = _draft_region(region, total, children)
        _set_days(region_drafts)
        drafts.extend(sorted(region_drafts, key=lambda draft: (draft.day, draft.unit_id)))
    missing = set(PHOTO_DAYS) - {draft.unit_id for draft in drafts}
    if missing:
        raise ValueError(f"units not in the gazetteer given: {', '.join(sorted(missing))}")
    _break_down(drafts)
    forms: list[DemoForm] = []
    informants = 1
    for draft in drafts:
        forms.append(_finish(draft, first_informant=informants))
        informants += len(forms[-1].informants)
    return forms


def _draft_region(region: str, total: int, children: Mapping[str, Sequence[DemoUnit]]) -> list[_Draft]:
    # A district with a photographed place comes first, so that its own session is before that place's.
    units = sorted(
        (unit for unit in children.get(region, ()) if unit.level == 2),
        key=lambda unit: (
            not any(child.unit_id in PHOTO_DAYS for child in children.get(unit.unit_id, ())),
            unit.unit_id,
        ),
    )
    if not units:
        raise ValueError(f"region {region} has no districts in the gazetteer given")
    if units[0].unit_type == "city_district":
        weights = [0.6 + draw(f"{unit.unit_id}:size") for unit in units]
        return _draft_district(region, region, 0, units, apportion(total, weights))
    weights = [
        (0.4 + 1.2 * draw(f"{unit.unit_id}:size")) * (4 if unit.unit_type == "city_regional" else 1) for unit in units
    ]
    drafts = []
    for unit, people in zip(units, apportion(total, weights), strict=True):
        villages = _choose_villages(children.get(unit.unit_id, ()))
        inside = round(people * (0.35 + 0.4 * draw(f"{unit.unit_id}:inside"))) if villages else 0
        sizes = apportion(inside, [0.5 + draw(f"{village.unit_id}:size") for village in villages]) if villages else []
        drafts += _draft_district(region, unit.unit_id, people - inside, villages, sizes)
    return drafts


def _choose_villages(units: Sequence[DemoUnit]) -> list[DemoUnit]:
    """Choose one to three places: photographed ones, then towns, then any; no city whose parts can be chosen."""
    if any(unit.unit_type == "city_district" for unit in units):
        units = [unit for unit in units if unit.unit_type not in _CITIES]
    ranked = sorted(
        units,
        key=lambda unit: (
            unit.unit_id not in PHOTO_DAYS,
            unit.unit_type not in _CITIES,
            draw(f"{unit.unit_id}:rank"),
        ),
    )
    return ranked[: 1 + int(3 * draw(f"{ranked[0].parent}:count"))] if ranked else []


def _draft_district(
    region: str, district: str, rest: int, places: Sequence[DemoUnit], sizes: Sequence[int]
) -> list[_Draft]:
    """Return the draft of the district's form and those of the places it names, where the later count is ``sizes``."""
    listed = tuple((place.unit_id, _estimate(place.unit_id, size)) for place, size in zip(places, sizes, strict=True))
    area = _Draft(AREA, district, district, region, rest, listed)
    villages = [
        _Draft(SUB_AREA, place.unit_id, district, region, size) for place, size in zip(places, sizes, strict=True)
    ]
    return [area, *villages]


def _estimate(unit_id: str, size: int) -> int:
    """Return what the district's informants had guessed: at most 20 % off, round where that is near enough."""
    guess = round(size * (0.82 + 0.36 * draw(f"{unit_id}:estimate")))
    rounded = round(guess, -1)
    return rounded if 10 * abs(rounded - size) <= 2 * size and rounded > 0 else max(guess, 1)


def _set_days(drafts: Sequence[_Draft]) -> None:
    """Spread a region's forms over the window, one a day at most, each district before its places.

    So one person can do a whole region, and no plan of enumerators can book anybody twice.
    """
    fixed = {PHOTO_DAYS[draft.unit_id] for draft in drafts if draft.unit_id in PHOTO_DAYS}
    span = (LAST_DAY - FIRST_DAY).days + 1
    window = [FIRST_DAY + dt.timedelta(days=number) for number in range(span)]
    days = [day for day in window if day.weekday() < 5 and day not in DAYS_OFF | fixed]
    movable = [draft for draft in drafts if draft.unit_id not in PHOTO_DAYS]
    if len(movable) > len(days):
        raise ValueError(f"{len(movable)} forms of one region do not fit into {len(days)} days")
    for position, draft in enumerate(movable):
        draft.day = days[position * len(days) // len(movable)]
    for draft in drafts:
        draft.day = PHOTO_DAYS.get(draft.unit_id, draft.day)


def _break_down(drafts: Sequence[_Draft]) -> None:
    """Split each form's people by every indicator, so that the columns meet the published margins."""
    bases = [draft.base for draft in drafts]
    for indicator in ("sex", "nationality", "arrival_year"):
        _split_indicator(drafts, indicator, bases)
    arrivals = [draft.parts["arrival_year"][-1] for draft in drafts]
    for indicator in ("reason", "migration_type"):
        _split_indicator(drafts, indicator, arrivals)


def _split_indicator(drafts: Sequence[_Draft], indicator: str, bases: Sequence[int]) -> None:
    weights = [
        [
            margin * _LIKELIER.get((draft.region_id, category), 1.0) * (0.7 + 0.6 * draw(f"{draft.unit_id}:{category}"))
            for category, margin in zip(CATEGORIES[indicator], MARGINS[indicator], strict=True)
        ]
        for draft in drafts
    ]
    for draft, row in zip(drafts, split_table(bases, MARGINS[indicator], weights), strict=True):
        draft.parts[indicator] = row


def _finish(draft: _Draft, *, first_informant: int) -> DemoForm:
    total = draft.base + sum(estimate for _, estimate in draft.listed)
    figures = [FormFigure(None, "present", None, total)]
    figures += [FormFigure(unit, "present", None, estimate) for unit, estimate in draft.listed]
    for indicator, categories in CATEGORIES.items():
        if sum(draft.parts[indicator]):
            counts = zip(categories, draft.parts[indicator], strict=True)
            figures += [FormFigure(None, indicator, category, count) for category, count in counts]
    informants = draw_informants(draft.kind, seed=draft.unit_id, first_number=first_informant)
    sub_area = draft.unit_id if draft.kind == SUB_AREA else None
    answers = write_answers(
        draft.kind,
        place=Place(draft.region_id, draft.district_id, sub_area),
        day=draft.day,
        round_code=ROUND_CODE,
        figures=figures,
        informants=informants,
        utc_offset=5 if draft.region_id in _WEST else 6,
    )
    return DemoForm(
        kind=draft.kind,
        unit_id=draft.unit_id,
        district_id=draft.district_id,
        region_id=draft.region_id,
        day=draft.day,
        total=total,
        listed=draft.listed,
        figures=tuple(figures),
        informants=informants,
        answers=answers,
    )
