"""A mapping as fields of a page, and back."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.admin.mapping_rows import Fields, rows_of, rows_posted
from assessments.kobo.forms import KINDS, form_content, read_mapping
from assessments.kobo.mapping import load_mapping
from assessments.kobo.mapping_checks import MappingError
from assessments.kobo.questions import list_questions

RICH = {
    "schema": 1,
    "kind": "survey",
    "largest": 5000,
    "prefill": {"a": "b"},
    "head": {"unit": ["q/place", "old/place", "older/place"], "date": ["q/day"]},
    "dont_know": ["dk", "-1"],
    "not_listed": ["none of these"],
    "figures": [
        {"indicator": "present", "path": ["q/total", "total"], "known": ["q/known", "known"], "times": 2.5},
        {"indicator": "reason", "constant": 1},
        {"indicator": "sex", "category": "male", "path": ["men"], "share_of": ["q/total"], "times": ["size", "old"]},
        {
            "indicator": "nationality",
            "repeat": ["nations", "old_nations"],
            "category": ["nations/code"],
            "categories": ["UZ", "RU"],
            "recode": {"uzb": "UZ", "rus": "RU"},
            "value": ["nations/number", "nations/n"],
            "sum": True,
        },
        {"indicator": "present", "repeat": ["places"], "unit": ["places/code"], "value": ["places/number"]},
        {
            "indicator": "arrival_year",
            "category": ["year"],
            "categories": {"from": 2000, "to": 2022},
            "constant": 1,
        },
    ],
    "people": {"repeat": ["informants"], "code": ["informants/code"]},
}


def posted(rows, questions=()):
    """What a browser would send back of the page."""
    fields = {"rows": str(len(rows.rows)), "dont_know": rows.dont_know, "not_listed": rows.not_listed}
    for row in rows.rows:
        fields |= {f"row-{row.number}-{name}": value for name, value in row.values.items() if value}
    for prefix, places in (("head", rows.heads), ("people", rows.people)):
        for name, (path, also) in places.items():
            fields |= {f"{prefix}-{name}": path, f"{prefix}-{name}-also": also}
    return fields


@pytest.mark.parametrize("mapping", [RICH, *map(read_mapping, KINDS)], ids=["rich", *KINDS])
def test_mapping_comes_back_from_the_page_as_it_was(mapping):
    load_mapping(mapping)
    page = posted(rows_of(mapping))
    page["carried"] = json.dumps({"kind": mapping["kind"], "largest": 5000, "colour": "red"})

    found = rows_posted(page, ()).to_mapping()

    wanted = {name: value for name, value in mapping.items() if name != "prefill"} | {"largest": 5000}
    assert found == wanted


def test_stored_mapping_comes_back_whole():
    assert rows_of(RICH).to_mapping() == RICH


def test_removed_and_blank_rows_are_left_out_and_the_rest_keeps_its_order():
    page = posted(rows_of(RICH)) | {"row-1-remove": "1", "rows": "8"}

    rows = rows_posted(page, ())

    assert [row.values["figure"] for row in rows.kept] == [
        "present", "sex=male", "nationality?", "present", "arrival_year?",
    ]  # fmt: skip
    assert len(rows.rows) == 7


def test_question_of_a_repeat_brings_its_repeat():
    questions = list_questions(form_content("baseline_area"))
    page = {"rows": "1", "row-0-figure": "present", "row-0-path": "villages/village_estimate"}

    assert rows_posted(page, questions).to_mapping()["figures"] == [
        {"indicator": "present", "repeat": ["villages"], "value": ["villages/village_estimate"]}
    ]


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ({"figure": "present"}, "figures[0].path"),
        ({"figure": "present", "path": "a", "factor": "many"}, "figures[0].times"),
        ({"figure": "present", "path": "a", "factor": "2", "times": "b"}, "figures[0].times"),
        ({"figure": "present", "constant": "one"}, "figures[0].constant"),
        ({"figure": "present", "path": "a", "constant": "1"}, "figures[0].path"),
        ({"path": "a"}, "figures[0].indicator"),
        ({"figure": "sex?", "path": "a"}, "figures[0].category"),
        ({"figure": "sex?", "path": "a", "category": "b", "recode": "x"}, "figures[0].recode"),
    ],
)
def test_what_does_not_go_together_is_refused_at_its_field(typed, place):
    page = {"rows": "1"} | {f"row-0-{name}": value for name, value in typed.items()}

    with pytest.raises(MappingError) as caught:
        load_mapping(rows_posted(page, ()).to_mapping())

    assert [problem.path for problem in caught.value.problems] == [place]


texts = st.text(max_size=12)
names = st.sampled_from([f"row-0-{name}" for name in ("figure", "path", "also", "factor", "constant", "recode", "sum")])


@given(st.dictionaries(names | st.sampled_from(["rows", "carried", "head-unit", "dont_know", "categories"]), texts))
def test_whatever_is_posted_is_a_mapping_or_refused(page):
    with suppress(MappingError):
        load_mapping(rows_posted(page | {"rows": "1"}, ()).to_mapping())


@pytest.mark.django_db
def test_fields_offer_the_forms_questions_by_group_and_keep_what_is_not_there_any_more(vocabulary):
    fields = Fields(list_questions(form_content("baseline_area"), "ru"))
    rows = rows_of({"figures": [{"indicator": "sex", "category": "male", "path": ["gone"]}]})

    figure, question = fields.of(rows.rows[0])[:2]

    assert question.options[0] == ("", [("gone", "gone")])
    groups = [group for group, _own in question.options]
    assert len(groups) == len(set(groups)) > 5
    assert ("sex=male", "Sex: men") in dict(figure.options)["Sex"]
    years = dict(figure.options)["Year of arrival"]
    assert [value for value, _words in years] == ["arrival_year", "arrival_year?"]
