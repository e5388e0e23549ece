"""Celery's way into the sync: what is due, what is retried, what is not."""

from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.conf import settings
from django.utils import timezone

from assessments.kobo.errors import KoboUnavailable
from assessments.models import KoboForm, SyncRun
from assessments.tasks import sync_due_forms, sync_kobo_form
from dtm_ops.celery import app
from tests.factories.assessments import KoboFormFactory
from tests.practice import *  # noqa: F403  fixtures are found by name

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued(monkeypatch):
    keys = []
    monkeypatch.setattr(sync_kobo_form, "delay", keys.append)
    return keys


def test_beat_asks_each_minute_for_what_is_due():
    entry = settings.CELERY_BEAT_SCHEDULE["sync-due-forms"]

    assert (entry["task"], entry["schedule"]) == ("assessments.sync_due_forms", 60.0)
    app.loader.import_default_modules()
    assert {entry["task"], "assessments.sync_kobo_form"} <= app.tasks.keys()


def test_due_forms_are_given_to_workers(queued, target):
    now = timezone.now()
    moments = [None, now - timedelta(minutes=1), now + timedelta(minutes=1)]
    forms = [KoboFormFactory(round=target.round, form_kind=target.form_kind, next_sync_at=moment) for moment in moments]
    KoboFormFactory(round=target.round, form_kind=target.form_kind, is_active=False)

    assert sync_due_forms() == 2
    assert sorted(queued) == [form.pk for form in forms[:2]]


def test_task_runs_the_sync_for_who_pressed_the_button(form, submit, coordinator):
    submit()

    assert sync_kobo_form(form.pk, "button", coordinator.pk) == "closed"

    run = SyncRun.objects.get()
    assert (run.trigger, run.by, run.new) == ("button", coordinator, 1)


def test_task_of_a_form_that_is_gone_or_switched_off_does_nothing(form):
    assert sync_kobo_form(form.pk + 1) == "gone"
    KoboForm.objects.update(is_active=False)
    assert sync_kobo_form(form.pk) == "gone"
    assert not SyncRun.objects.exists()


def test_tick_that_waited_while_the_form_was_synced_does_not_run_it_again(form, submit):
    submit()

    assert [sync_kobo_form(form.pk), sync_kobo_form(form.pk)] == ["closed", "not_due"]
    assert sync_kobo_form(form.pk, "button") == "closed"
    assert list(SyncRun.objects.order_by("pk").values_list("trigger", flat=True)) == ["beat", "button"]


def test_task_is_not_retried_where_a_person_has_to_act(kobo, form):
    kobo.delete_asset(form.asset_uid)

    assert sync_kobo_form(form.pk) == "no_project"
    assert SyncRun.objects.get().error_code == "no_project"


def test_task_is_retried_later_when_kobo_is_away(form, monkeypatch):
    form.server.base_url = "http://127.0.0.1:9"
    form.server.save()
    monkeypatch.setattr("assessments.kobo.connection.time.sleep", lambda _seconds: None)

    with pytest.raises((KoboUnavailable, Retry)):
        sync_kobo_form(form.pk)

    assert SyncRun.objects.get().error_code == "connection_failed"
    assert (sync_kobo_form.max_retries, sync_kobo_form.acks_late) == (4, True)
