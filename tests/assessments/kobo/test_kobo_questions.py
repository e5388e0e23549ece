"""The questions of a form, and how a mapping fits them."""

import pytest

from assessments.kobo.forms import KINDS, form_content, read_mapping
from assessments.kobo.questions import Fit, Question, check_fit, list_questions, missing_questions

CONTENT = {
    "translations": ["English (en)", "Русский (ru)"],
    "survey": [
        {"type": "start", "$xpath": "start"},
        {"type": "begin_group", "$xpath": "head", "label": ["Head", "Начало"]},
        {"type": "text", "$xpath": "head/place", "label": ["Place", None]},
        {"type": "end_group"},
        {"type": "begin_repeat", "$xpath": "villages", "label": ["Villages", "Сёла"]},
        {"type": "integer", "$xpath": "villages/number", "label": ["How  many\npeople", "Сколько людей"]},
        {"type": "begin_repeat", "$xpath": "villages/houses"},
        {"type": "integer", "$xpath": "villages/houses/rooms"},
        {"type": "end_repeat"},
        {"type": "end_repeat"},
        "odd",
    ],
}


def test_questions_are_worded_in_the_language_else_in_one_that_has_words_else_by_name():
    assert list_questions(CONTENT, "ru") == (
        Question("start", "start", "start", ""),
        Question("head", "begin_group", "Начало", ""),
        Question("head/place", "text", "Place", "Начало"),
        Question("villages", "begin_repeat", "Сёла", ""),
        Question("villages/number", "integer", "Сколько людей", "Сёла", ("villages",)),
        Question("villages/houses", "begin_repeat", "houses", "Сёла", ("villages",)),
        Question("villages/houses/rooms", "integer", "rooms", "Сёла › houses", ("villages", "villages/houses")),
    )
    assert list_questions(CONTENT, "kk")[4].label == "How many people"


@pytest.mark.parametrize("content", [{}, {"survey": None}, {"survey": [{"type": "text"}], "translations": None}])
def test_content_of_another_make_has_no_questions(content):
    assert list_questions(content) == ()


def test_fit_names_what_is_missing_misplaced_and_unmapped():
    mapping = {
        "head": {"unit": ["head/district", "head/place"], "date": ["day"]},
        "figures": [
            {"indicator": "present", "path": ["villages/number"]},
            {"indicator": "sex", "category": "male", "path": ["men"], "times": ["size"]},
            {"indicator": "household", "constant": 1},
        ],
    }
    assert check_fit(mapping, CONTENT) == Fit(
        missing=("day", "men", "size"), misplaced=("villages/number",), unmapped=("villages/houses/rooms",)
    )


def test_fit_of_a_repeat_that_is_named_is_good():
    rule = {"indicator": "present", "repeat": ["villages"], "value": ["villages/number"]}
    mapping = {"figures": [rule]}
    assert check_fit(mapping, CONTENT) == Fit((), (), ("head/place", "villages/houses/rooms"))


HOUSES = {"repeat": ["villages/houses"], "value": ["villages/houses/rooms"]}
VILLAGE = {"repeat": ["villages"], "value": ["villages/number"]}


@pytest.mark.parametrize(
    ("mapping", "misplaced"),
    [
        ({"figures": [{**HOUSES, "unit": ["villages/number"]}]}, ()),
        ({"figures": [{**HOUSES, "share_of": ["villages/number"], "times": ["head/place"]}]}, ()),
        ({"figures": [{"repeat": ["villages"], "value": ["villages/houses/rooms"]}]}, ("villages/houses/rooms",)),
        # It would count once for each house.
        ({"figures": [{"repeat": ["villages/houses"], "value": ["villages/number"]}]}, ("villages/number",)),
        ({"figures": [{**VILLAGE, "share_of": ["villages/houses/rooms"]}]}, ("villages/houses/rooms",)),
        ({"figures": [{"path": ["head/place"], "known": ["villages/number"]}]}, ("villages/number",)),
        ({"head": {"unit": ["villages/number"]}}, ("villages/number",)),
        ({"people": {"repeat": ["villages"], "code": ["villages/number"]}}, ()),
        (
            {"people": {"repeat": ["villages/houses"], "code": ["villages/houses/rooms"]}},
            ("villages/houses", "villages/houses/rooms"),
        ),
    ],
)
def test_fit_names_what_cannot_be_reached_from_where_it_is_mapped(mapping, misplaced):
    assert check_fit(mapping, CONTENT).misplaced == misplaced


def test_missing_questions_names_places_that_no_path_leads_to():
    mapping = {
        "head": {"unit": ["head/district"], "date": ["day", "today"]},
        "figures": [
            {"indicator": "present", "path": ["old_total", "total"]},
            {"indicator": "present", "repeat": ["villages"], "unit": ["villages/code"], "value": ["villages/number"]},
        ],
    }
    content = {"survey": [{"$xpath": path} for path in ("today", "total", "villages", "villages/code")]}

    assert missing_questions(mapping, content) == ("head/district", "villages/number")


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_mapping_fits_its_form(kind):
    fit = check_fit(read_mapping(kind), form_content(kind))

    assert (fit.missing, fit.misplaced) == ((), ())
