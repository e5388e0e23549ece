"""From a form sent to Kobo to its row here, by Kobo's own notice: practice Kobo, web server, task."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from assessments import tasks
from assessments.kobo.hooks import set_up_hook
from assessments.models import HookDelivery, KoboForm, KoboSubmission, SyncRun
from assessments.pages import kobo_hook
from assessments.services.kobo_hooks import open_hook, waiting_ids
from assessments.tasks import delete_old_notices, sync_due_forms, sync_kobo_form
from dtm_ops.celery import app
from tests.practice import *  # noqa: F403  fixtures are found by name
from tests.practice import client_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queued(monkeypatch):
    calls = []
    monkeypatch.setattr(sync_kobo_form, "apply_async", lambda args, kwargs, **options: calls.append((args, kwargs)))
    return calls


@pytest.fixture
def told(kobo, form, administrator, live_server):
    """The form with a service at the practice Kobo that sends here."""
    opened = open_hook(form, by=administrator)
    kobo.hooks.pause = 0.05
    with client_of(form) as client:
        endpoint = f"{live_server.url}/kobo/hook/{opened.hook_path}/"
        set_up_hook(client.connection, form.asset_uid, endpoint=endpoint, secret=opened.hook_secret)
    KoboForm.objects.update(next_sync_at=timezone.now() + timedelta(minutes=10))
    return opened


def states(form):
    return list(HookDelivery.objects.filter(form=form).order_by("pk").values_list("kobo_id", "times", "state"))


def test_form_sent_to_kobo_is_here_after_the_task_of_its_notice(kobo, told, submit, queued):
    kobo_id = submit()
    assert kobo.hooks.wait()

    assert states(told) == [(kobo_id, 1, "waiting")]
    assert json.loads(HookDelivery.objects.get().body)["_id"] == kobo_id
    assert queued == [((told.pk,), {"trigger": "hook"})]
    assert sync_kobo_form(told.pk, "hook") == "closed"

    assert list(KoboSubmission.objects.values_list("kobo_id", flat=True)) == [kobo_id]
    assert states(told) == [(kobo_id, 1, "pulled")]
    assert list(SyncRun.objects.values_list("trigger", "new")) == [("hook", 1)]
    assert (waiting_ids(told), sync_kobo_form(told.pk, "hook")) == ([], "not_due")


def test_notice_whose_task_was_lost_is_read_by_the_next_tick(kobo, told, submit, queued, monkeypatch):
    due = []
    monkeypatch.setattr(sync_kobo_form, "delay", due.append)
    assert sync_due_forms() == 0
    submit()
    assert kobo.hooks.wait()

    assert sync_due_forms() == 1

    assert due == [told.pk]
    assert sync_kobo_form(told.pk) == "closed"
    assert [state for _kobo_id, _times, state in states(told)] == ["pulled"]


def test_notice_refused_by_a_database_that_is_away_comes_again(kobo, told, submit, queued, monkeypatch):
    """503 and nothing else: what Kobo repeats (surprise 38)."""
    real, calls = kobo_hook.find_hook, []

    def fail_twice(path, secret):
        calls.append(path)
        if len(calls) < 3:
            raise ConnectionError("away")
        return real(path, secret)

    monkeypatch.setattr(kobo_hook, "find_hook", fail_twice)
    kobo_id = submit()

    assert kobo.hooks.wait()
    assert (len(calls), states(told)) == (3, [(kobo_id, 1, "waiting")])


def test_notice_of_a_row_that_kobo_does_not_list_yet_waits_for_it(kobo, told, submit, queued):
    kobo_id = submit(hidden=True)
    assert kobo.hooks.wait()

    assert sync_kobo_form(told.pk, "hook") == "closed"
    assert states(told) == [(kobo_id, 1, "waiting")]

    kobo.show(kobo_id)
    assert sync_kobo_form(told.pk, "button") == "closed"
    assert states(told) == [(kobo_id, 1, "pulled")]


def test_flood_of_real_notices_is_one_task_and_one_run(kobo, told, submit, queued, monkeypatch):
    monkeypatch.setattr(tasks, "NOTICE_MARK", 600)
    ids = [submit() for _number in range(25)]
    assert kobo.hooks.wait(60)

    assert len(queued) == 1
    assert sync_kobo_form(told.pk, "hook") == "closed"
    assert states(told) == [(kobo_id, 1, "pulled") for kobo_id in sorted(ids)]


def test_old_notices_are_deleted_by_a_task_of_beat(form, settings):
    HookDelivery.objects.create(form=form, received_at=timezone.now() - timedelta(days=31))
    entry = settings.CELERY_BEAT_SCHEDULE["delete-old-notices"]

    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
    assert delete_old_notices() == 1
