"""Bad days of the servers around a sync, with real workers: the end is the same as on a good day, and the run says what
it was.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from django.db import connection
from kombu import Connection

from assessments.kobo import connection as kobo_connection
from assessments.kobo.client import KoboClient
from assessments.models import KoboSubmission, SubmissionRevision, SyncRun
from assessments.services.kobo_sync import sync_form
from assessments.tasks import sync_due_forms
from dtm_ops.celery import app
from dtm_ops.embedded.places import Places
from dtm_ops.embedded.users import using_servers
from tests.embedded.conftest import places, valkey_of
from tests.practice import ASSET, client_of, kobos_copy, our_copy
from tests.programs import program, wait_until

__all__ = ["places"]

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 1_200
WORKER = ("-m", "celery", "-A", "dtm_ops", "worker", "--pool", "solo", "--loglevel", "error")


@pytest.fixture
def full_project(kobo, form, answer):
    rows = [{"answers": answer(total=str(number % 90)), "submitted_by": "e01"} for number in range(ROWS)]
    kobo.submit_many(form.asset_uid, rows)
    kobo.pace(0.8)
    return form


@pytest.fixture
def broker() -> Iterator[None]:
    with app.connection_for_write() as connected:
        connected.default_channel.client.flushdb()
        yield
        connected.default_channel.client.flushdb()


def assert_as_on_a_good_day(kobo, form):
    assert our_copy(form) == kobos_copy(kobo, ASSET)
    assert SubmissionRevision.objects.count() == KoboSubmission.objects.count() == ROWS
    assert not SyncRun.objects.filter(outcome="running").exists()


def closed():
    return SyncRun.objects.filter(outcome="closed").exists()


def test_two_workers_and_beat_twice_run_a_form_once(kobo, full_project, broker):
    with program(*WORKER, "-n", "one@%h"), program(*WORKER, "-n", "two@%h"):
        for _unused in range(4):
            sync_due_forms.delay()
        wait_until(closed, seconds=60)
        for _unused in range(2):
            sync_due_forms.delay()
        with app.connection_for_write() as connected:
            wait_until(lambda: not connected.default_channel.client.llen("celery"), seconds=30)
        time.sleep(0.5)

    assert list(SyncRun.objects.values_list("outcome", flat=True)) == ["closed"]
    assert_as_on_a_good_day(kobo, full_project)


def test_message_that_the_broker_gives_out_again_while_the_run_lasts_does_no_harm(kobo, full_project, broker):
    """As after a visibility timeout that is shorter than the run: the same message, to two workers."""
    with program(*WORKER, "-n", "one@%h"), program(*WORKER, "-n", "two@%h"):
        app.send_task("assessments.sync_kobo_form", (full_project.pk,), task_id="the-same")
        wait_until(lambda: SyncRun.objects.filter(outcome="running").exists(), seconds=60)
        app.send_task("assessments.sync_kobo_form", (full_project.pk,), task_id="the-same")
        wait_until(closed, seconds=60)
        app.send_task("assessments.sync_kobo_form", (full_project.pk,), task_id="the-same")
        with app.connection_for_write() as connected:
            wait_until(lambda: not connected.default_channel.client.llen("celery"), seconds=30)
        time.sleep(0.5)

    assert list(SyncRun.objects.values_list("outcome", flat=True)) == ["closed"]
    assert_as_on_a_good_day(kobo, full_project)


def test_database_that_ends_every_connection_as_at_a_restart_is_made_good_by_the_next_run(kobo, full_project, broker):
    with program(*WORKER):
        sync_due_forms.delay()
        wait_until(lambda: SyncRun.objects.filter(new__gte=1).exists(), seconds=60)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        wait_until(lambda: not SyncRun.objects.filter(outcome="running").exists(), seconds=30)
        kobo.pace(0)
        full_project.server.forms.update(next_sync_at=None)
        sync_due_forms.delay()
        wait_until(closed, seconds=60)

    assert_as_on_a_good_day(kobo, full_project)
    runs = list(SyncRun.objects.order_by("pk").values_list("outcome", "error_code"))
    assert runs == [("failed", "internal"), ("closed", "")]


def test_broker_that_is_killed_and_started_again_is_made_good_by_the_next_tick(kobo, full_project, places: Places):
    """A Valkey of the test's own: the suite's serves others."""
    address = f"{places.sockets}/valkey.sock"
    queue = f"redis+socket://{address}?virtual_host=14"
    with using_servers(["valkey"], places=places), program(*WORKER, REDIS_URL=f"unix://{address}"):
        tick(queue)
        wait_until(lambda: SyncRun.objects.filter(new__gte=1).exists(), seconds=60)
        os.kill(valkey_of(places)._recorded_pid(), signal.SIGKILL)
        wait_until(closed, seconds=60)
        assert_as_on_a_good_day(kobo, full_project)

        full_project.server.forms.update(next_sync_at=None)
        with using_servers(["valkey"], places=places):
            tick(queue)
            wait_until(lambda: SyncRun.objects.filter(outcome="closed").count() == 2, seconds=60)

    assert list(SyncRun.objects.values_list("outcome", flat=True)) == ["closed", "closed"]
    assert_as_on_a_good_day(kobo, full_project)


def tick(queue: str) -> None:
    with Connection(queue) as connected:
        sync_due_forms.apply_async(connection=connected)


# --- Kobo's answers: no worker is needed to meet them


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("cut", "connection_cut"),
        ("html", "not_json"),
        ("bad_gateway", "server_unavailable"),
        ("too_many", "too_many_requests"),
        ("server_error", "server_error"),
    ],
)
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_fault_on_the_way_leaves_the_same_and_stands_in_the_ledger(kobo, form, submit, fault, code, skip):
    for _unused in range(5):
        submit()
    kobo.misbehave(fault, skip=skip, retry_after=0)

    with client_of(form, retries=3) as client:
        run = sync_form(form, client=client, trigger="command", page_size=2)

    assert (run.outcome, run.new, run.incidents) == ("closed", 5, {code: 1})
    assert our_copy(form) == kobos_copy(kobo, ASSET)


def test_page_that_drips_is_given_up_asked_for_again_smaller_and_stands_in_the_ledger(kobo, form, submit, monkeypatch):
    """Each byte comes in time, the page would take a minute: here four seconds, and patience of one."""
    monkeypatch.setattr(kobo_connection, "MOST_TIMEOUTS", 2)
    for _unused in range(5):
        submit()
    kobo.misbehave("slow", skip=1, seconds=4)

    with KoboClient(form.server.base_url, form.server.token, retries=0, read_timeout=0.5) as client:
        run = sync_form(form, client=client, trigger="command")

    assert (run.outcome, run.new, run.incidents) == ("closed", 5, {"timed_out": 1})
    assert our_copy(form) == kobos_copy(kobo, ASSET)
