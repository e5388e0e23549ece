"""Queries and rights beyond what was recorded: the traps of kobo_api.md section 4."""

import json
from typing import Any

import pytest
import requests

from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.conftest import PROJECT


@pytest.fixture
def rows(kobo: PracticeKobo) -> list[int]:
    ids = [
        kobo.submit(PROJECT, answers, submitted_by=sender)
        for sender, answers in (
            ("a", {"people": "9", "villages": [{"name": "A", "estimate": "7"}]}),
            ("b", {"people": "10", "needs": "food water"}),
            ("a", {"people": "042"}),
        )
    ]
    kobo.set_validation(ids[1], "validation_status_approved", by="owner")
    kobo.edit(ids[2], {"needs": "Water"})
    return ids


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"people": {"$gt": "1"}}, [1, 2]),  # text: "042" < "1" < "10" < "9"
        ({"people": {"$gt": 1}}, []),
        ({"people": {"$eq": "9"}}, []),  # an unknown operator becomes a field that no row has
        ({"$nor": [{"people": "9"}]}, []),
        ({"people": {"$in": ["9", "042"]}}, [1, 3]),
        ({"people": {"$nin": ["9", "042"]}}, [2]),
        ({"people": {"$ne": "9"}}, [2, 3]),
        ({"people": {"$not": {"$gte": "10"}}}, [3]),
        ({"needs": None}, [1]),
        ({"needs": {"$exists": False}}, [1]),
        ({"needs": {"$regex": "^water", "$options": "i"}}, [3]),
        ({"$or": [{"people": "9"}, {"needs": {"$regex": "food"}}]}, [1, 2]),
        ({"$and": [{"_id": {"$gt": 1}}, {"people": "10"}]}, [2]),
        ({"villages": {"$elemMatch": {"villages/estimate": "7"}}}, [1]),
        ({"villages.villages/estimate": "7"}, []),
        ({"_id": {"$gt": 1, "$lt": 3}}, [2]),
        ({"_id": {"$in": [1, "2", 3.0]}}, [1, 3]),
        ({"_id": {"$gt": "0"}}, []),
        ({"_id": {"$gt": 1.5}}, [2, 3]),
        ({"_submitted_by": {"$in": ["b", None]}}, [2]),
        ({"_validation_status.uid": None}, [1, 3]),
        ({"_validation_status.timestamp": {"$gte": 1}}, [2]),
        ({"meta/deprecatedID": {"$exists": True}}, [3]),
        ({"_submission_time": {"$gte": "2022-11-20T06:30:00Z"}}, []),
        ({"_submission_time": {"$gt": {"$date": "2022-11-19T00:00:00Z"}}}, []),
    ],
)
def test_query_finds_what_mongodb_would(
    rows: list[int], data_url: str, session: requests.Session, query: Any, expected: list[int]
) -> None:
    answer = session.get(data_url, params={"query": json.dumps(query)}, timeout=10).json()

    assert [row["_id"] for row in answer["results"]] == expected
    assert answer["count"] == len(expected)


@pytest.mark.parametrize(
    ("parameters", "status", "body"),
    [
        ({"query": '{"$or": "x"}'}, 400, ["Unsupported query"]),
        ({"query": '{"people": {"$gt": "1", "$foo": 1}}'}, 400, ["Unsupported query"]),
        ({"query": '{"people": {"$regex": "("}}'}, 400, ["Unsupported query"]),
        ({"query": '"x"'}, 500, {"error": "Server Error (500)"}),
        ({"sort": '{"_id": "up"}'}, 500, {"error": "Server Error (500)"}),
        ({"user": "x"}, 500, {"error": "Server Error (500)"}),
    ],
)
def test_bad_parameter_is_answered_as_kobo_does(
    rows: list[int], data_url: str, session: requests.Session, parameters: dict[str, str], status: int, body: Any
) -> None:
    answer = session.get(data_url, params=parameters, timeout=10)

    assert (answer.status_code, answer.json()) == (status, body)


def test_sort_on_an_answer_is_text_order_with_absent_first(
    rows: list[int], data_url: str, session: requests.Session
) -> None:
    def ids(sort: str) -> list[int]:
        return [row["_id"] for row in session.get(data_url, params={"sort": sort}, timeout=10).json()["results"]]

    assert ids('{"people": 1}') == [3, 2, 1]
    assert ids('{"needs": 1}') == [1, 3, 2]
    assert ids('{"_submission_time": -1}') == [1, 2, 3]


def test_partial_permission_narrows_rows_count_and_bulk_calls(
    kobo: PracticeKobo, rows: list[int], data_url: str
) -> None:
    token = kobo.create_user("partner")
    kobo.grant(PROJECT, "partner", "partial_submissions", filters=[{"_submitted_by": "a"}])
    headers = {"Authorization": f"Token {token}"}

    listed = requests.get(data_url, headers=headers, timeout=10).json()
    widened = requests.get(data_url, headers=headers, params={"query": '{"_submitted_by": "b"}'}, timeout=10).json()
    deleted = requests.delete(f"{data_url}{rows[0]}/", headers=headers, timeout=10).status_code

    assert ([row["_id"] for row in listed["results"]], listed["count"]) == ([rows[0], rows[2]], 2)
    assert widened["count"] == 0
    assert deleted == 403
    assert kobo.ids(PROJECT) == rows


def test_bulk_call_with_ids_and_query_crashes_and_changes_nothing(
    kobo: PracticeKobo, rows: list[int], data_url: str, session: requests.Session
) -> None:
    payload = {"submission_ids": [rows[0]], "query": {}, "validation_status.uid": "validation_status_approved"}

    answer = session.patch(f"{data_url}validation_statuses/", json={"payload": payload}, timeout=10)

    assert answer.status_code == 500
    assert kobo.row(rows[0])["_validation_status"] == {}


def test_bulk_call_with_confirm_takes_all_rows(
    kobo: PracticeKobo, rows: list[int], data_url: str, session: requests.Session
) -> None:
    answer = session.delete(f"{data_url}bulk/", json={"payload": {"confirm": True}}, timeout=10)

    assert answer.json() == {"detail": "3 submissions have been deleted"}
    assert kobo.ids(PROJECT) == []


def test_broken_bulk_body_is_refused(
    kobo: PracticeKobo, rows: list[int], data_url: str, session: requests.Session
) -> None:
    headers = {"Content-Type": "application/json"}
    statuses = [
        session.delete(f"{data_url}bulk/", data=body, headers=headers, timeout=10).status_code
        for body in ("{", "[]", '{"payload": {"submission_ids": ["x"]}}', '{"payload": 5}')
    ]

    assert statuses == [400, 400, 400, 400]
    assert kobo.ids(PROJECT) == rows
