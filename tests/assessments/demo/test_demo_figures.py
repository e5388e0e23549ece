import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.demo.answers import (
    AREA,
    PLANTED_ERRORS,
    SUB_AREA,
    Place,
    plant_error,
    practice_answers,
    sign_answers,
    write_answers,
)
from assessments.demo.figures import ASSUMED_REGIONS, PHOTO_DAYS, REGION_TOTALS, DemoUnit, build_forms
from assessments.demo.splits import apportion, split_table
from assessments.kobo.codes import make_code
from assessments.kobo.consistency import check_consistency
from assessments.kobo.errors import KoboPayloadError
from assessments.kobo.forms import form_content, read_mapping
from assessments.kobo.mapping import FormFigure, load_mapping, read_figures, read_head, read_people

GAZETTEER = Path(__file__).parents[3] / "locations" / "data" / "kz_admin_units.csv"
LATER = {"711510000", "711610000"}  # Nura and Sarayshyk of Astana, formed after the round had begun


@pytest.fixture(scope="session")
def units():
    """The units of 2022-11-10, as the gazetteer dates them."""
    with GAZETTEER.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["unit_id"] not in LATER]
    valid = [
        row
        for row in rows
        if (row["valid_from"] or "0") <= "2022-11-10" and (not row["valid_to"] or row["valid_to"] >= "2022-11-10")
    ]
    return [DemoUnit(row["unit_id"], int(row["level"]), row["unit_type"], row["parent_id"]) for row in valid]


@pytest.fixture(scope="session")
def forms(units):
    return build_forms(units)


@pytest.fixture(scope="session")
def mappings():
    return {kind: load_mapping(read_mapping(kind)) for kind in (AREA, SUB_AREA)}


def apply_figure_rule(forms):
    """Count by the figure rule of the report, written a second time: villages visited replace the district's guess."""
    visited = {form.unit_id: form for form in forms if form.kind == SUB_AREA}
    named = set()
    counts = Counter()
    for form in forms:
        if form.kind == AREA:
            counts["region", form.region_id] += form.total - sum(guess for _, guess in form.listed)
            for unit, guess in form.listed:
                counts["region", form.region_id] += visited[unit].total if unit in visited else guess
                named.add(unit)
        for figure in form.figures:
            if figure.category is not None:
                counts[figure.indicator, figure.category] += figure.value
    for unit in visited.keys() - named:
        counts["region", visited[unit].region_id] += visited[unit].total
    return counts


def shares(counts, indicator):
    found = {code: count for (name, code), count in counts.items() if name == indicator}
    whole = sum(found.values())
    return whole, {code: (2000 * count + whole) // (2 * whole) / 10 for code, count in found.items()}


def test_build_forms_gives_the_published_total_and_regions(forms):
    counts = apply_figure_rule(forms)
    total, by_region = shares(counts, "region")
    published = {
        "470000000": 31.9, "190000000": 18.8, "750000000": 18.1, "270000000": 0.4, "630000000": 0.5, "590000000": 0.7,
    }  # fmt: skip
    assert (total, {code: by_region[code] for code in published}) == (668_422, published)
    assert {code: counts["region", code] for code in REGION_TOTALS} == dict(REGION_TOTALS)


def test_build_forms_gives_the_published_breakdowns(forms):
    counts = apply_figure_rule(forms)
    assert [shares(counts, name) for name in ("nationality", "sex", "reason", "migration_type")] == [
        (668_422, {"UZ": 81.3, "RU": 7.8, "TJ": 4.4, "KG": 3.0, "other": 3.5}),
        (668_422, {"male": 84.0, "female": 16.0}),
        (268_481, {"economic": 67.2, "sanctions": 12.4, "conflict": 8.8, "mobilization": 6.1, "covid": 5.4}),
        (268_481, {"seasonal": 73.3, "long_term": 20.2, "other": 6.5}),
    ]


def test_build_forms_gives_the_published_growth_by_year(forms):
    counts = apply_figure_rule(forms)
    first, second, third = (counts["arrival_year", year] for year in ("2020", "2021", "2022"))
    assert (first + second + third, third) == (668_422, 268_481)
    assert (round(100 * second / first - 100, 1), round(100 * third / second - 100, 1)) == (16.0, 25.0)


def test_build_forms_covers_each_district_and_every_named_place_once(forms, units):
    areas = [form for form in forms if form.kind == AREA]
    cities = {"710000000", "750000000", "790000000"}
    expected = {unit.unit_id for unit in units if unit.level == 2 and unit.parent in REGION_TOTALS.keys() - cities}
    named = [unit for form in areas for unit, _ in form.listed]
    assert sorted(form.unit_id for form in areas) == sorted(expected | cities)
    assert sorted(named) == sorted(form.unit_id for form in forms if form.kind == SUB_AREA)
    assert (len(expected), {len(form.listed) for form in areas if form.unit_id in expected}) == (126, {1, 2, 3})


def test_build_forms_lists_all_districts_of_the_republican_cities(forms, units):
    found = {form.unit_id: sorted(unit for unit, _ in form.listed) for form in forms if form.unit_id == form.region_id}
    expected = {
        city: sorted(unit.unit_id for unit in units if unit.parent == city)
        for city in ("710000000", "750000000", "790000000")
    }
    assert (found, {city: len(districts) for city, districts in found.items()}) == (
        expected,
        {"710000000": 4, "750000000": 8, "790000000": 5},
    )


def test_build_forms_lets_district_guesses_differ_by_a_fifth_at_most(forms):
    visited = {form.unit_id: form.total for form in forms if form.kind == SUB_AREA}
    guesses = [(guess, visited[unit]) for form in forms for unit, guess in form.listed]
    assert [pair for pair in guesses if 10 * abs(pair[0] - pair[1]) > 2 * pair[1]] == []
    assert sum(guess != count for guess, count in guesses) > 200


def test_build_forms_lies_in_the_fieldwork_window_with_one_form_a_day_and_region(forms):
    days = Counter((form.region_id, form.day) for form in forms)
    assert max(days.values()) == 1
    assert [form.day for form in forms if not date(2022, 11, 14) <= form.day <= date(2023, 3, 3)] == []
    assert [form.day for form in forms if form.day.weekday() > 4] == []


def test_build_forms_holds_a_district_session_before_its_villages_and_photos_on_their_day(forms):
    district_days = {form.unit_id: form.day for form in forms if form.kind == AREA}
    villages = [form for form in forms if form.kind == SUB_AREA]
    assert [form.unit_id for form in villages if form.day <= district_days[form.district_id]] == []
    assert {form.unit_id: form.day for form in villages if form.unit_id in PHOTO_DAYS} == dict(PHOTO_DAYS)


def test_build_forms_regions_differ_in_their_breakdown(forms):
    russians = {
        region: sum(
            figure.value
            for form in forms
            if form.region_id == region
            for figure in form.figures
            if figure.category == "RU"
        )
        / REGION_TOTALS[region]
        for region in ("590000000", "610000000")
    }
    assert russians["590000000"] > 4 * russians["610000000"]


def test_build_forms_names_enough_informants_with_a_woman_and_no_code_twice(forms):
    codes = [person.code for form in forms for person in form.informants]
    assert len(codes) == len(set(codes))
    few = [form for form in forms if len(form.informants) < (4 if form.kind == AREA else 2)]
    assert few == []
    assert [form for form in forms if "female" not in {person.sex for person in form.informants}] == []


def test_answers_give_back_exactly_the_figures_head_and_informants(forms, mappings):
    for form in forms:
        mapping = mappings[form.kind]
        head = read_head(mapping, form.answers)
        assert read_figures(mapping, form.answers) == form.figures
        assert (head.unit_id, head.day, head.round) == (form.unit_id, form.day, "2022-Q4")
        assert read_people(mapping, form.answers) == form.informants
        assert check_consistency(form.figures) == []


def test_answers_are_text_under_questions_and_choices_of_the_form(forms):
    for kind in (AREA, SUB_AREA):
        content = form_content(kind)
        questions = {row["$xpath"]: row for row in content["survey"] if "$xpath" in row}
        choices = {(row["list_name"], row["name"]) for row in content["choices"]}
        answers = [pair for form in forms if form.kind == kind for pair in flatten(form.answers)]
        assert {path for path, _ in answers} - questions.keys() == set()
        assert [pair for pair in answers if type(pair[1]) is not str or not pair[1]] == []
        selected = {
            (questions[path]["select_from_list_name"], name)
            for path, value in answers
            if questions[path]["type"].startswith("select_")
            for name in value.split()
        }
        assert selected - choices == set()


def flatten(answers):
    for path, value in answers.items():
        if isinstance(value, list):
            for row in value:
                yield from row.items()
        else:
            yield path, value


def test_build_forms_does_not_depend_on_the_order_of_the_units(forms, units):
    again = build_forms(list(reversed(units)))
    assert (again, [form.answers for form in again]) == (forms, [form.answers for form in forms])


def test_build_forms_without_a_photographed_place_refuses(units):
    with pytest.raises(ValueError, match="431047000"):
        build_forms([unit for unit in units if unit.unit_id != "431047000"])


def test_assumed_regions_are_five_of_the_fourteen():
    assert (len(REGION_TOTALS), len(ASSUMED_REGIONS), REGION_TOTALS.keys() & PHOTO_DAYS.keys()) == (14, 5, set())
    assert REGION_TOTALS.keys() >= ASSUMED_REGIONS


def practise(kind, **changed):
    sub_area = "431047000" if kind == SUB_AREA else None
    villages = None if kind == SUB_AREA else {"431047000": 400, "431033000": 150}
    arguments = {
        "place": Place("430000000", "431000000", sub_area),
        "day": date(2026, 11, 20),
        "round_code": "2026-Q4",
        "focus_group": make_code(7),
        "enumerator": "E-07",
        "total": 900,
        "villages": villages,
    }
    return practice_answers(kind, **(arguments | changed))


@pytest.mark.parametrize("kind", [AREA, SUB_AREA])
def test_practice_answers_are_consistent_and_of_the_round_year(kind, mappings):
    answers = practise(kind)
    figures = read_figures(mappings[kind], answers)
    years = [figure.category for figure in figures if figure.indicator == "arrival_year"]
    assert (check_consistency(figures), years) == ([], ["2024", "2025", "2026"])
    head = read_head(mappings[kind], answers)
    assert (head.focus_group, head.enumerator) == (make_code(7), "E-07")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("text_in_number", "not_a_number"),
        ("negative_number", "negative"),
        ("village_twice", "listed_twice"),
        ("blank_village", "repeat_without_unit"),
    ],
)
def test_practice_answers_with_a_wrong_answer_cannot_be_read(error, code, mappings):
    with pytest.raises(KoboPayloadError) as caught:
        read_figures(mappings[AREA], practise(AREA, error=error))
    assert [problem.code for problem in caught.value.problems] == [code]


@pytest.mark.parametrize(
    ("error", "code"), [("sex_differs", "parts_exceed_total"), ("nationality_exceeds", "parts_exceed_total")]
)
def test_practice_answers_with_wrong_arithmetic_are_found_by_the_check(error, code, mappings):
    figures = read_figures(mappings[SUB_AREA], practise(SUB_AREA, error=error))
    assert [problem.code for problem in check_consistency(figures)] == [code]


def test_practice_answers_with_a_wrong_head_keep_their_figures(mappings):
    heads = [read_head(mappings[AREA], practise(AREA, error=error)) for error in PLANTED_ERRORS if error in HEADS]
    assert [(head.unit_id, head.focus_group, head.day) for head in heads] == [
        ("999999999", make_code(7), date(2026, 11, 20)),
        ("431000000", "K7-4PQ0", date(2026, 11, 20)),
        ("431000000", make_code(7), date(2027, 1, 15)),
    ]


HEADS = {"unknown_place", "wrong_focus_group", "future_date"}


def test_plant_error_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no such planted error: typo"):
        plant_error({}, "typo")
    with pytest.raises(KeyError):
        plant_error(practise(SUB_AREA), "village_twice")


def test_write_answers_of_what_nobody_knows_is_read_back_as_unknown(mappings):
    figures = (
        FormFigure(None, "present", None, 50),
        FormFigure("431047000", "present", None, None),
        FormFigure(None, "sex", "male", None),
        FormFigure(None, "sex", "female", None),
        FormFigure(None, "arrival_year", None, None),
    )
    place = Place("430000000", "431000000")
    answers = write_answers(
        AREA, place=place, day=date(2026, 11, 20), round_code="2026-Q4", figures=figures, informants=()
    )
    assert read_figures(mappings[AREA], answers) == figures


def test_practice_answers_of_an_empty_place_ask_nothing_more(mappings):
    answers = practise(SUB_AREA, total=0)
    assert [(figure.indicator, figure.value) for figure in read_figures(mappings[SUB_AREA], answers)] == [
        ("present", 0)
    ]
    assert [path for path in answers if path.startswith(("profile/", "living/"))] == []


def test_sign_answers_leaves_the_given_answers_alone():
    answers = {"head/round": "2022-Q4"}
    signed = sign_answers(answers, focus_group="A9-3H6Y", enumerator="E-01")
    assert (answers, len(signed)) == ({"head/round": "2022-Q4"}, 3)


@given(st.integers(0, 10**6), st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_apportion_meets_the_total_with_nothing_below_zero(total, weights):
    counts = apportion(total, weights)
    assert (sum(counts), min(counts) >= 0, len(counts)) == (total, True, len(weights))


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), min_size=2, max_size=25), st.randoms())
def test_split_table_meets_both_margins(cells, random):
    rows = [sum(row) for row in cells] + [2000]
    columns = [sum(column) + extra for column, extra in zip(zip(*cells, strict=True), (1000, 600, 400), strict=True)]
    weights = [[0.5 + random.random() for _ in columns] for _ in rows]
    table = split_table(rows, columns, weights)
    assert [sum(row) for row in table] == rows
    assert [sum(column) for column in zip(*table, strict=True)] == columns
    assert min(min(row) for row in table) >= 0


def test_split_table_of_margins_that_disagree_refuses():
    with pytest.raises(ValueError, match="rows add up to 3, columns to 4"):
        split_table([1, 2], [2, 2], [[1, 1], [1, 1]])
