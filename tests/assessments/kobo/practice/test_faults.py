"""Misbehaviour that is ordered, met and gone; and the pace of a real server."""

import threading
import time
from pathlib import Path

import pytest
import requests

from assessments.kobo.practice.state import PracticeKobo
from tests.assessments.kobo.practice.conftest import PROJECT


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "retry_after"),
    [
        ("bad_gateway", 502, "text/html", None),
        ("unavailable", 503, "text/html", 7),
        ("gateway_timeout", 504, "text/html", None),
        ("too_many", 429, "application/json", 3),
        ("server_error", 500, "application/json", None),
        ("html", 200, "text/html", None),
        ("wrong_json", 200, "application/json", None),
    ],
)
def test_misbehave_answers_wrongly_as_often_as_told(
    kobo: PracticeKobo,
    data_url: str,
    session: requests.Session,
    kind: str,
    status: int,
    content_type: str,
    retry_after: int | None,
) -> None:
    kobo.misbehave(kind, times=2, retry_after=retry_after)

    answers = [session.get(data_url, timeout=10) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert [answer.headers["Content-Type"] for answer in answers[:2]] == [content_type] * 2
    assert answers[0].headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert answers[2].json()["results"] == []


def test_misbehave_cut_ends_the_connection_in_the_middle(
    kobo: PracticeKobo, data_url: str, session: requests.Session
) -> None:
    kobo.submit(PROJECT, {"people": 1}, submitted_by=None)
    kobo.misbehave("cut")

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        session.get(data_url, timeout=10)

    assert session.get(data_url, timeout=10).json()["count"] == 1


def test_misbehave_slow_drips_the_whole_answer(kobo: PracticeKobo, data_url: str, session: requests.Session) -> None:
    kobo.submit(PROJECT, {"people": 1}, submitted_by=None)
    kobo.misbehave("slow", seconds=0.4)

    begun = time.monotonic()
    answer = session.get(data_url, timeout=10)

    assert time.monotonic() - begun >= 0.4
    assert answer.json()["count"] == 1


def test_misbehave_for_a_path_and_after_some_requests_leaves_others_alone(
    kobo: PracticeKobo, base_url: str, data_url: str, session: requests.Session
) -> None:
    kobo.misbehave("bad_gateway", path="/data/", skip=1)

    statuses = [session.get(url, timeout=10).status_code for url in (f"{base_url}/me/", data_url, data_url, data_url)]

    assert statuses == [200, 200, 502, 200]


def test_misbehave_lost_answer_has_done_its_work(kobo: PracticeKobo, data_url: str, session: requests.Session) -> None:
    kept, gone = (kobo.submit(PROJECT, {"people": n}, submitted_by=None) for n in (1, 2))
    kobo.misbehave("wrong_json")
    session.delete(f"{data_url}{gone}/", timeout=10)
    kobo.misbehave("bad_gateway")
    session.delete(f"{data_url}{kept}/", timeout=10)

    assert kobo.ids(PROJECT) == [kept]


def test_misbehave_ordered_by_another_object_reaches_the_running_server(
    kobo: PracticeKobo, state_file: Path, data_url: str, session: requests.Session
) -> None:
    other = PracticeKobo(state_file)
    other.misbehave("bad_gateway", times=5)
    assert session.get(data_url, timeout=10).status_code == 502
    other.behave()
    other.close()

    assert session.get(data_url, timeout=10).status_code == 200


def test_misbehave_unknown_kind_is_refused(kobo: PracticeKobo, data_url: str, session: requests.Session) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        kobo.misbehave("tired")

    assert session.get(data_url, timeout=10).status_code == 200


def test_pace_holds_back_a_page_in_proportion_to_its_rows(
    kobo: PracticeKobo, data_url: str, session: requests.Session
) -> None:
    kobo.submit_many(PROJECT, ({"answers": {"people": n}} for n in range(200)))
    kobo.pace(2.0, ids_seconds_per_1000_rows=0.0)

    begun = time.monotonic()
    session.get(data_url, params={"limit": 200}, timeout=10)
    full = time.monotonic() - begun
    session.get(data_url, params={"limit": 200, "fields": '["_id"]'}, timeout=10)
    ids = time.monotonic() - begun - full

    assert 0.4 <= full < 2
    assert ids < 0.4


def test_hidden_row_is_nowhere_until_it_is_shown(kobo: PracticeKobo, data_url: str, session: requests.Session) -> None:
    first = kobo.submit(PROJECT, {"people": 1}, submitted_by=None, hidden=True)
    second = kobo.submit(PROJECT, {"people": 2}, submitted_by=None)

    before = [row["_id"] for row in session.get(data_url, timeout=10).json()["results"]]
    single = session.get(f"{data_url}{first}/", timeout=10).status_code
    kobo.show(first)
    after = [row["_id"] for row in session.get(data_url, timeout=10).json()["results"]]

    assert (before, single, after) == ([second], 404, [first, second])


def test_many_threads_reading_and_writing_get_whole_answers(
    kobo: PracticeKobo, data_url: str, session: requests.Session
) -> None:
    failures: list[str] = []

    def work(name: str) -> None:
        with requests.Session() as own:
            own.headers.update(session.headers)
            for number in range(15):
                kobo.submit(PROJECT, {"people": number}, submitted_by=name)
                answer = own.get(data_url, params={"limit": 1000}, timeout=20)
                if answer.status_code != 200 or answer.json()["count"] != len(answer.json()["results"]):
                    failures.append(answer.text)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert kobo.count(PROJECT) == 60
