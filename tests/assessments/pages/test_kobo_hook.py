"""The address to which Kobo sends its notices: what it answers, and that no flood and no trouble of ours does harm."""

import json
import logging
from io import BytesIO

import pytest
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as CacheError

from assessments import tasks
from assessments.models import HookDelivery, KoboForm
from assessments.pages import kobo_hook
from assessments.services.kobo_hooks import close_hook, open_hook, renew_secret
from tests.assessments.services.test_kobo_hooks import is_due, kept, later, notice
from tests.factories.assessments import KoboFormFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def form(administrator):
    form = open_hook(KoboFormFactory(asset_uid="awJCzV5ZKuy4eFW6Xrg3Kf"), by=administrator)
    later(form)
    return form


@pytest.fixture(autouse=True)
def queued(monkeypatch):
    calls = []
    monkeypatch.setattr(
        tasks.sync_kobo_form, "apply_async", lambda args, kwargs, **options: calls.append((args, kwargs, options))
    )
    return calls


def tell(form, body=None, *, path=None, secret=None, method="post", **headers):
    client = Client(raise_request_exception=False)
    return client.generic(
        method.upper(),
        f"/kobo/hook/{path or form.hook_path}/",
        notice(39) if body is None else body,
        content_type="application/json",
        headers={"X-DTM-Secret": form.hook_secret if secret is None else secret},
        **headers,
    )


def test_notice_is_stored_answered_and_followed_by_one_sync(form, queued):
    response = tell(form)

    assert (response.status_code, response.content) == (204, b"")
    assert kept(form) == [(39, 1, "waiting")]
    assert queued == [((form.pk,), {"trigger": "hook"}, {"countdown": 5, "retry": False})]
    assert is_due(form)


def test_answer_has_no_cookie_and_makes_no_session(form):
    with CaptureQueriesContext(connection) as queries:
        response = tell(form)

    assert not response.cookies
    assert [query["sql"] for query in queries if "session" in query["sql"]] == []


def test_wrong_address_and_wrong_or_no_secret_get_the_same_answer(form, administrator, queued):
    other = open_hook(KoboFormFactory(), by=administrator)
    client = Client()
    answers = [
        tell(form, path="nonsense"),
        tell(form, path="a" * 43),
        tell(form, secret="wrong"),
        tell(form, secret=""),
        tell(form, secret="\u00e9\u0001"),
        tell(form, secret=other.hook_secret),
        tell(form, path=other.hook_path),
        client.post(f"/kobo/hook/{form.hook_path}/", notice(39), content_type="application/json"),
    ]

    assert {(one.status_code, one.content, tuple(sorted(one.headers))) for one in answers} == {
        (404, b"not found", tuple(sorted(answers[0].headers)))
    }
    assert (HookDelivery.objects.count(), queued, is_due(form)) == (0, [], False)


def test_wrong_secret_costs_the_same_queries_as_a_wrong_address(form):
    counts = []
    for wrong in ({"secret": "wrong"}, {"path": "a" * 43}):
        with CaptureQueriesContext(connection) as queries:
            tell(form, **wrong)
        counts.append(len(queries))

    assert counts == [1, 1]


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_other_methods_are_not_allowed_and_write_nothing(form, method):
    assert tell(form, method=method).status_code == 405
    assert not HookDelivery.objects.exists()


def test_old_secret_and_closed_address_are_not_found(form, administrator):
    renew_secret(form, by=administrator)
    assert tell(form).status_code == 404
    form.refresh_from_db()
    assert tell(form).status_code == 204
    close_hook(form, by=administrator)
    assert tell(form).status_code == 404


def test_body_that_is_too_long_is_refused_unread_and_brings_the_sync_forward(form, queued):
    class Unreadable(BytesIO):
        def read(self, *args):
            raise AssertionError("the body was read")

    request = RequestFactory().generic(
        "POST", f"/kobo/hook/{form.hook_path}/", b"", headers={"X-DTM-Secret": form.hook_secret}
    )
    request.META["CONTENT_LENGTH"] = str(kobo_hook.MOST_BYTES + 1)
    request._stream = Unreadable()

    assert kobo_hook.take_notice(request, form.hook_path).status_code == 413
    assert (kept(form), len(queued), is_due(form)) == ([], 1, True)


def test_limit_of_a_body_is_below_what_django_would_answer_400_for():
    assert kobo_hook.MOST_BYTES < settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_longest_body_is_taken(form):
    body = notice(39, text="")
    body = notice(39, text="a" * (kobo_hook.MOST_BYTES - len(body)))

    assert (len(body), tell(form, body).status_code) == (kobo_hook.MOST_BYTES, 204)


@pytest.mark.parametrize("length", ["", "0", "-1"])
def test_length_that_says_nothing_is_read_as_no_body(form, length):
    assert tell(form, CONTENT_LENGTH=length).status_code == 204
    assert kept(form) == [(None, 1, "ignored")]


@pytest.mark.parametrize("length", ["many", "\u00b2"])
def test_length_that_is_no_number_is_no_error_of_the_server(form, length):
    assert tell(form, CONTENT_LENGTH=length).status_code == 503


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"<?xml version='1.0'?><a/>", "application/xml"), (b"{", "application/json"), (b"a=1", "text/plain")],
)
def test_odd_bodies_are_stored_and_followed_by_a_sync(form, queued, body, content_type):
    response = Client().generic(
        "POST",
        f"/kobo/hook/{form.hook_path}/",
        body,
        content_type=content_type,
        headers={"X-DTM-Secret": form.hook_secret},
    )

    assert (response.status_code, kept(form), len(queued)) == (204, [(None, 1, "ignored")], 1)


@pytest.mark.parametrize(
    "error", [OperationalError, DatabaseError, InterfaceError, OSError, ValueError, RecursionError]
)
@pytest.mark.parametrize("where", ["find_hook", "take_delivery"])
def test_trouble_of_ours_asks_for_the_notice_again(form, monkeypatch, caplog, queued, error, where):
    """Never 500 and never 429: both are final for Kobo."""

    def fail(*args):
        raise error("connection refused; DETAIL: an answer")

    monkeypatch.setattr(kobo_hook, where, fail)

    assert tell(form).status_code == 503
    assert "an answer" not in caplog.text
    assert (kept(form), queued) == ([], [])


def test_notice_is_stored_while_the_database_is_back(form, monkeypatch):
    """As Kobo does it: the same notice again after 503."""
    with monkeypatch.context() as patch:
        patch.setattr(kobo_hook, "take_delivery", lambda *args: (_ for _ in ()).throw(OperationalError("away")))
        assert tell(form).status_code == 503

    assert tell(form).status_code == 204
    assert kept(form) == [(39, 1, "waiting")]


@pytest.mark.parametrize("error", [BrokerError, CacheError, OSError])
@pytest.mark.parametrize("server", ["broker", "cache"])
def test_notice_is_stored_and_read_by_beat_while_the_queue_is_down(form, monkeypatch, error, server):
    def fail(*args, **kwargs):
        raise error("connection refused")

    if server == "broker":
        monkeypatch.setattr(tasks.sync_kobo_form, "apply_async", fail)
    else:
        monkeypatch.setattr(tasks.cache, "add", fail)

    assert tell(form).status_code == 204
    assert (kept(form), is_due(form)) == ([(39, 1, "waiting")], True)


def test_form_that_is_switched_off_keeps_its_notices_and_queues_nothing(form, queued):
    KoboForm.objects.update(is_active=False)

    assert tell(form).status_code == 204
    assert (kept(form), queued) == ([(39, 1, "waiting")], [])


def test_thousand_notices_leave_one_task_and_no_more_rows_than_forms(form, queued):
    answers = {tell(form, notice(number % 50 + 1)).status_code for number in range(1000)}

    assert answers == {204}
    assert [times for _kobo_id, times, _state in kept(form)] == [20] * 50
    # The mark lasts 3 seconds; the test may take some times that.
    assert 1 <= len(queued) <= 30


def test_flood_between_two_marks_queues_one_task(form, queued, monkeypatch):
    monkeypatch.setattr(tasks, "NOTICE_MARK", 600)

    for number in range(200):
        tell(form, notice(number + 1))

    assert len(queued) == 1


def test_wrong_notices_write_nothing_however_many(form):
    with CaptureQueriesContext(connection) as queries:
        for _time in range(100):
            tell(form, secret="wrong")

    assert (len(queries), HookDelivery.objects.count()) == (100, 0)


def test_secret_is_in_no_log_at_debug_level_and_in_no_error(form, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    seen = []

    def fail(found, body):
        seen.append(found)
        raise OperationalError("away")

    tell(form)
    tell(form, secret=form.hook_secret + "x")
    tell(form, method="get")
    monkeypatch.setattr(kobo_hook, "take_delivery", fail)
    with CaptureQueriesContext(connection) as queries:
        answer = tell(form)

    requests = [record.getMessage() for record in caplog.records if record.name.startswith("django.request")]
    assert [form.hook_path in line for line in requests] == [False] * len(requests)
    told = [
        caplog.text,
        json.dumps([query["sql"] for query in queries]),
        answer.content.decode(),
        repr(seen),
        str(seen),
    ]
    assert [form.hook_secret in text for text in told] == [False] * 5


def test_secret_leaves_the_request_before_anything_can_report_it(form):
    request = RequestFactory().post(f"/kobo/hook/{form.hook_path}/", headers={"X-DTM-Secret": form.hook_secret})

    kobo_hook.take_notice(request, form.hook_path)

    assert form.hook_secret not in repr(request.META)
