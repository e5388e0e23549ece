"""What differs between two versions of a form, and what rests on it."""

import base64
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.kobo.form_diff import compare_forms, find_touched, mapping_places
from assessments.kobo.forms import KINDS, form_content, read_mapping
from assessments.kobo.practice.xlsforms import read_xlsform

BASE: dict[str, Any] = {
    "translations": ["English (en)", "Русский (ru)"],
    "survey": [
        {"type": "start", "name": "start", "$kuid": "k0"},
        {"type": "begin_group", "name": "head", "$kuid": "k1", "$xpath": "head"},
        {
            "type": "select_one",
            "select_from_list_name": "place",
            "name": "place",
            "$kuid": "k2",
            "$xpath": "head/place",
            "label": ["Place", "Место"],
        },
        {"type": "text", "name": "code", "$kuid": "k3", "$xpath": "head/code", "label": ["Code", "Код"]},
        {"type": "end_group", "$kuid": "k4"},
        {
            "type": "integer",
            "name": "men",
            "$kuid": "k5",
            "$xpath": "men",
            "required": True,
            "label": ["Men", "Мужчины"],
            "relevant": "${code} != ''",
            "constraint": ". >= 0",
        },
        {"type": "integer", "name": "women", "$kuid": "k6", "$xpath": "women", "label": ["Women", "Женщины"]},
        {"type": "calculate", "name": "total", "$kuid": "k7", "$xpath": "total", "calculation": "${men} + ${women}"},
        {"type": "begin_repeat", "name": "nations", "$kuid": "k8", "$xpath": "nations", "label": ["Nation", "Страна"]},
        {
            "type": "select_one",
            "select_from_list_name": "nation",
            "name": "nation",
            "$kuid": "k9",
            "$xpath": "nations/nation",
            "label": ["Which?", "Какая?"],
        },
        {"type": "integer", "name": "number", "$kuid": "k10", "$xpath": "nations/number", "label": ["How many", "?"]},
        {"type": "end_repeat", "$kuid": "k11"},
        {"type": "text", "name": "remark", "$kuid": "k12", "$xpath": "remark", "label": ["Remark", "Заметка"]},
    ],
    "choices": [
        {"list_name": "place", "name": "P1", "label": ["Karasu", "Карасу"], "region": "R1"},
        {"list_name": "place", "name": "P2", "label": ["Kegen", "Кеген"], "region": "R1"},
        {"list_name": "nation", "name": "UZ", "label": ["Uzbekistan", "Узбекистан"]},
        {"list_name": "nation", "name": "RU", "label": ["Russia", "Россия"]},
        {"list_name": "unused", "name": "x", "label": ["X", "Х"]},
    ],
}
MAPPING = {
    "schema": 1,
    "head": {"unit": ["head/place"], "focus_group": ["head/code"], "place_text": ["remark"]},
    "figures": [
        {"indicator": "present", "path": ["total"]},
        {"indicator": "sex", "category": "male", "path": ["men", "old/men"]},
        {
            "indicator": "nationality",
            "repeat": ["nations"],
            "category": ["nations/nation"],
            "value": ["nations/number"],
        },
    ],
}
ALL = ("mapping", "checks", "reports")


def row(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in content["survey"] if one.get("name") == name)


def choice(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in content["choices"] if one["name"] == name)


def rename(content: dict[str, Any], old: str, new: str) -> None:
    found = row(content, old)
    found.update({"name": new, "$xpath": found["$xpath"].replace(old, new)})


def renumber(content: dict[str, Any]) -> dict[str, Any]:
    """As after an import: every row has another kuid."""
    for place, one in enumerate([*content["survey"], *content["choices"]]):
        one["$kuid"] = f"new{place}"
    return content


def drop(content: dict[str, Any], name: str) -> None:
    content["survey"].remove(row(content, name))


def move_to_group(content: dict[str, Any]) -> None:
    remark = row(content, "remark")
    content["survey"].remove(remark)
    content["survey"].insert(4, remark | {"$xpath": "head/remark"})


# what is done, the changes (kind, path, old, new), then of each: places, areas, whether it breaks
CASES: dict[str, tuple[Any, list[tuple[Any, ...]]]] = {
    "nothing": (lambda form: None, []),
    "question added": (
        lambda form: form["survey"].append({"type": "text", "name": "more", "label": ["More", "Ещё"]}),
        [("question_added", "more", "", "text", (), (), False)],
    ),
    "figure removed": (
        lambda form: drop(form, "total"),
        [("question_removed", "total", "calculate", "", ("present",), ALL, True)],
    ),
    "unused question removed": (
        lambda form: drop(form, "women"),
        [("question_removed", "women", "integer", "", (), (), False)],
    ),
    "question renamed": (
        lambda form: rename(form, "code", "meeting_code"),
        [
            (
                "question_renamed", "head/code", "head/code", "head/meeting_code", ("head.focus_group",),
                ("mapping", "checks"), True,
            ),
        ],
    ),
    "calculation renamed": (
        lambda form: rename(form, "total", "all"),
        [("question_renamed", "total", "total", "all", ("present",), ALL, True)],
    ),
    "text that no check reads renamed": (
        lambda form: rename(form, "remark", "note"),
        [("question_renamed", "remark", "remark", "note", ("head.place_text",), ("mapping",), True)],
    ),
    "moved to a group": (
        move_to_group,
        [("question_removed", "remark", "text", "", ("head.place_text",), ("mapping",), True),
         ("question_added", "head/remark", "", "text", (), (), False)],
    ),
    "type changed": (
        lambda form: row(form, "men").update(type="decimal"),
        [("type_changed", "men", "integer", "decimal", ("sex=male",), ALL, True)],
    ),
    "another list": (
        lambda form: row(form, "place").update(select_from_list_name="nation"),
        [("type_changed", "head/place", "select_one place", "select_one nation", ("head.unit",), ALL, True)],
    ),
    "relevance": (
        lambda form: row(form, "men").update(relevant="${code} = 'A'"),
        [("relevance_changed", "men", "${code} != ''", "${code} = 'A'", ("sex=male",), ALL, False)],
    ),
    "constraint": (
        lambda form: row(form, "men").update(constraint=". > 0"),
        [("constraint_changed", "men", ". >= 0", ". > 0", ("sex=male",), ALL, False)],
    ),
    "calculation": (
        lambda form: row(form, "total").update(calculation="${men} * 2"),
        [("calculation_changed", "total", "${men} + ${women}", "${men} * 2", ("present",), ALL, False)],
    ),
    "not required": (
        lambda form: row(form, "men").pop("required"),
        [("required_changed", "men", "yes", "no", ("sex=male",), ALL, False)],
    ),
    "wording": (
        lambda form: row(form, "women").update(label=["Women", "Женщин"]),
        [("text_changed", "women", "Женщины", "Женщин", (), (), False)],
    ),
    "choice added": (
        lambda form: form["choices"].append({"list_name": "place", "name": "P3", "label": ["Kolsai", "Колсай"]}),
        [("choice_added", "place: P3", "", "P3", ("head.unit",), ALL, False)],
    ),
    "choice removed": (
        lambda form: form["choices"].remove(choice(form, "P2")),
        [("choice_removed", "place: P2", "P2", "", ("head.unit",), ALL, True)],
    ),
    "choice renamed": (
        lambda form: choice(form, "UZ").update(name="UZB"),
        [("choice_renamed", "nation: UZ", "UZ", "UZB", ("nationality in nations (category)",), ALL, True)],
    ),
    "choice means something else": (
        lambda form: choice(form, "UZ").update(label=["Kyrgyzstan", "Кыргызстан"]),
        [
            (
                "choice_changed", "nation: UZ", "Uzbekistan", "Kyrgyzstan", ("nationality in nations (category)",),
                ALL, True,
            ),
        ],
    ),
    "one translation of a choice mended": (
        lambda form: choice(form, "RU").update(label=["Russia", "РФ"]),
        [
            (
                "choice_text_changed", "nation: RU", "Россия", "РФ", ("nationality in nations (category)",), ALL,
                False,
            ),
        ],
    ),
    "choice filter": (
        lambda form: choice(form, "P1").update(region="R2"),
        [
            (
                "choice_filter_changed", "place: P1", "{'region': 'R1'}", "{'region': 'R2'}", ("head.unit",), ALL,
                False,
            ),
        ],
    ),
    "choice that nobody is asked": (lambda form: form["choices"].remove(choice(form, "x")), []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("imported", [False, True])
def test_change_is_named_with_what_rests_on_it(name: str, imported: bool) -> None:
    edit, expected = CASES[name]
    new = copy.deepcopy(BASE)
    edit(new)
    if imported:
        renumber(new)
    elif name == "moved to a group":  # the kuid still says that it is the same question
        expected = [("question_renamed", "remark", "remark", "head/remark", ("head.place_text",), ("mapping",), True)]

    touches = find_touched(compare_forms(BASE, new), new, MAPPING)

    found = [
        (one.change.kind, one.change.path, one.change.old, one.change.new, one.places, one.areas, one.is_breaking)
        for one in touches
    ]
    assert [one for one in found if one[0] != "order_changed"] == expected


def test_renamed_question_that_the_mapping_knows_breaks_nothing() -> None:
    new = copy.deepcopy(BASE)
    row(new, "men").update({"name": "men", "$xpath": "old/men"})

    touches = find_touched(compare_forms(BASE, new), new, MAPPING)

    assert [(one.change.kind, one.places, one.is_breaking) for one in touches] == [
        ("question_renamed", ("sex=male",), False)
    ]


def test_renamed_group_takes_all_of_its_questions_along() -> None:
    new = renumber(copy.deepcopy(BASE))
    rename(new, "nations", "countries")
    for name in ("nation", "number"):
        row(new, name)["$xpath"] = f"countries/{name}"

    touches = find_touched(compare_forms(BASE, new), new, MAPPING)

    assert [(one.change.old, one.change.new, one.is_breaking) for one in touches] == [
        ("nations", "countries", True),
        ("nations/nation", "countries/nation", True),
        ("nations/number", "countries/number", True),
    ]


def test_question_moved_down_is_another_order_and_breaks_nothing() -> None:
    new = copy.deepcopy(BASE)
    men = row(new, "men")
    new["survey"].remove(men)
    new["survey"].insert(6, men)

    touches = find_touched(compare_forms(BASE, new), new, MAPPING)

    assert [(one.change.kind, one.is_breaking) for one in touches] == [("order_changed", False)]


def test_expressions_kept_as_tokens_are_the_same_as_text() -> None:
    new = copy.deepcopy(BASE)
    row(new, "men")["relevant"] = ["${code}", "!=", "''"]

    assert compare_forms(BASE, new) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_places_of_a_mapping_have_all_of_its_paths(kind: str) -> None:
    mapping: Any = read_mapping(kind)
    text = json.dumps({key: mapping.get(key) for key in ("head", "figures", "people")})
    paths = set(re.findall(r'"([a-z_]+/[a-z_/]+)"', text))

    assert paths - {path for paths in mapping_places(mapping).values() for path in paths} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_question_of_the_mapping_breaks_when_it_goes(kind: str) -> None:
    mapping: Any = read_mapping(kind)
    old = form_content(kind)
    alone = {paths for name, paths in mapping_places(mapping).items() if len(paths) == 1 and "prefill" not in name}
    for (path,) in sorted(alone):
        new = {**old, "survey": [one for one in old["survey"] if one.get("$xpath") != path]}
        touches = find_touched(compare_forms(old, new), new, mapping)
        assert [path for one in touches if one.is_breaking and one.change.path == path] == [path]


@settings(max_examples=100)
@given(st.data())
def test_comparing_with_itself_finds_nothing_and_there_and_back_is_symmetric(data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(BASE["survey"]))), unique=True).map(sorted))
    leaves = [one for one in (BASE["survey"][place] for place in kept) if not one["type"].startswith(("begin", "end"))]
    part = {**BASE, "survey": leaves}
    there, back = compare_forms(BASE, part), compare_forms(part, BASE)

    assert compare_forms(part, renumber(copy.deepcopy(part))) == ()
    gone = {one.path for one in there if one.kind == "question_removed"}
    assert gone == {one.path for one in back if one.kind == "question_added"}


# --- what a real Kobo made of the forms that it was sent


def _read(recordings: Path, label: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((recordings / f"{label}.json").read_text(encoding="utf-8"))
    return found


def _sent(recordings: Path, label: str) -> dict[str, Any]:
    parts = _read(recordings, label)["request"]["multipart"]
    return read_xlsform(base64.b64decode(next(part for part in parts if part["name"] == "file")["base64"]))[1]


def _kept(recordings: Path, label: str) -> dict[str, Any]:
    content: dict[str, Any] = _read(recordings, label)["response"]["body_json"]["content"]
    return content


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("02_form_import_deploy/001_import_xlsform_multipart", "02_form_import_deploy/014_asset_version_detail"),
        ("10_new_version/001_import_into_asset", "10_new_version/009_version_2_content"),
    ],
)
def test_recorded_content_is_what_was_sent(recordings: Path, sent: str, kept: str) -> None:
    assert compare_forms(_sent(recordings, sent), _kept(recordings, kept)) == ()


def test_recorded_second_version_is_told_apart_though_every_kuid_is_new(recordings: Path) -> None:
    old = _kept(recordings, "10_new_version/008_version_1_content")
    new = _kept(recordings, "10_new_version/009_version_2_content")
    kuids = [{one["$kuid"] for one in form["survey"]} for form in (old, new)]

    assert kuids[0] & kuids[1] == set()
    assert [(one.kind, one.path, one.new) for one in compare_forms(old, new)] == [
        ("question_renamed", "profile/idps_women", "profile/idps_female"),
        ("question_added", "profile/idps_children", "integer"),
        ("question_added", "settlement_pcode", "select_one_from_file"),
        ("choice_added", "needs: cash", "cash"),
    ]
