"""Answers to the two shipped forms as KoboToolbox lists them: full paths, every answer text, repeats as lists.

Only what the form would have asked is answered: questions that are not relevant are absent, calculated ones are there.
A test holds all paths to the forms in ``xlsforms/``.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assessments.demo.splits import apportion, draw
from assessments.kobo.mapping import FormFigure, Person

Answers = dict[str, object]

AREA = "baseline_area"
SUB_AREA = "baseline_sub_area"
NATIONALITIES = ("UZ", "RU", "TJ", "KG", "other")
SEXES = ("male", "female")
REASONS = ("economic", "sanctions", "conflict", "mobilization", "covid")
TYPES = ("seasonal", "long_term", "other")
# The forms ask about the round's year and the two years before it.
YEARS_ASKED = 3

PLANTED_ERRORS = (
    "sex_differs",
    "nationality_exceeds",
    "text_in_number",
    "negative_number",
    "unknown_place",
    "wrong_focus_group",
    "future_date",
    "village_twice",
    "blank_village",
)

_INFORMANT_TYPES = {
    AREA: ("akim_district", "police", "employment", "employer", "diaspora", "market", "ngo"),
    SUB_AREA: ("akim_rural", "employer", "elder", "landlord", "school_clinic", "market", "religious"),
}
_SECTORS = ("construction", "agriculture", "trade", "services", "hospitality", "industry", "transport", "extraction")
_SHARES: Mapping[str, tuple[float, ...]] = {
    "sex": (84, 16),
    "nationality": (81, 8, 4, 3, 4),
    "arrival_year": (28, 32, 40),
    "reason": (67, 12, 9, 6, 6),
    "migration_type": (73, 20, 7),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a form was filled, as the cascade of the form asks it; a republican city is its own district there."""

    region: str
    district: str
    sub_area: str | None = None


def write_answers(
    kind: str,
    *,
    place: Place,
    day: dt.date,
    round_code: str,
    figures: Iterable[FormFigure],
    informants: Sequence[Person],
    utc_offset: int = 5,
) -> Answers:
    """Return the answers from which ``read_figures`` reads exactly these figures back.

    The head lacks the focus group and the enumerator: see ``sign_answers``. A figure with value None is answered "do
    not know" for its whole question group.
    """
    own: dict[str, dict[str, int | None]] = {}
    villages: dict[str, int | None] = {}
    for figure in figures:
        if figure.unit is None:
            own.setdefault(figure.indicator, {})[figure.category or ""] = figure.value
        else:
            villages[figure.unit] = figure.value
    total = own.get("present", {}).get("")
    seed = f"{place.district}:{place.sub_area}:{day}"
    answers = _write_head(kind, place=place, day=day, round_code=round_code, utc_offset=utc_offset, seed=seed)
    answers |= _write_people(kind, total, villages)
    base = None if total is None else total - sum(value or 0 for value in villages.values())
    if base:
        answers |= _write_profile(own, int(round_code[:4]))
    if kind == SUB_AREA and total != 0:
        answers["living/sectors"] = " ".join(_draw_some(_SECTORS, 3, seed))
        answers["living/shelter"] = "rented" if draw(f"{seed}:shelter") < 0.7 else "dormitory workplace"
    return answers | _write_close(informants, total, seed)


def sign_answers(answers: Mapping[str, object], *, focus_group: str, enumerator: str) -> Answers:
    """Return the answers with the two codes that the enumerator types into the head."""
    return {**answers, "head/focus_group": focus_group, "head/enumerator": enumerator}


def draw_informants(kind: str, *, seed: str, first_number: int = 1) -> tuple[Person, ...]:
    """Return invented informants: four to six for a district, two or three for a village, at least one woman."""
    count = 4 + int(draw(f"{seed}:count") * 3) if kind == AREA else 2 + int(draw(f"{seed}:count") * 2)
    types = _draw_some(_INFORMANT_TYPES[kind], count, seed)
    woman = int(draw(f"{seed}:woman") * count)
    people = []
    for position, kind_of_person in enumerate(types):
        luck = draw(f"{seed}:{position}")
        people.append(
            Person(
                code=f"KI-{first_number + position:04d}",
                type=kind_of_person,
                sex="female" if position == woman or luck < 0.3 else "male",
                basis=("register", "count", "hearsay")[int(luck * 2.6)],
                how="phone" if luck > 0.85 else "present",
            )
        )
    return tuple(people)


def practice_answers(
    kind: str,
    *,
    place: Place,
    day: dt.date,
    round_code: str,
    focus_group: str,
    enumerator: str,
    total: int,
    villages: Mapping[str, int] | None = None,
    error: str | None = None,
) -> Answers:
    """Return plausible answers for trying the product; ``error`` (one of ``PLANTED_ERRORS``) spoils them.

    ``villages`` are the places a district form names, with estimates; more than ``total`` in all is for the caller to
    avoid. Kobo checks nothing on receipt, so each of the errors is something that really arrives.
    """
    villages = villages or {}
    seed = f"{focus_group}:{place.district}:{place.sub_area}"
    figures = [FormFigure(None, "present", None, total)]
    figures += [FormFigure(unit, "present", None, estimate) for unit, estimate in villages.items()]
    rest = total - sum(villages.values())
    if rest > 0:
        figures += _draw_breakdowns(rest, int(round_code[:4]), seed)
    informants = draw_informants(kind, seed=seed)
    answers = write_answers(kind, place=place, day=day, round_code=round_code, figures=figures, informants=informants)
    answers = sign_answers(answers, focus_group=focus_group, enumerator=enumerator)
    return plant_error(answers, error) if error else answers


def plant_error(answers: Mapping[str, object], error: str) -> Answers:
    """Return the answers with one planted error; an unknown error raises ``ValueError``.

    An error about villages or the breakdown needs answers that have them, else ``KeyError``.
    """
    if error not in PLANTED_ERRORS:
        raise ValueError(f"no such planted error: {error}")
    spoilt = dict(answers)
    place = "head/sub_area" if "head/sub_area" in spoilt else "head/district"
    villages = spoilt.get("villages")
    if error == "sex_differs":
        spoilt["profile/sex/sex_female"] = str(int(str(spoilt["profile/sex/sex_female"])) + 7)
    elif error == "nationality_exceeds":
        spoilt["profile/nationality/nationality_ru"] = str(int(str(spoilt["people/total"])) + 1)
    elif error == "text_in_number":
        spoilt["profile/sex/sex_male"] = "шамамен 40"
    elif error == "negative_number":
        spoilt["profile/nationality/nationality_kg"] = "-3"
    elif error == "unknown_place":
        spoilt[place] = "999999999"
    elif error == "wrong_focus_group":
        spoilt["head/focus_group"] = "K7-4PQ0"
    elif error == "future_date":
        spoilt["head/session_date"] = f"{int(str(spoilt['head/session_date'])[:4]) + 1}-01-15"
    elif not isinstance(villages, list) or not villages:
        raise KeyError("villages")
    elif error == "village_twice":
        spoilt["villages"] = [*villages, dict(villages[0])]
    else:
        spoilt["villages"] = [*villages, {"villages/village_known": "yes", "villages/village_estimate": "12"}]
    return spoilt


def sent_at(answers: Mapping[str, object], *, meeting_ends_at: dt.datetime) -> dt.datetime:
    """After the meeting, and after the form was finished: else every phone would seem to have a wrong clock."""
    finished = dt.datetime.fromisoformat(str(answers["end"]))
    return max(meeting_ends_at, finished) + dt.timedelta(minutes=15)


def _write_head(kind: str, *, place: Place, day: dt.date, round_code: str, utc_offset: int, seed: str) -> Answers:
    zone = dt.timezone(dt.timedelta(hours=utc_offset))
    start = dt.datetime.combine(day, dt.time(9), zone) + dt.timedelta(minutes=int(draw(f"{seed}:start") * 300))
    minutes = (55 if kind == AREA else 30) + int(draw(f"{seed}:length") * 35)
    year = int(round_code[:4])
    answers: Answers = {
        "start": start.isoformat(timespec="milliseconds"),
        "end": (start + dt.timedelta(minutes=minutes)).isoformat(timespec="milliseconds"),
        "today": day.isoformat(),
        "head/round": round_code,
        "head/reference_year": str(year),
        "head/since_year": str(year - YEARS_ASKED + 1),
        "head/has_focus_group": "yes",
        "head/session_date": day.isoformat(),
        "head/region": place.region,
        "head/district": place.district,
    }
    if kind == SUB_AREA and place.sub_area:
        answers["head/sub_area"] = place.sub_area
    return answers | {"access/access_level": "yes", "access/consent": "yes"}


def _write_people(kind: str, total: int | None, villages: Mapping[str, int | None]) -> Answers:
    answers: Answers = {"people/present": "no" if total == 0 else "yes"}
    if total is None:
        answers |= {"people/total_known": "dk", "people/present_total": "dk"}
    else:
        answers["people/present_total"] = str(total)
        if total:
            answers |= {"people/total_known": "yes", "people/total": str(total)}
    if kind != AREA or total == 0:
        return answers
    answers["people/villages_named"] = "yes" if villages else "no"
    listed = sum(value or 0 for value in villages.values())
    if villages:
        answers["villages"] = [_write_village(unit, value, total) for unit, value in villages.items()]
        answers |= {"listed/all_villages": "||".join(villages), "listed/twice_total": "0"}
    if total is not None:
        answers |= {"rest/listed_total": str(listed), "rest/rest_total": str(total - listed)}
    return answers


def _write_village(unit: str, value: int | None, total: int | None) -> dict[str, str]:
    weight = (value or 0) / (total or 1)
    row = {
        "villages/village": unit,
        "villages/village_known": "dk" if value is None else "yes",
        "villages/village_number": str(value or 0),
        "villages/village_priority": "high" if weight > 0.25 else "medium" if weight > 0.1 else "low",
        "villages/village_twice": "0",
    }
    return row if value is None else {**row, "villages/village_estimate": str(value)}


def _write_profile(own: Mapping[str, Mapping[str, int | None]], year: int) -> Answers:
    answers: Answers = {}
    for indicator, group, stem in (("sex", "sex", "sex"), ("nationality", "nationality", "nationality")):
        answers |= _write_parts(own.get(indicator, {}), group, stem, group)
    years = own.get("arrival_year", {})
    if None in years.values():
        zeros = {f"profile/arrivals/{name}": "0" for name in ("year_count", "arrivals_sum", "reference_arrivals")}
        return answers | zeros | {"profile/arrivals/arrivals_known": "dk"}
    rows = []
    for name, value in years.items():
        reference = str(value) if name == str(year) else "0"
        rows.append({"year": name, "arrived": str(value), "arrived_number": str(value), "arrived_reference": reference})
    reference_arrivals = years.get(str(year)) or 0
    if rows:
        answers |= {
            "profile/arrivals/arrivals_known": "yes",
            "profile/arrivals/year_count": str(YEARS_ASKED),
            "profile/arrivals/by_year": [
                {f"profile/arrivals/by_year/{name}": value for name, value in row.items()} for row in rows
            ],
            "profile/arrivals/arrivals_sum": str(sum(value or 0 for value in years.values())),
            "profile/arrivals/reference_arrivals": str(reference_arrivals),
        }
    if reference_arrivals:
        answers |= _write_parts(own.get("reason", {}), "reasons", "reason", "reasons")
        answers |= _write_parts(own.get("migration_type", {}), "types", "type", "types")
    return answers


def _write_parts(parts: Mapping[str, int | None], group: str, stem: str, total: str) -> Answers:
    folder = f"profile/{group}"
    if not parts:
        return {}
    if None in parts.values():
        return {f"{folder}/{group}_known": "dk", f"{folder}/{total}_sum": "0"}
    answers: Answers = {f"{folder}/{group}_known": "yes"}
    answers |= {f"{folder}/{stem}_{category.lower()}": str(value) for category, value in parts.items()}
    return answers | {f"{folder}/{total}_sum": str(sum(value or 0 for value in parts.values()))}


def _write_close(informants: Sequence[Person], total: int | None, seed: str) -> Answers:
    luck = draw(f"{seed}:credibility")
    answers: Answers = {"source/source_seen": "yes" if luck < 0.4 else "no"}
    if luck < 0.4:
        answers["source/source_kind"] = ("police", "employment", "akimat")[int(luck * 7.4)]
        answers["source/source_figure"] = str(int((total or 0) * (0.4 + luck)))
    answers["informants"] = [
        {
            "informants/informant_code": person.code,
            "informants/informant_type": person.type,
            "informants/informant_sex": person.sex,
            "informants/informant_basis": person.basis,
            "informants/informant_how": person.how,
        }
        for person in informants
    ]
    return answers | {
        "credibility/informants_agree": "yes" if luck < 0.6 else "mostly",
        "credibility/matches_observation": "yes" if luck < 0.7 else "partly",
        "credibility/records_seen": "seen" if luck < 0.4 else "said" if luck < 0.7 else "no",
    }


def _draw_breakdowns(people: int, year: int, seed: str) -> list[FormFigure]:
    years = tuple(str(year - YEARS_ASKED + 1 + position) for position in range(YEARS_ASKED))
    arrivals = _draw_parts("arrival_year", years, people, seed)
    recent = arrivals[-1].value or 0
    figures = (
        _draw_parts("sex", SEXES, people, seed) + _draw_parts("nationality", NATIONALITIES, people, seed) + arrivals
    )
    if recent:
        figures += _draw_parts("reason", REASONS, recent, seed) + _draw_parts("migration_type", TYPES, recent, seed)
    return figures


def _draw_parts(indicator: str, categories: Sequence[str], total: int, seed: str) -> list[FormFigure]:
    weights = [
        share * (0.6 + 0.8 * draw(f"{seed}:{indicator}:{category}"))
        for share, category in zip(_SHARES[indicator], categories, strict=True)
    ]
    counts = apportion(total, weights)
    return [FormFigure(None, indicator, name, count) for name, count in zip(categories, counts, strict=True)]


def _draw_some(items: Sequence[str], count: int, seed: str) -> list[str]:
    return sorted(items, key=lambda item: draw(f"{seed}:{item}"))[:count]
