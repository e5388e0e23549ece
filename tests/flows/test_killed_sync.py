"""A sync that is killed with -9 in the middle: after the next run everything is as if nobody had killed it."""

import random
import time

import pytest
from django.db.models import Count

from assessments.models import KoboSubmission, SubmissionRevision, SyncRun
from assessments.tasks import sync_due_forms
from dtm_ops.celery import app
from dtm_ops.common.errors import Refused
from tests.practice import ASSET, kobos_copy, last_run, our_copy, sync
from tests.programs import program, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 3_000


@pytest.fixture
def full_project(kobo, form, answer):
    """3,000 submissions, and pages that take their time."""
    rows = [{"answers": answer(total=str(number % 90)), "submitted_by": "e01"} for number in range(ROWS)]
    kobo.submit_many(form.asset_uid, rows)
    kobo.pace(0.6)
    return form


@pytest.fixture
def broker():
    """The test's own broker number, empty before and after: a killed worker leaves its message behind."""
    with app.connection_for_write() as connected:
        connected.default_channel.client.flushdb()
        yield
        connected.default_channel.client.flushdb()


def assert_as_without_the_kill(kobo, form):
    assert our_copy(form) == kobos_copy(kobo, ASSET)
    assert SubmissionRevision.objects.count() == KoboSubmission.objects.count() == ROWS
    assert not KoboSubmission.objects.annotate(n=Count("revisions")).exclude(n=1).exists()


def sync_by_hand(form):
    """PostgreSQL may still be closing the connection of the dead: its lock is free a moment later."""
    for _unused in range(100):
        try:
            return sync(form)
        except Refused:
            time.sleep(0.05)
    return sync(form)


@pytest.mark.parametrize("stored", [0, 1, 1_001])
def test_command_killed_in_the_middle_is_made_good_by_the_next_run(kobo, full_project, stored):
    with program("manage.py", "sync_kobo") as command:
        wait_until(lambda: SyncRun.objects.filter(new__gte=stored).exists())
        time.sleep(random.uniform(0, 0.2))
        command.kill()
        command.wait()
    kobo.pace(0)

    run = sync_by_hand(full_project)

    assert (run.outcome, run.at_kobo, run.here, run.new + run.unchanged) == ("closed", ROWS, ROWS, ROWS)
    assert_as_without_the_kill(kobo, full_project)
    assert list(SyncRun.objects.order_by("pk").values_list("outcome", flat=True)) == ["lost", "closed"]


def worker():
    return program("-m", "celery", "-A", "dtm_ops", "worker", "--pool", "solo", "--loglevel", "error")


def test_worker_syncs_what_beat_finds_due(kobo, full_project, broker):
    kobo.pace(0)

    with worker():
        sync_due_forms.delay()
        wait_until(lambda: SyncRun.objects.exclude(outcome="running").exists(), seconds=60)

    assert (last_run(full_project).outcome, last_run(full_project).trigger) == ("closed", "beat")
    assert_as_without_the_kill(kobo, full_project)


def tick_until_closed():
    sync_due_forms()
    return SyncRun.objects.filter(outcome="closed").exists()


def test_worker_killed_in_the_middle_is_made_good_by_the_next_tick(kobo, full_project, broker):
    with worker() as first:
        sync_due_forms.delay()
        wait_until(lambda: SyncRun.objects.filter(new__gte=1).exists(), seconds=60)
        first.kill()
        first.wait()
    assert last_run(full_project).outcome == "running"
    kobo.pace(0)

    with worker():
        wait_until(tick_until_closed, seconds=60, every=1)

    assert_as_without_the_kill(kobo, full_project)
    assert not SyncRun.objects.filter(outcome="running").exists()
    assert SyncRun.objects.order_by("pk").first().outcome == "lost"
