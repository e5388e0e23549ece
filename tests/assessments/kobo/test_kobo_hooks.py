"""REST Services: set up once, found again, never doubled; and how the practice Kobo tells of what has arrived."""

import json
import logging
from collections.abc import Iterator

import pytest
import requests

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.hooks import HOOK_FIELDS, HOOK_HEADER, Hook, list_hooks, remove_hook, set_up_hook
from tests.assessments.kobo.practice.conftest import *  # noqa: F403  fixtures are found by name
from tests.assessments.kobo.practice.conftest import PROJECT
from tests.assessments.kobo.practice.listener import Listener, listening

SECRET = "the-secret-of-this-form"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening({}) as opened:
        yield opened


@pytest.fixture
def client(kobo, base_url) -> Iterator[KoboClient]:
    kobo.hooks.pause = 0.01
    with KoboClient(base_url, kobo.create_user("owner"), retries=1, backoff=0.01, read_timeout=3) as opened:
        yield opened


def set_up(client, listener, *, path="/kobo/hook/one/", secret=SECRET):
    return set_up_hook(client.connection, PROJECT, endpoint=listener.base_url + path, secret=secret)


def fill(kobo):
    sent = kobo.submit(PROJECT, {"people": "7"}, submitted_by="e01")
    assert kobo.hooks.wait()
    return sent


def logs(base_url, kobo, hook):
    address = f"{base_url}/api/v2/assets/{PROJECT}/hooks/{hook.uid}/logs/"
    answer = requests.get(address, headers={"Authorization": f"Token {kobo.token_of('owner')}"}, timeout=5).json()
    return [(log["submission_id"], log["status_str"], log["tries"], log["status_code"]) for log in answer["results"]]


def test_service_set_up_tells_of_a_new_form_with_the_secret_and_no_answer(kobo, client, listener):
    hook = set_up(client, listener)
    sent = fill(kobo)

    (told,) = listener.received
    assert told.path == "/kobo/hook/one/"
    assert told.headers[HOOK_HEADER] == SECRET
    assert told.headers["Content-Type"] == "application/json"
    row = kobo.row(sent)
    assert json.loads(told.body) == {name: row[name] for name in HOOK_FIELDS}
    assert list_hooks(client.connection, PROJECT) == [hook]


def test_service_is_found_by_its_path_and_brought_up_to_date(kobo, client, listener):
    first = set_up(client, listener, secret="old")
    moved = set_up_hook(
        client.connection, PROJECT, endpoint="https://old-host.example.org/kobo/hook/one/", secret="older"
    )
    other = set_up(client, listener, path="/kobo/hook/another-form/")

    again = set_up(client, listener)
    fill(kobo)

    assert first.uid == moved.uid == again.uid
    assert list_hooks(client.connection, PROJECT) == [again, other]
    assert sorted((one.path, one.headers[HOOK_HEADER]) for one in listener.received) == [
        ("/kobo/hook/another-form/", SECRET),
        ("/kobo/hook/one/", SECRET),
    ]


def test_service_that_is_there_twice_is_left_once(client, listener, base_url, kobo):
    first = set_up(client, listener)
    requests.post(
        f"{base_url}/api/v2/assets/{PROJECT}/hooks/",
        json={"name": "double", "endpoint": first.endpoint, "export_type": "json"},
        headers={"Authorization": f"Token {kobo.token_of('owner')}"},
        timeout=5,
    )
    assert len(list_hooks(client.connection, PROJECT)) == 2

    assert list_hooks(client.connection, PROJECT)[0] == set_up(client, listener)
    assert list_hooks(client.connection, PROJECT) == [first]


def test_service_made_by_an_answer_that_was_lost_is_not_doubled(kobo, client, listener):
    kobo.misbehave("cut", skip=1, path="/hooks/")
    with pytest.raises(KoboUnavailable):
        set_up(client, listener)

    set_up(client, listener)

    assert len(list_hooks(client.connection, PROJECT)) == 1


def test_service_removed_tells_nothing_and_others_stay(kobo, client, listener):
    set_up(client, listener)
    other = set_up(client, listener, path="/kobo/hook/another-form/")

    assert remove_hook(client.connection, PROJECT, endpoint=listener.base_url + "/kobo/hook/one/") == 1
    assert remove_hook(client.connection, PROJECT, endpoint=listener.base_url + "/kobo/hook/one/") == 0
    fill(kobo)

    assert list_hooks(client.connection, PROJECT) == [other]
    assert [one.path for one in listener.received] == ["/kobo/hook/another-form/"]


@pytest.mark.parametrize("right", ["view_submissions", None])
def test_account_that_may_not_change_the_project_is_told_so(kobo, base_url, listener, right):
    token = kobo.create_user("reader")
    if right:
        kobo.grant(PROJECT, "reader", right)

    with KoboClient(base_url, token, retries=0) as reader, pytest.raises(KoboRejected) as refused:
        set_up(reader, listener)

    assert (refused.value.code, refused.value.params["status"]) == ("forbidden", 404)


@pytest.mark.parametrize(
    "answer", [{"results": 7}, {"results": [7]}, {"results": [{"uid": "", "endpoint": "x"}]}, {"unexpected": True}]
)
def test_answer_of_unknown_shape_is_no_service(client, monkeypatch, answer):
    monkeypatch.setattr(client.connection, "get_object", lambda *args, **known: answer)

    with pytest.raises(KoboUnavailable) as failed:
        list_hooks(client.connection, PROJECT)

    assert failed.value.code == "bad_answer"


def test_address_of_another_that_cannot_be_read_is_not_ours(client, monkeypatch, listener):
    odd = Hook("hOdd", "http://[broken")
    monkeypatch.setattr("assessments.kobo.hooks.list_hooks", lambda *args: [odd])

    assert remove_hook(client.connection, PROJECT, endpoint=listener.base_url + "/kobo/hook/one/") == 0


def test_secret_is_in_no_log_and_no_error(kobo, client, listener, caplog):
    caplog.set_level(logging.DEBUG)
    kobo.misbehave("server_error", times=2, skip=1, path="/hooks/")

    with pytest.raises(KoboUnavailable) as failed:
        set_up(client, listener)

    assert SECRET not in caplog.text + str(failed.value) + repr(failed.value)


# --- how the practice Kobo tells


def test_notice_is_for_new_forms_only(kobo, client, listener):
    """Surprise 38."""
    set_up(client, listener)
    sent = fill(kobo)

    kobo.edit(sent, {"people": "8"})
    kobo.set_validation(sent, "validation_status_approved", by="owner")
    kobo.delete(sent)
    kobo.hooks.wake()

    assert kobo.hooks.wait()
    assert len(listener.received) == 1


@pytest.mark.parametrize(("status", "posts"), [(502, 5), (503, 5), (504, 5), (400, 1), (404, 1), (429, 1), (500, 1)])
def test_notice_is_sent_again_after_what_a_proxy_answers_and_nothing_else(
    kobo, client, listener, base_url, status, posts
):
    hook = set_up(client, listener)
    listener.answers["/kobo/hook/one/"] = (status, "boom")

    sent = fill(kobo)

    assert len(listener.received) == posts
    assert logs(base_url, kobo, hook) == [(sent, "failed", posts, status)]


def test_notice_that_is_taken_at_the_third_try_is_a_success(kobo, client, listener, base_url, monkeypatch):
    hook = set_up(client, listener)
    kobo.hooks.pause = 0.2
    listener.answers["/kobo/hook/one/"] = (503, "boom")
    sent = kobo.submit(PROJECT, {"people": "7"}, submitted_by="e01")
    assert not kobo.hooks.wait(0.3)

    listener.answers["/kobo/hook/one/"] = (204, "")
    assert kobo.hooks.wait()

    assert [log[:2] for log in logs(base_url, kobo, hook)] == [(sent, "success")]


@pytest.mark.parametrize(
    "endpoint", ["http://10.1.2.3/x", "https://kobo-listener.example.org/x", "http://127.0.0.1:9/"]
)
def test_service_that_cannot_be_reached_is_stored_and_fails_when_told_and_the_form_is_there(
    kobo, client, base_url, endpoint
):
    """Surprise 39."""
    hook = set_up_hook(client.connection, PROJECT, endpoint=endpoint, secret=SECRET)

    sent = fill(kobo)

    assert kobo.ids(PROJECT) == [sent]
    assert logs(base_url, kobo, hook) == [(sent, "failed", 1, None)]
