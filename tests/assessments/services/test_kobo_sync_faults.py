"""Kobo on a bad day: the run says what it was, in words, and the next one completes."""

import logging

import pytest
from django.db import connection
from django.utils import timezone, translation

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import _SENTENCES, KoboError, KoboRejected, KoboUnavailable
from assessments.messages import KOBO, kobo_message, run_message
from assessments.models import KoboForm, KoboSubmission, SyncRun
from assessments.services.kobo_sync import LOCK_SPACE, sync_form
from dtm_ops.common.errors import Refused
from tests.concurrently import in_another_connection
from tests.practice import ASSET, client_of, kobos_copy, last_run, our_copy, sync

pytestmark = pytest.mark.django_db

FAULTS = [
    ("bad_gateway", "server_unavailable"),
    ("unavailable", "server_unavailable"),
    ("gateway_timeout", "server_unavailable"),
    ("too_many", "too_many_requests"),
    ("server_error", "server_error"),
    ("html", "not_json"),
    ("cut", "connection_cut"),
    ("wrong_json", "bad_answer"),
]


@pytest.mark.parametrize("skip", [0, 2, 4])
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_fault_is_said_by_the_run_and_healed_by_the_next(kobo, form, submit, fault, code, skip):
    for _unused in range(8):
        submit()
    kobo.misbehave(fault, skip=skip, times=20)

    with pytest.raises(KoboUnavailable):
        sync(form, page_size=2)

    run = last_run(form)
    assert (run.outcome, run.error_code, run.error_params["host"]) == ("failed", code, form.server.base_url[7:])
    assert run.finished_at is not None
    assert run.new == KoboSubmission.objects.count()
    assert form.server.base_url[7:] in run_message(run)
    kobo.behave()
    assert (sync(form).outcome, our_copy(form)) == ("closed", kobos_copy(kobo, ASSET))


def test_slow_drip_times_out_and_heals(kobo, form, submit):
    submit()
    kobo.misbehave("slow", seconds=30)
    impatient = KoboClient(form.server.base_url, form.server.token, retries=0, read_timeout=0.2)

    with impatient, pytest.raises(KoboUnavailable):
        sync_form(form, client=impatient, trigger="command", page_size=1)

    assert (last_run(form).outcome, last_run(form).error_code) == ("failed", "timed_out")
    assert sync(form).outcome == "closed"


def test_short_trouble_is_ridden_out(kobo, form, submit):
    submit()
    kobo.misbehave("bad_gateway", times=2)

    with client_of(form, retries=3) as client:
        assert sync_form(form, client=client, trigger="command").outcome == "closed"


def test_wrong_token_is_said_and_deletes_nothing(kobo, form, submit):
    submit()
    sync(form)
    form.server.token = "0" * 40
    form.server.save()

    with pytest.raises(KoboRejected):
        sync(form)

    assert (last_run(form).outcome, last_run(form).error_code) == ("failed", "bad_token")
    assert KoboSubmission.objects.present().count() == 1


def test_missing_project_is_an_alarm_and_no_deletion(kobo, form, submit):
    submit()
    sync(form)
    kobo.delete_asset(form.asset_uid)

    with pytest.raises(KoboRejected):
        sync(form)

    run = last_run(form)
    assert (run.outcome, run.error_code, run.error_params["asset_uid"]) == ("failed", "no_project", ASSET)
    assert "Nothing was deleted here" in run_message(run)
    assert KoboSubmission.objects.present().count() == 1


def test_lost_right_is_an_alarm_and_no_deletion(kobo, form, submit):
    submit()
    form.server.token = kobo.create_user("reader")
    form.server.save()
    kobo.grant(form.asset_uid, "reader", "view_submissions")
    sync(form)
    kobo.revoke(form.asset_uid, "reader")

    with pytest.raises(KoboRejected):
        sync(form)

    assert (last_run(form).error_code, KoboSubmission.objects.present().count()) == ("no_project", 1)


def test_nobody_listens_is_said(form):
    form.server.base_url = "http://127.0.0.1:9"
    form.server.save()

    with pytest.raises(KoboUnavailable):
        sync(form)

    assert last_run(form).error_code == "connection_failed"


def test_defect_of_ours_is_recorded_and_raised(form, submit, monkeypatch):
    submit()
    monkeypatch.setattr("assessments.services.kobo_rows.RowReader.read", lambda *_args: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        sync(form)

    assert (last_run(form).outcome, last_run(form).error_code) == ("failed", "internal")


def test_interrupted_run_is_told_as_broken_off_and_goes_on_at_the_next_tick(form, submit):
    submit()

    def interrupt(run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(form, on_page=interrupt)

    assert (last_run(form).outcome, last_run(form).new) == ("lost", 1)
    assert KoboForm.objects.due(timezone.now()).get() == form
    assert sync(form).outcome == "closed"


def test_finished_run_sets_the_next_one(form):
    sync(form)

    form.refresh_from_db()
    assert 14 < (form.next_sync_at - timezone.now()).total_seconds() / 60 <= 15


# --- words


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_every_code_of_kobo_has_a_sentence_that_needs_nothing_else(language):
    with translation.override(language):
        assert _SENTENCES.keys() <= KOBO.keys()
        for code in KOBO:
            assert kobo_message(code, {"host": "kobo.example"})
            assert kobo_message(code, {})
        assert "brand_new" in kobo_message("brand_new", {})


def test_every_error_that_is_raised_gives_what_its_sentence_needs(kobo, form, submit):
    """No question mark stands where a number or a name belongs."""
    for fault, _code in FAULTS:
        kobo.behave()
        kobo.misbehave(fault, times=20)
        with pytest.raises(KoboError):
            sync(form)
        assert "?" not in run_message(last_run(form))


# --- one at a time


@pytest.mark.django_db(transaction=True)
def test_second_caller_is_refused_while_a_run_lasts(form, submit):
    submit()
    said = []

    def try_another(run):
        said.append(in_another_connection(lambda: sync(form)))

    assert sync(form, on_page=try_another).outcome == "closed"

    assert [(type(error), error.code) for error in said] == [(Refused, "sync_running")]
    assert SyncRun.objects.filter(form=form).count() == 1


@pytest.mark.django_db(transaction=True)
def test_runs_of_two_forms_do_not_wait_for_each_other(kobo, form, submit):
    submit()
    kobo.create_asset("aOther", "Other", form.server.username, {"survey": []})
    other = KoboForm.objects.create(
        server=form.server, asset_uid="aOther", form_kind=form.form_kind, round=form.round, mapping=form.mapping
    )
    said = []

    sync(form, on_page=lambda run: said.append(in_another_connection(lambda: sync(other).outcome)))

    assert said == ["closed"]


def test_run_whose_worker_died_is_closed_as_lost(form):
    dead = SyncRun.objects.create(form=form, trigger="beat", started_at=timezone.now())

    assert sync(form).outcome == "closed"

    dead.refresh_from_db()
    assert (dead.outcome, dead.finished_at is not None) == ("lost", True)


@pytest.mark.django_db(transaction=True)
def test_database_that_breaks_off_loses_nothing(kobo, form, submit):
    for _unused in range(6):
        submit()

    def break_off(run):
        holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
        in_another_connection(lambda: _execute(holder, [LOCK_SPACE]))

    with pytest.raises(Exception, match="connection"):
        sync(form, page_size=2, on_page=break_off)
    connection.close()

    assert sync(form).outcome == "closed"
    assert our_copy(form) == kobos_copy(kobo, ASSET)
    assert list(SyncRun.objects.order_by("pk").values_list("outcome", flat=True)) == ["failed", "closed"]


def _execute(sql, values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


# --- the token


def test_token_is_in_no_log_and_in_no_run(kobo, form, submit, caplog):
    caplog.set_level(logging.DEBUG)
    submit()
    sync(form)
    token = form.server.token
    for fault, _code in FAULTS:
        kobo.behave()
        kobo.misbehave(fault, times=20)
        with pytest.raises(KoboError):
            sync(form)
    kobo.behave()
    form.server.token = "0" * 40
    form.server.save()
    with pytest.raises(KoboError):
        sync(form)

    assert caplog.records
    written = caplog.text + repr(list(SyncRun.objects.values()))
    assert token not in written
    assert "0" * 40 not in written
