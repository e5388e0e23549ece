"""Connection, runs and the button that starts one."""

from datetime import UTC, datetime

import pytest
from kombu.exceptions import OperationalError

from assessments.admin import sync_page
from assessments.models import SyncRun
from tests.factories.assessments import KoboFormFactory

FORMS = "/admin/assessments/koboform/"
NOW = datetime(2022, 12, 1, 9, tzinfo=UTC)


@pytest.fixture
def form(db):
    return KoboFormFactory()


@pytest.fixture
def queued(monkeypatch):
    """What the button gives to the queue; no worker takes it."""
    calls = []
    monkeypatch.setattr(
        sync_page.sync_kobo_form, "delay_on_commit", lambda *args, **kwargs: calls.append((args, kwargs))
    )
    return calls


def press(client, form):
    return client.post(f"{FORMS}{form.pk}/do/sync/", {"confirmed": "1"}, follow=True)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("role", ["administrator", "manager", "coordinator"])
def test_sync_is_queued_by_whoever_has_a_desk(request, client, form, queued, role):
    user = request.getfixturevalue(role)
    client.force_login(user)

    response = press(client, form)

    assert queued == [((form.pk,), {"trigger": "button", "user_id": user.pk})]
    assert messages_of(response) == ["The sync of A form is queued; its run appears here in a moment."]


@pytest.mark.parametrize("role", ["enumerator", "stranger"])
def test_sync_is_not_started_from_outside_the_desk(request, client, form, queued, role):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))

    press(client, form)

    assert queued == []


def test_queue_that_does_not_answer_is_told_in_words(client, manager, form, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(sync_page.sync_kobo_form, "delay_on_commit", fail)
    client.force_login(manager)

    assert messages_of(press(client, form)) == [
        "Sync now: done for 0 of 1. Skipped: 1 – The queue of background work does not answer: nothing was started. "
        "Tell your administrator."
    ]


def test_form_that_is_switched_off_has_no_button_and_says_why(client, manager, form, queued):
    form.is_active = False
    form.save()
    client.force_login(manager)

    context = client.get(f"{FORMS}{form.pk}/change/").context

    assert [verb.name for verb in context["buttons"]] == ["push_again"]
    assert [(str(label), why) for label, why in context["obstacles"]] == [
        ("Sync now", "the form is not synchronised: switch it on first"),
        ("Compare every row again", "the form is not synchronised: switch it on first"),
    ]


def test_form_page_shows_the_last_runs_with_their_ledger_in_words(client, coordinator, form):
    SyncRun.objects.create(
        form=form,
        trigger="beat",
        started_at=NOW,
        finished_at=NOW,
        outcome="closed",
        at_kobo=3,
        unchanged=1,
        new=2,
        here=3,
    )
    SyncRun.objects.create(
        form=form,
        trigger="beat",
        started_at=NOW.replace(hour=10),
        finished_at=NOW,
        outcome="failed",
        error_code="bad_token",
        error_params={"host": "kobo.example"},
    )
    client.force_login(coordinator)

    runs = client.get(f"{FORMS}{form.pk}/change/").context["runs"]

    assert [(words, tone) for _run, words, tone in runs] == [
        ("kobo.example does not accept the token. Connect the form again with a valid token.", "bad"),
        ("2 new forms.", "good"),
    ]


def test_token_is_on_no_page(client, administrator, form):
    client.force_login(administrator)

    for page in (f"/admin/assessments/koboserver/{form.server_id}/change/", "/admin/assessments/koboserver/", FORMS):
        assert "0123456789abcdef" not in client.get(page).content.decode()


def test_connection_is_not_typed_into_the_form_page(client, administrator, form):
    client.force_login(administrator)

    client.post(
        f"{FORMS}{form.pk}/change/",
        {"is_active": "on", "sync_every": 60, "fetch_media": "asked", "asset_uid": "aOther", "major_version": 9},
    )

    uid = form.asset_uid
    form.refresh_from_db()
    assert (form.sync_every, form.asset_uid, form.major_version) == (60, uid, 1)
