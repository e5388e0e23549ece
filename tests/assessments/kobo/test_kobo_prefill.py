from urllib.parse import parse_qs, urlsplit

import pytest

from assessments.kobo.forms import KINDS, read_form, read_mapping
from assessments.kobo.mapping import load_mapping
from assessments.kobo.mapping_checks import MappingError
from assessments.kobo.prefill import prefilled_address, prefilled_answers

MAPPING = {
    "head": {"focus_group": ["new/code", "old/code"], "unit": ["place"]},
    "prefill": {"has_code": "yes", "region": "@region", "district": "@parent"},
}


def test_prefill_fills_the_newest_path_and_the_places_above() -> None:
    answers = prefilled_answers(
        MAPPING,
        head={"focus_group": "K7-4PQX", "unit": "195233000", "enumerator": "E01"},
        places={"region": "190000000", "parent": "195200000"},
    )

    assert answers == {
        "has_code": "yes",
        "region": "190000000",
        "district": "195200000",
        "new/code": "K7-4PQX",
        "place": "195233000",
    }


@pytest.mark.parametrize("mapping", [{}, {"head": {}}, {"head": {"unit": []}}, {"prefill": {"region": "@region"}}])
def test_prefill_leaves_out_what_is_not_known(mapping: dict[str, object]) -> None:
    assert prefilled_answers(mapping, head={"unit": "195233000"}, places={"region": ""}) == {}


def test_prefilled_address_carries_any_text() -> None:
    address = prefilled_address("https://ee.example/x/abc?y=1", {"a/b": "Ә & co"}, lang="kk", **{"as": ""})

    assert parse_qs(urlsplit(address).query) == {"y": ["1"], "d[a/b]": ["Ә & co"], "lang": ["kk"]}


@pytest.mark.parametrize("kind", KINDS)
def test_prefill_of_a_shipped_form_names_questions_that_it_asks(kind: str) -> None:
    mapping = read_mapping(kind)
    assert isinstance(mapping, dict)
    asked = {row["name"] for row in read_form(kind).survey}

    assert {path.rpartition("/")[2] for path in mapping["prefill"]} - asked == set()


def test_mapping_with_a_prefill_that_is_no_text_is_refused() -> None:
    figures = [{"indicator": "present", "path": ["total"]}]

    with pytest.raises(MappingError) as refused:
        load_mapping({"schema": 1, "figures": figures, "prefill": {"a": 1}})

    assert [(problem.code, problem.path) for problem in refused.value.problems] == [("wrong_type", "prefill")]
