import json
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.kobo.errors import KoboPayloadError, Problem
from assessments.kobo.payloads import Attachment, SubmissionPayload, clean_text, parse_submission, raw_text

FIXTURES = Path(__file__).parent / "payloads"


@pytest.fixture
def row() -> dict[str, Any]:
    """An edited, approved submission with two photos, one of them deleted."""
    return json.loads((FIXTURES / "edited_with_photos.json").read_text(encoding="utf-8"))


def test_parse_full_row_reads_head_and_answers(row: dict[str, Any]) -> None:
    payload = parse_submission(row)

    assert payload == SubmissionPayload(
        kobo_id=70412345,
        uuid="9b1d2c3e-0000-4000-8000-000000000002",
        root_uuid="9b1d2c3e-0000-4000-8000-000000000001",
        deprecated_uuid="9b1d2c3e-0000-4000-8000-000000000001",
        submitted_at=datetime(2022, 11, 20, 7, 3, 10, tzinfo=UTC),
        submitted_by="enum07",
        version_uid="vQ3steppe",
        instance_name="Қарасу ауылы",
        started_at=datetime(2022, 11, 20, 3, 12, 44, 120000, tzinfo=UTC),
        ended_at=None,
        day=date(2022, 11, 20),
        username="enum07",
        device_id="collect:AbCdEf",
        validation_uid="validation_status_approved",
        validation_by="r",
        validation_at=datetime(2022, 11, 20, 8, tzinfo=UTC),
        attachments=(
            Attachment("att1", "1.jpg", "image/jpeg", "villages[1]/photo", "https://kf.example.org/att1/", False),
            Attachment("", "2.jpg", "image/jpeg", "", "", True),
        ),
        answers={
            "start": "2022-11-20T09:12:44.120+06:00",
            "end": "yesterday",
            "today": "2022-11-20",
            "username": "enum07",
            "deviceid": "collect:AbCdEf",
            "place/district": "KZ-ALA-01",
            "villages": [{"villages/name": "Қарасу", "villages/estimate": "042"}],
            "meta/instanceName": "Қарасу ауылы",
        },
        fingerprint=payload.fingerprint,
    )


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"_uuid": "other", "meta/instanceID": "uuid:other", "meta/deprecatedID": "uuid:older"}, True),
        ({"_validation_status": {}, "_status": "x", "_geolocation": [1, 2], "formhub/uuid": "x"}, True),
        ({"__version__": "vOther", "_attachments_count": 7}, True),
        ({"place/district": "KZ-ALA-02"}, False),
        ({"villages": []}, False),
        ({"_attachments": []}, True),
    ],
)
def test_fingerprint_moves_only_with_answers(row: dict[str, Any], changes: dict[str, Any], same: bool) -> None:
    assert (parse_submission(row).fingerprint == parse_submission(row | changes).fingerprint) is same


def test_fingerprint_other_host_and_key_order_is_the_same(row: dict[str, Any]) -> None:
    moved = dict(reversed(row.items()))
    moved["_attachments"] = [
        {"filename": "other_owner/attachments/x/1.jpg", "download_url": "https://eu.example.org/1"},
        row["_attachments"][1] | {"is_deleted": True, "media_file_basename": "renamed.jpg"},
    ]

    assert parse_submission(moved).fingerprint == parse_submission(row).fingerprint


def test_parse_least_row_falls_back() -> None:
    payload = parse_submission({"_id": 1, "meta/instanceID": "uuid:abc"})

    assert (payload.uuid, payload.root_uuid, payload.deprecated_uuid) == ("abc", "abc", "")
    assert (payload.submitted_at, payload.submitted_by, payload.started_at, payload.day) == (None, None, None, None)
    assert (payload.version_uid, payload.validation_uid, payload.attachments, payload.answers) == ("", None, (), {})


@pytest.mark.parametrize(
    ("status", "expected"),
    [({}, ""), (None, ""), ({"uid": "validation_status_on_hold"}, "validation_status_on_hold"), ([], None)],
)
def test_validation_status_of_each_shape(status: object, expected: str | None) -> None:
    assert parse_submission({"_id": 1, "_uuid": "a", "_validation_status": status}).validation_uid == expected


def test_parse_odd_head_values_become_nothing() -> None:
    odd = {
        "_submission_time": 5,
        "_submitted_by": ["x"],
        "start": "2022-11-20T09:12",
        "end": "0001-01-01T00:00:00+05:00",
    }
    payload = parse_submission({"_id": 1, "_uuid": "a", "today": "20 Nov", "username": [{}], "_attachments": "x"} | odd)

    assert (payload.submitted_at, payload.submitted_by, payload.started_at, payload.ended_at) == (
        None,
        None,
        None,
        None,
    )
    assert (payload.day, payload.username, payload.attachments) == (None, "", ())


def test_parse_dirty_head_text_is_cleaned_and_cut() -> None:
    payload = parse_submission({"_id": 1, "_uuid": "a\x00b", "username": "\ud800\x00" + "я" * 300, "q": "\x00"})

    assert (payload.uuid, payload.username) == ("ab", "\ufffd" + "я" * 254)
    assert payload.answers == {"username": "\ud800\x00" + "я" * 300, "q": "\x00"}


@pytest.mark.parametrize("key", ["_version_", "__version__001", "_version__002"])
def test_version_under_an_old_name_is_found(key: str) -> None:
    assert parse_submission({"_id": 1, "_uuid": "a", key: "vOld"}).version_uid == "vOld"


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        (["x"], (Problem("not_an_object", "", "['x']"),)),
        (None, (Problem("not_an_object", "", "None"),)),
        ({}, (Problem("missing", "_id", ""), Problem("missing", "_uuid", "None"))),
        ({"_id": "7", "_uuid": "a"}, (Problem("wrong_type", "_id", "'7'"),)),
        ({"_id": True, "_uuid": "a"}, (Problem("wrong_type", "_id", "True"),)),
        ({"_id": 2**63, "_uuid": "a"}, (Problem("out_of_range", "_id", "9223372036854775808"),)),
        ({"_id": 0, "_uuid": "a"}, (Problem("out_of_range", "_id", "0"),)),
        ({"_id": 1, "_uuid": "\x00"}, (Problem("missing", "_uuid", "'\\x00'"),)),
        ({"_id": 1, "_uuid": "a" * 250}, (Problem("too_long", "_uuid", "'" + "a" * 199),)),
    ],
)
def test_parse_unusable_row_names_its_problems(raw: object, problems: tuple[Problem, ...]) -> None:
    with pytest.raises(KoboPayloadError) as caught:
        parse_submission(raw)

    assert caught.value.problems == problems


def test_parse_largest_id_is_kept() -> None:
    assert parse_submission({"_id": 2**63 - 1, "_uuid": "a"}).kobo_id == 2**63 - 1


def test_parse_endless_nesting_is_one_bad_row() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(KoboPayloadError) as caught:
        parse_submission({"_id": 1, "_uuid": "a", "q": deep})

    assert [problem.code for problem in caught.value.problems] == ["too_deep"]


_TEXT = st.text(st.characters(codec=None), max_size=20).map(lambda text: json.loads(json.dumps(text)))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(_JSON)
def test_raw_text_any_json_survives_a_text_column(value: object) -> None:
    text = raw_text(value)

    assert json.loads(text) == value
    assert b"\x00" not in text.encode()


@given(_JSON)
def test_parse_any_json_gives_a_payload_or_a_payload_error(value: object) -> None:
    row = {"_id": 1, "_uuid": "a", "_attachments": value, "start": value, "_validation_status": value, "q": value}

    assert parse_submission(row).kobo_id == 1


def test_raw_text_with_nul_and_lone_surrogate_is_escaped() -> None:
    assert raw_text({"q": "ә\x00"}) == '{"q":"ә\\u0000"}'
    assert raw_text({"q": "ә\ud800"}) == '{"q":"\\u04d9\\ud800"}'


@given(st.text(st.characters(codec=None)))
def test_clean_text_any_text_is_storable(text: str) -> None:
    cleaned = clean_text(text)

    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned


def test_clean_text_keeps_what_is_good() -> None:
    assert clean_text("Қ🙂 a\x00b \ud83d!") == "Қ🙂 ab \ufffd!"


def test_parse_two_kilobyte_row_is_quick(row: dict[str, Any]) -> None:
    row["villages"] = [
        {"villages/name": f"Ауыл {number}", "villages/estimate": str(number), "villages/ki": "Ivan Petrov"}
        for number in range(20)
    ]
    best = min(_time_once(row) for _ in range(300))

    assert 1800 < len(raw_text(row)) < 3500
    assert best < 300e-6  # about 40 microseconds on the machine it was written on; the margin is for a busy one


def _time_once(row: dict[str, Any]) -> float:
    started = time.perf_counter()
    parse_submission(row)
    raw_text(row)
    return time.perf_counter() - started
