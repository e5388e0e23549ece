"""Answers as a phone sends them with the shipped forms of single people, points and households, and their figures.

The calculated answers are those that JavaRosa, the engine of KoboCollect, gave for the typed ones.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.kobo.forms import KINDS, read_mapping
from assessments.kobo.mapping import load_mapping, read_figures, read_head

VOCABULARY = Path(__file__).parents[3] / "assessments" / "data" / "vocabulary.json"
HEAD = {
    "head/round": "2022-Q4",
    "head/reference_year": "2022",
    "head/since_year": "2020",
    "head/enumerator": "E01",
    "head/session_date": "2022-11-20",
    "head/region": "190000000",
    "head/district": "195200000",
    "head/sub_area": "195231000",
    "access/access_level": "yes",
    "access/consent": "yes",
}


def told(group, **answers):
    return HEAD | {f"{group}/{name}": value for name, value in answers.items()}


def interview(**answers):
    return told("interview", interviewed="1", age_group="25_34", intention="stay", **answers) | {
        "access/eligible": "yes"
    }


def rows(*groups):
    return {"groups": [{f"groups/{name}": value for name, value in group.items()} for group in groups]}


EXAMPLES: dict[str, tuple[str, dict[str, Any], set[tuple[str, str | None, int | None]]]] = {
    "survey of somebody who came in the year of the round": (
        "survey",
        interview(
            nationality="UZ", sex="male", year_known="yes", arrival_year="2022", reason="economic",
            migration_type="seasonal", reason_counted="economic", type_counted="seasonal",
        ),
        {
            ("present", None, 1), ("sex", "male", 1), ("nationality", "UZ", 1), ("arrival_year", "2022", 1),
            ("reason", "economic", 1), ("migration_type", "seasonal", 1),
        },
    ),
    "survey of somebody who came earlier: reason and type count for the year of the round alone": (
        "survey",
        interview(
            nationality="KG", sex="female", year_known="yes", arrival_year="2020", reason="covid",
            migration_type="long_term",
        ),
        {("present", None, 1), ("sex", "female", 1), ("nationality", "KG", 1), ("arrival_year", "2020", 1)},
    ),
    "survey of somebody who does not know or does not say": (
        "survey",
        interview(nationality="dk", sex="female", year_known="dk", reason="dk", migration_type="dk"),
        {("present", None, 1), ("sex", "female", 1), ("nationality", None, None), ("arrival_year", None, None)},
    ),
    "survey with a reason that is not counted, and no word on the stay": (
        "survey",
        interview(
            nationality="other", sex="male", year_known="yes", arrival_year="2022", reason="other",
            migration_type="dk", type_counted="dk",
        ),
        {
            ("present", None, 1), ("sex", "male", 1), ("nationality", "other", 1), ("arrival_year", "2022", 1),
            ("migration_type", None, None),
        },
    ),
    "survey that the person refused": ("survey", HEAD | {"access/consent": "no"}, set()),
    "survey of somebody who is not meant": ("survey", HEAD | {"access/eligible": "no"}, set()),
    "point with groups in both directions, one seen from afar": (
        "flow_monitoring",
        told("slot", hour_from="8", hour_until="12", anybody="yes")
        | told("total", counted="46", present_total="46")
        | rows(
            {
                "direction": "in", "nationality": "UZ", "sex_known": "yes", "men": "3", "women": "2", "people": "5",
                "nationality_people": "5",
            },
            {
                "direction": "out", "nationality": "dk", "sex_known": "dk", "people_seen": "40", "people": "40",
                "nationality_unknown": "dk", "sex_unknown": "dk",
            },
            {
                "direction": "in", "nationality": "UZ", "sex_known": "yes", "men": "0", "women": "1", "people": "1",
                "nationality_people": "1",
            },
        ),
        {
            ("present", None, 46), ("sex", "male", 3), ("sex", "female", 3), ("sex", None, None),
            ("nationality", "UZ", 6), ("nationality", None, None),
        },
    ),
    "point that nobody passed": (
        "flow_monitoring",
        told("slot", anybody="no") | told("total", counted="0", present_total="0"),
        {("present", None, 0)},
    ),
    "point where nobody could tell": (
        "flow_monitoring",
        told("slot", anybody="dk") | told("total", counted="0", present_total="dk"),
        {("present", None, None)},
    ),
    "point that could not be worked": ("flow_monitoring", HEAD | {"access/access_level": "no"}, set()),
    "household of two groups, one of which nobody knew": (
        "registration",
        told("household", household_code="HH-014", size="7", workers="5")
        | told("check", groups_sum="5")
        | rows(
            {
                "nationality": "TJ", "year_known": "yes", "arrival_year": "2021", "men": "2", "women": "1",
                "people": "3", "nationality_people": "3", "year_people": "3",
            },
            {
                "nationality": "dk", "year_known": "dk", "men": "2", "women": "0", "people": "2",
                "nationality_unknown": "dk", "year_unknown": "dk",
            },
        ),
        {
            ("present", None, 5), ("sex", "male", 4), ("sex", "female", 1), ("nationality", "TJ", 3),
            ("nationality", None, None), ("arrival_year", "2021", 3), ("arrival_year", None, None),
        },
    ),
    "household without migrant workers": (
        "registration",
        told("household", household_code="HH-015", size="2", workers="0") | told("check", groups_sum="0"),
        {("present", None, 0)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "answers", "figures"), EXAMPLES.values(), ids=EXAMPLES)
def test_shipped_mapping_reads_the_figures_of_an_example(kind, answers, figures):
    found = read_figures(load_mapping(read_mapping(kind)), answers)

    assert {figure.unit for figure in found} <= {None}
    assert {figure[1:] for figure in found} == figures
    assert len(found) == len(figures)


def test_mission_that_wants_people_by_direction_maps_it_beside_the_rest():
    """Direction is no indicator of the product's own: it would stand in every report of a baseline."""
    rule = {
        "indicator": "direction", "repeat": ["groups"], "category": ["groups/direction"], "value": ["groups/people"],
        "sum": True,
    }  # fmt: skip
    answers = rows(*({"direction": way, "people": people} for way, people in (("in", "5"), ("out", "40"), ("in", "1"))))

    mapping = read_mapping("flow_monitoring")
    found = read_figures(load_mapping(mapping | {"figures": [rule]}), answers)

    assert {figure.category: figure.value for figure in found} == {"in": 6, "out": 40}


@pytest.mark.parametrize(
    ("places", "unit", "text"),
    [
        ({"head/sub_area": "195231000"}, "195231000", None),
        ({"head/sub_area": ""}, "195200000", None),
        ({"head/sub_area": "not_listed", "head/place_text": "Aul"}, None, "Aul"),
        ({"head/sub_area": "", "head/district": "not_listed", "head/place_text": "Aul"}, None, "Aul"),
    ],
)
def test_point_stands_for_its_place_or_for_the_whole_district(places, unit, text):
    head = read_head(load_mapping(read_mapping("flow_monitoring")), HEAD | places)

    assert (head.unit_id, head.place_text) == (unit, text)


@pytest.mark.parametrize("kind", ["survey", "registration"])
def test_forms_about_single_people_ask_for_no_position_and_quote_nobody(kind):
    mapping = read_mapping(kind)

    assert ("gps" in mapping["head"], "people" in mapping) == (False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_mapping_knows_no_indicator_or_category_but_those_of_the_vocabulary(kind):
    vocabulary = json.loads(VOCABULARY.read_text(encoding="utf-8"))["indicators"]
    known = {row["code"]: row["categories"] for row in vocabulary}
    for rule in read_mapping(kind)["figures"]:
        category, allowed = rule.get("category"), rule.get("categories", [])
        codes = {category} if isinstance(category, str) else set(allowed) if isinstance(allowed, list) else set()
        assert codes <= {row["code"] for row in known[rule["indicator"]] if isinstance(row, dict)}


GROUPS = st.lists(
    st.tuples(st.sampled_from(["UZ", "RU", "other", "dk"]), st.booleans(), st.integers(0, 50), st.integers(1, 50)),
    max_size=6,
)


@given(GROUPS)
def test_figures_of_a_point_are_its_groups_added_up(groups):
    """Whatever is known adds up; where a part is not known, that is said beside the sum and not made up."""
    filled = []
    for country, is_seen, men, women in groups:
        filled.append({"nationality": country, "sex_known": "yes" if is_seen else "dk", "people": str(men + women)})
        filled[-1] |= {"men": str(men), "women": str(women)} if is_seen else {"sex_unknown": "dk"}
        filled[-1] |= {"nationality_unknown": "dk"} if country == "dk" else {"nationality_people": str(men + women)}
    total = sum(men + women for _country, _is_seen, men, women in groups)
    answers = told("total", present_total=str(total)) | rows(*filled)

    found = read_figures(load_mapping(read_mapping("flow_monitoring")), answers)

    wanted: dict[tuple[str, str | None], int | None] = {("present", None): total}
    for country, is_seen, men, women in groups:
        sexes = (("male", men), ("female", women)) if is_seen else ((None, None),)
        countries = ((country, men + women) if country != "dk" else (None, None),)
        for indicator, parts in (("sex", sexes), ("nationality", countries)):
            for category, value in parts:
                before = wanted.get((indicator, category)) or 0
                wanted[indicator, category] = None if value is None else before + value
    assert {figure[1:3]: figure.value for figure in found} == wanted
