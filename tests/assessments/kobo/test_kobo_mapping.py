import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.kobo.consistency import check_consistency
from assessments.kobo.errors import KoboPayloadError, Problem
from assessments.kobo.forms import KINDS, read_mapping
from assessments.kobo.mapping import FormFigure, Head, Person, load_mapping, read_figures, read_head, read_people
from assessments.kobo.mapping_checks import MappingError

MAPPING = load_mapping(
    {
        "schema": 1,
        "head": {
            "focus_group": ["head/group", "old/group"],
            "enumerator": ["head/person"],
            "round": ["head/round"],
            "unit": ["head/place"],
            "place_text": ["head/place_text"],
            "date": ["head/day"],
            "gps": ["head/gps"],
        },
        "dont_know": ["dk", "-1"],
        "not_listed": ["elsewhere"],
        "figures": [
            {"indicator": "present", "path": ["people/total", "total"]},
            {
                "indicator": "present",
                "repeat": ["villages"],
                "unit": ["villages/code"],
                "value": ["villages/number"],
                "known": ["villages/known"],
            },
            {"indicator": "sex", "category": "male", "path": ["men"], "known": ["sex_known"]},
            {"indicator": "sex", "category": "female", "path": ["women"], "known": ["sex_known"]},
            {
                "indicator": "nationality",
                "repeat": ["nations"],
                "category": ["nations/code"],
                "recode": {"uzb": "UZ"},
                "categories": ["UZ", "RU"],
                "value": ["nations/number"],
                "known": ["nations_known"],
            },
            {
                "indicator": "arrival_year",
                "repeat": ["years"],
                "category": ["years/year"],
                "categories": {"from": 2000, "to": 2099},
                "value": ["years/number"],
            },
            {"indicator": "reason", "category": "covid", "path": ["covid_percent"], "share_of": ["people/total"]},
        ],
        "people": {"repeat": ["persons"], "code": ["persons/code"], "sex": ["persons/sex"]},
    }
)


def own(indicator, category, value):
    return FormFigure(None, indicator, category, value)


def refused(answers):
    with pytest.raises(KoboPayloadError) as caught:
        read_figures(MAPPING, answers)
    return caught.value.problems


@pytest.mark.parametrize("answer", ["42", "042", " 42 ", "42.0", "42,", "+42", 42, 42.0, "0000000000000000000000042"])
def test_read_figures_of_a_whole_number_in_any_writing_is_the_number(answer):
    assert read_figures(MAPPING, {"people/total": answer}) == (own("present", None, 42),)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("forty", "not_a_number"),
        ("4 2", "not_a_number"),
        ("٤٢", "not_a_number"),
        ("1e3", "not_a_number"),
        ("", None),
        ("\t ", None),
        (None, None),
        ("-5", "negative"),
        ("-0.5", "negative"),
        ("42.5", "not_whole"),
        (42.5, "not_whole"),
        (float("nan"), "not_a_number"),
        ("2147483648", "too_large"),
        ("9" * 5000, "too_large"),
        ({"a": "1"}, "wrong_shape"),
        (["1"], "wrong_shape"),
        (True, "wrong_shape"),
    ],
)
def test_read_figures_of_another_answer_names_the_problem_or_nothing(answer, code):
    answers = {"people/total": answer}
    if code is None:
        assert read_figures(MAPPING, answers) == ()
    else:
        assert refused(answers) == (Problem(code, "people/total", str(answer)[:100]),)


def test_read_figures_of_zero_and_do_not_know_and_not_asked_differ():
    assert read_figures(MAPPING, {"people/total": "0", "men": "dk"}) == (
        own("present", None, 0),
        own("sex", "male", None),
    )


def test_read_figures_after_a_question_was_renamed_keeps_the_series():
    assert read_figures(MAPPING, {"total": "7"}) == read_figures(MAPPING, {"people/total": "7"})


def test_read_figures_of_a_breakdown_nobody_knows_says_so_for_each_category():
    assert read_figures(MAPPING, {"sex_known": "dk", "nations_known": "dk"}) == (
        own("sex", "male", None),
        own("sex", "female", None),
        own("nationality", None, None),
    )


def test_read_figures_of_a_number_beside_do_not_know_is_unknown():
    assert read_figures(MAPPING, {"sex_known": "dk", "men": "5", "women": ""}) == (
        own("sex", "male", None),
        own("sex", "female", None),
    )


def test_read_figures_of_a_number_beside_known_is_the_number():
    assert read_figures(MAPPING, {"sex_known": "yes", "men": "5"}) == (own("sex", "male", 5),)


def test_read_figures_of_villages_keeps_their_units_and_leaves_out_blank_and_unlisted_ones():
    rows = [
        {"villages/code": " 101 ", "villages/number": "5"},
        {},
        {"villages/code": "102", "villages/known": "dk"},
        {"villages/code": "103"},
        {"villages/code": "elsewhere", "villages/number": "8"},
        {"villages/code": "104", "villages/number": "0"},
    ]
    assert read_figures(MAPPING, {"villages": rows}) == (
        FormFigure("101", "present", None, 5),
        FormFigure("102", "present", None, None),
        FormFigure("104", "present", None, 0),
    )


def test_read_figures_of_categories_in_a_repeat_recodes_them():
    answers = {
        "nations": [{"nations/code": "uzb", "nations/number": "3"}, {"nations/code": "RU", "nations/number": "1"}],
        "years": [{"years/year": "2022", "years/number": "4"}],
    }
    assert read_figures(MAPPING, answers) == (
        own("nationality", "UZ", 3),
        own("nationality", "RU", 1),
        own("arrival_year", "2022", 4),
    )


@pytest.mark.parametrize(("share", "count"), [("12.5", 1), ("12,4 %", 1), ("56.25", 5), ("0", 0), ("100", 8)])
def test_read_figures_of_a_share_rounds_half_up(share, count):
    answers = {"people/total": "8", "covid_percent": share}
    assert read_figures(MAPPING, answers) == (own("present", None, 8), own("reason", "covid", count))


def test_read_figures_of_a_share_of_an_unknown_number_is_unknown():
    assert read_figures(MAPPING, {"covid_percent": "10"}) == (own("reason", "covid", None),)


def test_read_figures_with_many_wrong_answers_names_every_one():
    answers = {
        "people/total": "x",
        "men": "-1.5",
        "covid_percent": "101",
        "villages": [
            {"villages/number": "5"},
            "text",
            {"villages/code": "101", "villages/number": "1"},
            {"villages/code": "101", "villages/number": "2"},
            {"villages/code": ["101"], "villages/number": "2"},
        ],
        "nations": [{"nations/code": "XX", "nations/number": "2"}, {"nations/number": "1"}],
        "years": {"years/year": "2022"},
    }
    assert refused(answers) == (
        Problem("not_a_number", "people/total", "x"),
        Problem("repeat_without_unit", "villages/code", ""),
        Problem("wrong_shape", "villages", "text"),
        Problem("listed_twice", "villages/code", "101"),
        Problem("wrong_shape", "villages/code", "['101']"),
        Problem("negative", "men", "-1.5"),
        Problem("unknown_category", "nations/code", "XX"),
        Problem("unknown_category", "nations/code", ""),
        Problem("wrong_shape", "years", "{'years/year': '2022'}"),
        Problem("too_large", "covid_percent", "101"),
    )


def test_read_figures_of_a_form_that_lists_its_own_unit_refuses():
    answers = {"head/place": "7", "total": "9", "villages": [{"villages/code": "7", "villages/number": "9"}]}
    assert refused(answers) == (Problem("listed_twice", "present", "7"),)


def read(rule, answers, **more):
    return read_figures(load_mapping({"schema": 1, "dont_know": ["dk"], "figures": [rule], **more}), answers)


SIZE = {"indicator": "present", "path": ["families"], "times": ["size", "old_size"]}


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        ({"families": "3", "size": "4.5"}, 14),
        ({"families": "3", "old_size": "4,1"}, 12),
        ({"families": "0"}, 0),
        ({"families": "0", "size": "dk"}, 0),
        ({"families": "3"}, None),
        ({"families": "3", "size": "dk"}, None),
        ({"families": "dk", "size": "4"}, None),
    ],
)
def test_read_figures_multiplies_by_an_answer_and_unknown_stays_unknown(answers, value):
    assert read(SIZE, answers) == (own("present", None, value),)


def test_read_figures_multiplied_of_what_was_not_asked_gives_none():
    assert read(SIZE, {"size": "4"}) == ()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({"families": "3", "size": "many"}, Problem("not_a_number", "size", "many")),
        ({"families": "3", "size": "-1"}, Problem("negative", "size", "-1")),
        ({"families": "3", "size": ["1"]}, Problem("wrong_shape", "size", "['1']")),
        ({"families": "x", "size": "1"}, Problem("not_a_number", "families", "x")),
        ({"families": "2", "size": "2000000000"}, Problem("too_large", "families", "4000000000")),
    ],
)
def test_read_figures_multiplied_names_which_answer_is_wrong(answers, problem):
    with pytest.raises(KoboPayloadError) as caught:
        read(SIZE, answers)
    assert caught.value.problems == (problem,)


def test_read_figures_multiplies_by_a_number_also_a_share():
    assert read({"indicator": "present", "path": ["families"], "times": 2.5}, {"families": "3"}) == (
        own("present", None, 8),
    )
    share = {"indicator": "present", "path": ["percent"], "share_of": ["families"], "times": ["size"]}
    assert read(share, {"percent": "50", "families": "3", "size": "5"}) == (own("present", None, 8),)


def test_read_figures_of_a_constant_gives_it_for_every_form():
    assert read({"indicator": "household", "constant": 1}, {}) == (own("household", None, 1),)


SEX = {"indicator": "sex", "category": ["sex"], "recode": {"m": "male"}, "categories": ["male"], "constant": 1}


@pytest.mark.parametrize(
    ("answers", "figures"),
    [
        ({"sex": "m"}, (own("sex", "male", 1),)),
        ({"sex": "dk"}, (own("sex", None, None),)),
        ({"sex": " "}, ()),
        ({}, ()),
    ],
)
def test_read_figures_of_a_constant_goes_to_the_category_that_is_answered(answers, figures):
    assert read(SEX, answers) == figures


MEMBERS = {"indicator": "sex", "repeat": ["members"], "category": ["members/sex"], "constant": 1}


def test_read_figures_counts_the_instances_of_a_repeat_by_category():
    rows = [{"members/sex": "male"}, {"members/sex": "female"}, {}, {"members/sex": "male"}, {"members/age": "7"}]
    assert read(MEMBERS, {"members": rows}) == (own("sex", "male", 2), own("sex", "female", 1))
    assert read({"indicator": "present", "repeat": ["members"], "constant": 1}, {"members": rows}) == (
        own("present", None, 4),
    )
    assert read(MEMBERS, {}) == ()


BUSES = {"indicator": "present", "repeat": ["buses"], "value": ["buses/people"], "known": ["buses/known"], "sum": True}


def test_read_figures_adds_up_a_repeat_and_an_unknown_part_makes_the_sum_unknown():
    assert read(BUSES, {"buses": [{"buses/people": "3"}, {}, {"buses/people": "0"}, {"buses/people": "4"}]}) == (
        own("present", None, 7),
    )
    assert read(BUSES, {"buses": [{"buses/people": "3"}, {"buses/known": "dk"}, {"buses/people": "4"}]}) == (
        own("present", None, None),
    )
    with pytest.raises(KoboPayloadError) as caught:
        read(BUSES, {"buses": [{"buses/people": "2147483647"}, {"buses/people": "1"}]})
    assert caught.value.problems == (Problem("too_large", "buses", "2147483648"),)


def test_read_figures_multiplies_inside_a_repeat_by_its_own_answer_or_the_forms():
    rule = BUSES | {"times": ["buses/trips", "days"]}
    rows = [{"buses/people": "3", "buses/trips": "2"}, {"buses/people": "5"}]
    assert read(rule, {"buses": rows, "days": "10"}) == (own("present", None, 56),)


@given(st.lists(st.none() | st.integers(0, 1000), min_size=1, max_size=6), st.fractions(1, 9, max_denominator=4))
def test_read_figures_adds_up_what_it_reads_one_by_one(numbers, factor):
    rule = BUSES | {"times": float(factor)}
    answers = [{"buses/people": "dk" if number is None else str(number)} for number in numbers]
    one_by_one = [read(rule, {"buses": [answer]})[0].value for answer in answers]
    total = None if None in one_by_one else sum(one_by_one)
    assert read(rule, {"buses": answers}) == (own("present", None, total),)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"constant": -1}, ("wrong_type", "constant")),
        ({"constant": True}, ("wrong_type", "constant")),
        ({"constant": 1, "path": ["x"]}, ("conflict", "path")),
        ({"constant": 1, "times": ["x"]}, ("conflict", "times")),
        ({"constant": 1, "share_of": ["x"]}, ("conflict", "share_of")),
        ({"path": ["x"], "times": 0}, ("wrong_type", "times")),
        ({"path": ["x"], "times": "x"}, ("wrong_type", "times")),
        ({"path": ["x"], "times": float("nan")}, ("wrong_type", "times")),
        ({"path": ["x"], "sum": True}, ("conflict", "sum")),
        ({"repeat": ["r"], "value": ["x"], "sum": 1}, ("wrong_type", "sum")),
    ],
)
def test_load_mapping_refuses_numbers_that_contradict(rule, problem):
    with pytest.raises(MappingError) as caught:
        load_mapping({"schema": 1, "figures": [{"indicator": "present", **rule}]})
    assert [(one.code, one.path) for one in caught.value.problems] == [(problem[0], f"figures[0].{problem[1]}")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["dk", "7", "-1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["villages/code", "villages/number", "villages/known", "nations/code", "years/year"]), inner
        )
    ),
    max_leaves=8,
)
paths = st.sampled_from(
    ["people/total", "total", "men", "women", "sex_known", "villages", "nations", "nations_known", "years", "head/day",
     "head/place", "covid_percent", "persons"]
)  # fmt: skip


@given(st.dictionaries(paths, json_values))
def test_reading_any_answers_gives_figures_or_problems_and_nothing_else(answers):
    assert isinstance(read_head(MAPPING, answers), Head)
    assert all(person != Person() for person in read_people(MAPPING, answers))
    figures, problems = read_or_refuse(answers)
    assert all("\x00" not in problem.value and len(problem.value) <= 100 for problem in problems)
    assert len({figure[:3] for figure in figures}) == len(figures)
    assert all(figure.value is None or 0 <= figure.value <= 2_147_483_647 for figure in figures)


def read_or_refuse(answers):
    try:
        return read_figures(MAPPING, answers), ()
    except KoboPayloadError as error:
        return (), error.problems


@given(st.integers(min_value=0, max_value=2_147_483_647), st.integers(min_value=0, max_value=9), st.booleans())
def test_read_figures_of_any_count_gives_it_back(number, zeros, decimal):
    text = "0" * zeros + str(number) + (".00" if decimal else "")
    assert read_figures(MAPPING, {"total": text}) == (own("present", None, number),)


def test_read_head_cleans_what_was_typed():
    answers = {
        "head/group": "  ",
        "old/group": " k7\x00 4pqx ",
        "head/person": 12,
        "head/round": "2022-Q4",
        "head/place": "431047000",
        "head/day": "2023-01-30",
        "head/gps": "44.77 65.55 0 0",
    }
    assert read_head(MAPPING, answers) == Head(
        focus_group="k7 4pqx",
        enumerator="12",
        round="2022-Q4",
        unit_id="431047000",
        day=dt.date(2023, 1, 30),
        gps="44.77 65.55 0 0",
    )


def test_read_head_of_a_place_that_is_not_listed_has_no_unit_but_its_text():
    answers = {"head/place": "elsewhere", "head/place_text": "Жаңа ауыл", "head/day": "30.01.2023"}
    assert read_head(MAPPING, answers) == Head(place_text="Жаңа ауыл")


def test_read_people_leaves_out_blank_rows_and_odd_shapes():
    rows = [{"persons/code": "KI-01", "persons/sex": "female"}, {}, "text", {"persons/sex": ["x"]}]
    assert read_people(MAPPING, {"persons": rows}) == (Person(code="KI-01", sex="female"),)
    assert read_people(MAPPING, {"persons": "text"}) == ()


# Who passes a point is not asked; a household is asked neither why nor for how long each of its workers came.
LEFT_OUT = {
    "flow_monitoring": {"arrival_year", "reason", "migration_type"},
    "registration": {"reason", "migration_type"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_load_mapping_of_a_shipped_form_covers_the_five_indicators_and_the_total(kind):
    mapping = load_mapping(read_mapping(kind))
    every = {"present", "sex", "nationality", "arrival_year", "reason", "migration_type"}
    assert (mapping.kind, {rule.indicator for rule in mapping.figures}) == (kind, every - LEFT_OUT.get(kind, set()))


def test_load_mapping_with_many_faults_names_every_one():
    data = {
        "schema": 2,
        "colour": "red",
        "head": {"unit": "head/place", "shoe": ["x"]},
        "dont_know": "dk",
        "people": {"code": ["a"]},
        "figures": [
            {"indicator": "present", "path": ["total"]},
            {"indicator": "present", "path": ["sum"]},
            {"path": ["x"], "value": ["y"]},
            {"indicator": "sex", "repeat": ["r"], "category": 7, "categories": ["a"]},
            "text",
        ],
    }
    with pytest.raises(MappingError) as caught:
        load_mapping(data)
    assert [(problem.code, problem.path) for problem in caught.value.problems] == [
        ("unknown_key", "colour"),
        ("wrong_schema", "schema"),
        ("wrong_type", "dont_know"),
        ("unknown_key", "head.shoe"),
        ("wrong_type", "head.unit"),
        ("missing", "people.repeat"),
        ("duplicate", "figures[1]"),
        ("missing", "figures[2].indicator"),
        ("conflict", "figures[2].value"),
        ("missing", "figures[3].value"),
        ("wrong_type", "figures[3].category"),
        ("conflict", "figures[3].categories"),
        ("wrong_type", "figures[4]"),
    ]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    ["schema", "figures", "head", "people", "indicator", "path", "repeat", "category", "recode"]
                ),
                x,
            )
        ),
    )
)
def test_load_mapping_of_any_data_refuses_without_breaking(data):
    with pytest.raises(MappingError):
        load_mapping(data)


def test_check_consistency_of_a_district_form_compares_with_the_people_not_listed():
    figures = [
        own("present", None, 100),
        FormFigure("101", "present", None, 60),
        own("sex", "male", 30),
        own("sex", "female", 12),
        own("nationality", "UZ", 39),
        own("arrival_year", "2021", 10),
        own("arrival_year", "2022", 30),
        own("reason", "economic", 30),
        own("migration_type", "seasonal", 31),
    ]
    assert check_consistency(figures) == [
        Problem("parts_exceed_total", "sex", "42 / 40"),
        Problem("parts_differ_from_total", "nationality", "39 / 40"),
        Problem("parts_exceed_total", "migration_type", "31 / 30"),
    ]


def test_check_consistency_of_villages_that_exceed_the_total_says_so():
    figures = [own("present", None, 10), FormFigure("101", "present", None, 12)]
    assert check_consistency(figures) == [Problem("parts_exceed_total", "present", "12 / 10")]


def test_check_consistency_with_unknown_parts_or_base_is_silent():
    unknown_part = [own("present", None, 10), own("sex", "male", 4), own("sex", "female", None)]
    unknown_base = [own("present", None, None), own("sex", "male", 4), own("reason", "covid", 3)]
    assert (check_consistency(unknown_part), check_consistency(unknown_base)) == ([], [])


def test_check_consistency_takes_the_reference_year_of_the_round():
    figures = [own("arrival_year", "2022", 5), own("arrival_year", "2023", 9), own("reason", "covid", 5)]
    assert check_consistency(figures, reference_year="2022") == []
    assert check_consistency(figures) == [Problem("parts_differ_from_total", "reason", "5 / 9")]


# --- a repeat inside a repeat

NESTED = load_mapping(
    {
        "schema": 1,
        "head": {"unit": ["place"]},
        "dont_know": ["dk"],
        "not_listed": ["elsewhere"],
        "figures": [
            {"indicator": "present", "path": ["total"]},
            {
                "indicator": "nationality",
                "repeat": ["g/villages/nations"],
                "unit": ["g/villages/code"],
                "category": ["g/villages/nations/code"],
                "value": ["g/villages/nations/number"],
            },
            {"indicator": "household", "repeat": ["g/villages/nations"], "unit": ["g/villages/code"], "constant": 1},
            {
                "indicator": "sex",
                "category": "male",
                "repeat": ["g/villages/nations"],
                "value": ["g/villages/nations/men_percent"],
                "share_of": ["g/villages/nations/number"],
                "sum": True,
            },
        ],
    }
)


def village(code, *nations):
    def row(nation):
        return {f"g/villages/nations/{name}": value for name, value in nation.items()}

    return {"g/villages/code": code, "g/villages/nations": [row(nation) for nation in nations]}


def nested(*villages, **answers):
    return read_figures(NESTED, {"place": "KZ", "total": "90", "g/villages": list(villages), **answers})


def test_read_figures_of_a_repeat_inside_a_repeat_takes_the_place_from_around():
    figures = nested(
        village("A", {"code": "UZ", "number": "40", "men_percent": "50"}, {"code": "RU", "number": "2"}),
        village("B", {"code": "UZ", "number": "8", "men_percent": "25"}),
        village("C"),
        {"g/villages/code": "D"},
    )

    assert figures == (
        FormFigure(None, "present", None, 90),
        FormFigure("A", "nationality", "UZ", 40),
        FormFigure("A", "nationality", "RU", 2),
        FormFigure("B", "nationality", "UZ", 8),
        FormFigure("A", "household", None, 2),
        FormFigure("B", "household", None, 1),
        FormFigure(None, "sex", "male", 22),
    )


def test_read_figures_of_a_repeat_inside_a_repeat_knows_blank_unknown_and_not_listed():
    figures = nested(
        village("A", {}, {"code": "", "number": " "}, {"code": "UZ", "number": "dk"}),
        village("elsewhere", {"code": "RU", "number": "7"}),
        total="",
    )

    assert figures == (FormFigure("A", "nationality", "UZ", None), FormFigure("A", "household", None, 1))


def test_read_figures_of_a_repeat_inside_a_repeat_that_nobody_answered_gives_none():
    assert nested(total="") == ()
    assert nested({"g/villages/code": "A", "g/villages/nations": " "}, total="") == ()
    assert read_figures(NESTED, {}) == ()


@pytest.mark.parametrize(
    ("villages", "code"),
    [
        ([village("A", {"code": "UZ", "number": "1"}, {"code": "UZ", "number": "2"})], "listed_twice"),
        ([village("", {"code": "UZ", "number": "1"})], "repeat_without_unit"),
        ([village("A", {"code": "UZ", "number": "many"})], "not_a_number"),
        (["odd"], "wrong_shape"),
        ([{"g/villages/code": "A", "g/villages/nations": "odd"}], "wrong_shape"),
        ([{"g/villages/code": "A", "g/villages/nations": ["odd"]}], "wrong_shape"),
    ],
)
def test_read_figures_of_a_repeat_inside_a_repeat_names_what_is_wrong(villages, code):
    with pytest.raises(KoboPayloadError) as raised:
        nested(*villages)
    assert code in {problem.code for problem in raised.value.problems}


@given(st.lists(st.lists(st.integers(0, 10**6), max_size=4), max_size=4))
def test_read_figures_of_nested_repeats_loses_nobody(numbers):
    answers = {
        "a": [{"a/b": [{"a/b/c": [{"a/b/c/n": str(number)} for number in inner]}]} for inner in numbers],
    }
    rule = {"indicator": "present", "repeat": ["a/b/c"], "value": ["a/b/c/n"], "sum": True}
    figures = read_figures(load_mapping({"schema": 1, "figures": [rule]}), answers)
    assert sum(figure.value for figure in figures) == sum(sum(inner) for inner in numbers)


def test_read_figures_of_a_share_in_a_repeat_takes_the_rows_own_number_else_the_forms():
    rule = {"indicator": "sex", "category": "male", "repeat": ["v"], "unit": ["v/code"], "value": ["v/percent"],
            "share_of": ["v/number", "total"]}  # fmt: skip
    mapping = load_mapping({"schema": 1, "figures": [rule]})
    rows = [{"v/code": "A", "v/percent": "50", "v/number": "10"}, {"v/code": "B", "v/percent": "50"}]

    assert read_figures(mapping, {"v": rows, "total": "80"}) == (
        FormFigure("A", "sex", "male", 5),
        FormFigure("B", "sex", "male", 40),
    )
