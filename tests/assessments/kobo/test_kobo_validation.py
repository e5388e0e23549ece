"""Writing validation statuses: what is asked of Kobo, and what each of its answers means for each row."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from assessments.kobo.client import KoboClient
from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo
from assessments.kobo.validation import STATUSES, Fate, set_statuses

UID = "awJCzV5ZKuy4eFW6Xrg3Kf"
PATH = f"/api/v2/assets/{UID}/data/validation_statuses/"
APPROVED, REFUSED, HOLD = "validation_status_approved", "validation_status_not_approved", "validation_status_on_hold"


@pytest.fixture
def kobo(tmp_path: Path) -> Iterator[PracticeKobo]:
    state = PracticeKobo(tmp_path / "kobo.sqlite3")
    state.create_user("iom")
    state.create_asset(UID, "A form", "iom", {"survey": []})
    yield state
    state.close()


@pytest.fixture
def url(kobo: PracticeKobo) -> Iterator[str]:
    with running(kobo) as address:
        yield address


@pytest.fixture
def ids(kobo: PracticeKobo) -> list[int]:
    return kobo.submit_many(UID, [{"answers": {"q": f"{number}"}} for number in range(7)])


@pytest.fixture
def client_of(kobo: PracticeKobo, url: str) -> Iterator[Callable[..., KoboClient]]:
    opened = []

    def connect(token: str | None = None) -> KoboClient:
        opened.append(KoboClient(url, token or kobo.token_of("iom") or "", retries=0, backoff=0.01, read_timeout=3))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def send(client_of: Callable[..., KoboClient]) -> Callable[..., dict[int, tuple[str, str]]]:
    """Fate and error of each row."""
    client = client_of()

    def push(wanted: dict[int, str], **options: Any) -> dict[int, tuple[str, str]]:
        found = set_statuses(client.connection, UID, wanted, **options)
        push.requests = client.connection.requests  # type: ignore[attr-defined]
        return {key: (one.fate.value, one.error.code if one.error else "") for key, one in found.items()}

    return push


def at_kobo(kobo: PracticeKobo) -> dict[int, str]:
    return {key: kobo.row(key)["_validation_status"].get("uid", "") for key in kobo.ids(UID)}


def test_statuses_are_set_and_taken_away_with_one_call_for_each_kind(kobo, ids, send):
    for key in ids:
        kobo.set_validation(key, APPROVED, by="somebody")
    wanted = dict(zip(ids, [APPROVED, HOLD, REFUSED, "", APPROVED, "", HOLD], strict=True))

    assert send(wanted) == dict.fromkeys(ids, ("sent", ""))

    assert at_kobo(kobo) == wanted
    assert send.requests == 4
    assert kobo.row(ids[0])["_validation_status"]["by_whom"] == "iom"


@pytest.mark.parametrize("most", [1, 2, 3, 200])
def test_batches_have_no_more_rows_than_allowed(kobo, ids, send, most):
    assert send(dict.fromkeys(ids, HOLD), most=most) == dict.fromkeys(ids, ("sent", ""))
    assert (set(at_kobo(kobo).values()), send.requests) == ({HOLD}, -(-len(ids) // most))


@pytest.mark.parametrize("uid", ["approved", "validation_status_aproved", "nope", None])
def test_surprise_33_a_status_that_kobo_does_not_know_is_never_sent(kobo, ids, client_of, uid):
    kobo.set_validation(ids[0], APPROVED, by="somebody")
    client = client_of()

    with pytest.raises(ValueError, match="no validation status"):
        set_statuses(client.connection, UID, {ids[0]: HOLD, ids[1]: uid})

    assert (client.connection.requests, at_kobo(kobo)[ids[0]]) == (0, APPROVED)


def test_surprise_34_one_missing_id_does_not_keep_the_others_back(kobo, ids, send):
    kobo.delete(ids[2])
    kobo.delete(ids[6])

    found = send({**dict.fromkeys(ids, HOLD), 999_999: HOLD})

    gone = {ids[2], ids[6], 999_999}
    assert found == {key: ("gone" if key in gone else "sent", "") for key in (*ids, 999_999)}
    assert at_kobo(kobo) == dict.fromkeys(set(ids) - gone, HOLD)


@pytest.mark.parametrize(
    ("change", "fate", "code"),
    [
        (lambda kobo: kobo.misbehave("bad_gateway", times=9), "later", "server_unavailable"),
        (lambda kobo: kobo.misbehave("too_many", times=9, retry_after=7), "later", "too_many_requests"),
        (lambda kobo: kobo.misbehave("server_error", times=9), "later", "server_error"),
        (lambda kobo: kobo.misbehave("html", times=9), "later", "not_json"),
        (lambda kobo: kobo.misbehave("cut", times=9), "later", "connection_cut"),
        (lambda kobo: kobo.delete_asset(UID), "refused", "no_project"),
    ],
)
def test_trouble_ends_the_sending_and_says_what_it_was(kobo, ids, send, change, fate, code):
    change(kobo)

    found = send(dict(zip(ids, [APPROVED, APPROVED, HOLD, HOLD, HOLD, "", ""], strict=True)))

    asked = ids if fate == "refused" else ids[:2]
    assert (found, send.requests) == (dict.fromkeys(asked, (fate, code)), 1)


def test_wrong_answer_is_not_taken_for_a_yes(kobo, ids, send):
    kobo.misbehave("wrong_json", times=1)

    found = send(dict.fromkeys(ids, HOLD))

    assert found == dict.fromkeys(ids, ("later", "bad_answer"))


def test_right_that_is_missing_is_told_for_every_row(kobo, ids, client_of):
    reader = client_of(kobo.create_user("reader"))
    kobo.grant(UID, "reader", "view_submissions")

    found = set_statuses(reader.connection, UID, dict(zip(ids, [HOLD] * 3 + [APPROVED] * 4, strict=True)))

    assert {one.fate for one in found.values()} == {Fate.REFUSED}
    assert (set(found), {one.error.code for one in found.values()}) == (set(ids), {"forbidden"})
    assert set(at_kobo(kobo).values()) == {""}


def test_fewer_rows_than_asked_are_looked_for_one_by_one(httpserver: HTTPServer):
    """Kobo counts what it changed; should it ever pass one by, it is found by halves."""
    asked = []

    def answer(request: Request) -> Response:
        ids = request.get_json()["payload"]["submission_ids"]
        asked.append(ids)
        return Response(
            json.dumps({"detail": f"{len(set(ids) - {3})} submissions have been updated"}), mimetype="application/json"
        )

    httpserver.expect_request(PATH).respond_with_handler(answer)
    with KoboClient(httpserver.url_for(""), "token", retries=0) as client:
        found = set_statuses(client.connection, UID, dict.fromkeys([1, 2, 3, 4], HOLD))

    assert {key: one.fate.value for key, one in found.items()} == {1: "sent", 2: "sent", 3: "later", 4: "sent"}
    assert asked == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]


# Every recorded bulk call that this client makes, or could by mistake: file, what is wanted, fates.
RECORDED = {
    "022_bulk_patch": (APPROVED, {"sent"}),
    "033_bulk_delete_with_null_uid": ("", {"sent"}),
    "024_bulk_patch_missing_id": (HOLD, {"gone"}),
    "028_bulk_patch_no_wrapper": (APPROVED, {"refused bad_request"}),
    "029_bulk_patch_no_ids": (APPROVED, {"refused bad_request"}),
    "030_bulk_patch_all_without_confirm": (APPROVED, {"refused bad_request"}),
    "032_bulk_delete": ("", {"refused bad_request"}),
    "038_bulk_stranger": (APPROVED, {"refused no_project"}),
    "039_bulk_anonymous": (APPROVED, {"refused no_project"}),
    "040_bulk_wrong_token": (APPROVED, {"refused bad_token"}),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_is_understood(recordings: Path, httpserver: HTTPServer, name: str) -> None:
    """Surprises 32 to 34, as a real Kobo answered; what we send is letter by letter what it took."""
    exchange = json.loads((recordings / "07_validation_status" / f"{name}.json").read_text(encoding="utf-8"))
    uid, fates = RECORDED[name]
    ids = exchange["request"]["body_json"].get("payload", {}).get("submission_ids") or [10, 11, 12, 13, 14]
    seen = []

    def answer(request: Request) -> Response:
        seen.append((request.method, request.get_json()))
        body = json.dumps(exchange["response"]["body_json"])
        return Response(body, exchange["response"]["status"], mimetype="application/json")

    httpserver.expect_request(PATH).respond_with_handler(answer)
    with KoboClient(httpserver.url_for(""), "token", retries=0) as client:
        found = set_statuses(client.connection, UID, dict.fromkeys(ids, uid))

    told = {f"{one.fate.value} {one.error.code if one.error else ''}".strip() for one in found.values()}
    assert (set(found), told) == (set(ids), fates)
    if fates == {"sent"}:
        assert seen == [(exchange["request"]["method"], exchange["request"]["body_json"])]


def test_recorded_statuses_are_the_known_three(recordings: Path) -> None:
    found = set()
    for path in sorted((recordings / "07_validation_status").glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["response"].get("body_json")
        rows = body.get("results", [body]) if isinstance(body, dict) else []
        found |= {uid for row in rows if (uid := (row.get("_validation_status") or row).get("uid"))}

    assert {uid for uid in found if isinstance(uid, str) and uid.startswith("validation")} == STATUSES
