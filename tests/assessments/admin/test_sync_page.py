"""The page of a form's sync: what it says in each state, what its numbers open, and who may do what about it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from assessments.admin import sync_page as admin_page
from assessments.models import KoboForm, KoboSubmission, SyncRun
from assessments.querysets import SYNC_LOCK
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, add_revision, make_submission

FORMS = "/admin/assessments/koboform/"
GONE = {"outcome": "red", "error_code": "rows_gone", "error_params": {"gone": 6, "here": 8}}


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def form(target):
    return KoboFormFactory(round=target.round, form_kind=target.form_kind, name="Sub-area")


@pytest.fixture
def held(form):
    """A worker is on it: whoever reads pg_locks sees it, also in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [SYNC_LOCK, form.pk])
        yield
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SYNC_LOCK, form.pk])


def run_of(form, *, minutes=5, **columns):
    at = timezone.now() - timedelta(minutes=minutes)
    finished = None if columns.get("outcome") == "running" else at
    return SyncRun.objects.create(form=form, trigger="beat", started_at=at, finished_at=finished, **columns)


def sections(client, user, form):
    client.force_login(user)
    return client.get(f"{FORMS}{form.pk}/change/").context


def press(client, form, verb, **data):
    return client.post(f"{FORMS}{form.pk}/do/{verb}/", {"confirmed": "1", **data}, follow=True)


def said(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("role", ["administrator", "manager", "coordinator"])
def test_run_is_stopped_once_by_whoever_has_a_desk(request, client, form, role):
    run = run_of(form, outcome="running")
    client.force_login(request.getfixturevalue(role))

    first, second = press(client, form, "stop"), press(client, form, "stop")

    run.refresh_from_db()
    assert run.stop_asked_by == request.getfixturevalue(role)
    assert said(first) == ["The run ends after the page that it is reading. What it has stored stays."]
    assert said(second) == ["Stop this run: done for 0 of 1. Skipped: 1 – Somebody has stopped it already."]


def test_run_is_not_stopped_from_outside_the_desk(client, form, enumerator):
    run = run_of(form, outcome="running")
    client.force_login(enumerator.user)

    client.post(f"{FORMS}{form.pk}/do/stop/", {"confirmed": "1"})

    run.refresh_from_db()
    assert (run.stop_asked_at, client.get(f"{FORMS}{form.pk}/live/").status_code) == (None, 302)


def test_run_that_is_over_is_not_stopped(client, form, manager):
    run = run_of(form, outcome="closed")
    client.force_login(manager)

    assert said(press(client, form, "stop")) == [
        "Stop this run: done for 0 of 1. Skipped: 1 – This run is over already."
    ]

    run.refresh_from_db()
    assert run.stop_asked_at is None


def test_every_row_is_compared_again_by_a_button(client, form, manager, monkeypatch):
    queued = []
    monkeypatch.setattr(admin_page.sync_kobo_form, "delay_on_commit", lambda *args, **more: queued.append((args, more)))
    client.force_login(manager)

    press(client, form, "sync_full")

    assert queued == [((form.pk,), {"trigger": "button", "user_id": manager.pk, "full": True})]


def test_deletions_are_let_through_by_an_administrator_who_says_that_they_were_meant(client, form, administrator):
    run = run_of(form, **GONE)
    client.force_login(administrator)

    asked = press(client, form, "let_through", run=run.pk)
    form.refresh_from_db()
    assert (asked.context["form"].errors, form.deletions_released) == (
        {"on_purpose": ["This field is required."]},
        None,
    )
    assert "6 of 8 forms are here and not at Kobo any more." in asked.content.decode()

    done = press(client, form, "let_through", run=run.pk, on_purpose="on")

    form.refresh_from_db()
    assert (form.deletions_released, form.next_sync_at, form.swept_at) == (6, None, None)
    assert said(done) == ["The next run marks 6 forms as deleted, after Kobo has confirmed each of them."]


def test_deletions_are_not_let_through_for_a_run_that_was_not_shown(client, form, administrator):
    shown = run_of(form, minutes=30, **GONE)
    run_of(form, **GONE)
    client.force_login(administrator)

    answer = press(client, form, "let_through", run=shown.pk, on_purpose="on")

    assert answer.context["form"].errors == {"run": ["Another run has ended meanwhile: look at it first."]}
    assert KoboForm.objects.get().deletions_released is None


@pytest.mark.parametrize("role", ["manager", "coordinator"])
def test_deletions_are_let_through_by_nobody_else_and_the_page_says_who(request, client, form, role):
    run = run_of(form, **GONE)
    context = sections(client, request.getfixturevalue(role), form)

    answer = press(client, form, "let_through", run=run.pk, on_purpose="on")

    assert (context["trouble"]["misses_rows"], context["trouble"]["may_release"]) == (True, False)
    assert answer.status_code == 403
    assert KoboForm.objects.get().deletions_released is None


def test_deletions_are_not_let_through_where_none_are_missed(client, form, administrator):
    run = run_of(form, outcome="closed")
    client.force_login(administrator)

    press(client, form, "let_through", run=run.pk, on_purpose="on")

    assert KoboForm.objects.get().deletions_released is None


def test_numbers_open_as_many_rows_as_they_say(client, form, target, manager):
    old = make_submission(target, form=form, kobo_id=20_001)
    refused = make_submission(target, form=form, kobo_id=20_002, is_refused=True)
    lost = make_submission(target, form=form, kobo_id=20_003)
    KoboSubmission.objects.filter(pk=lost.pk).update(target=None, match_state="unmatched")
    gone = make_submission(target, form=form, kobo_id=20_004)
    now = timezone.now()
    for one in (refused, lost):
        KoboSubmission.objects.filter(pk=one.pk).update(first_seen_at=now)
    KoboSubmission.objects.filter(pk=gone.pk).update(deleted_at=now)
    edit = add_revision(old, {"total": "11"})
    type(edit).objects.filter(pk=edit.pk).update(seen_at=now)
    SyncRun.objects.create(
        form=form, trigger="beat", started_at=now - timedelta(minutes=1), finished_at=now + timedelta(minutes=1),
        outcome="closed", at_kobo=3, new=1, edited=1, refused=1, here=3, deleted=1, unmatched=1,
    )  # fmt: skip
    context = sections(client, manager, form)

    lists = {name: cell for name, cell in context["ledger"].items() if isinstance(cell, tuple) and cell[1]}
    lists |= {str(label): (number, address) for label, number, address, _tone in context["waiting"]}
    opened = {}
    for name, (_number, address) in lists.items():
        response = client.get(address)
        assert response.status_code == 200, (name, address)
        opened[name] = response.context["cl"].result_count

    assert opened == {name: number for name, (number, _address) in lists.items()}
    assert {name: number for name, (number, _address) in lists.items() if number} == {
        "new": 1, "edited": 1, "refused": 1, "here": 3, "deleted": 1, "unmatched": 1,
        "Forms without a target": 1, "Forms that cannot be read": 1,
    }  # fmt: skip


def test_differences_lead_to_the_rows_that_are_here_and_in_reach(client, form, target, coordinator, other_coordinator):
    here = make_submission(target, form=form, kobo_id=20_001)
    run = run_of(form, **GONE, differences={"only_here": [20_001, 20_009], "only_at_kobo": [20_010]})
    page = f"/admin/assessments/kobosubmission/{here.pk}/change/"

    found = {user.username: sections(client, user, form)["differences"] for user in (coordinator, other_coordinator)}

    assert [(str(label), ids) for label, ids in found["coordinator"]] == [
        ("At Kobo, not here", [(20_010, "")]),
        ("Here, not listed at Kobo", [(20_001, page), (20_009, "")]),
    ]
    assert found["other_coordinator"][1][1] == [(20_001, ""), (20_009, "")]
    assert page not in client.get(f"/admin/assessments/syncrun/{run.pk}/change/").content.decode()


def test_address_at_kobo_is_for_administrators(client, form, administrator, coordinator):
    run_of(form, outcome="closed")

    assert sections(client, administrator, form)["kobo_rows"] == (
        f"http://127.0.0.1:8001/#/forms/{form.asset_uid}/data/table"
    )
    assert sections(client, coordinator, form)["kobo_rows"] == ""


def test_page_and_the_part_that_is_asked_for_again_say_the_same(client, form, manager, held):
    run_of(form, outcome="running", step="sweep", done=120_000, expected=100_000)
    context = sections(client, manager, form)

    part = client.get(f"{FORMS}{form.pk}/live/")

    assert (context["progress"]["share"], part.context["progress"]["share"], part.context["pace"]) == (100, 100, 2)
    assert 'value="100000"' in part.content.decode()
    assert part.headers["Cache-Control"].startswith("max-age=0")


def test_run_of_a_worker_that_died_shows_no_progress(client, form, manager):
    run_of(form, outcome="running", step="sweep", done=12, expected=100)
    context = sections(client, manager, form)

    assert (context["progress"], context["sync"].state, context["sync"].lost.done) == (None, "retry", 12)


@pytest.mark.parametrize("number", [1, 3])
def test_page_asks_as_often_for_one_run_as_for_three(
    client, form, target, manager, number, held, django_assert_num_queries
):
    for count in range(number):
        make_submission(target, form=form)
        run_of(form, minutes=10 * count + 10, **GONE, differences={"only_here": [count + 1]})
        run_of(form, minutes=10 * count + 11, outcome="closed")
    run_of(form, outcome="running")
    client.force_login(manager)
    client.get(f"{FORMS}{form.pk}/live/")

    with django_assert_num_queries(13):
        client.get(f"{FORMS}{form.pk}/live/")


def test_list_begins_with_the_forms_that_need_somebody(client, form, area, target, manager):
    run_of(form, outcome="closed")
    bad = KoboFormFactory(round=target.round, form_kind=area, name="Bad")
    run_of(bad, **GONE)
    KoboFormFactory(round=target.round, form_kind=area, name="Off", is_active=False)
    client.force_login(manager)

    rows = client.get(FORMS).context["cl"].result_list

    assert [(row.name, row.sync_state) for row in rows] == [("Bad", "red"), ("Sub-area", "good"), ("Off", "off")]


def test_run_page_says_what_it_did_who_stopped_it_and_what_it_rode_out(client, form, manager, coordinator):
    run = run_of(
        form, outcome="stopped", step="sweep", done=1200, expected=5000, stop_asked_by=coordinator,
        stop_asked_at=timezone.now(), requests=7, incidents={"timed_out": 2, "strange": 1},
    )  # fmt: skip
    client.force_login(manager)

    page = client.get(f"/admin/assessments/syncrun/{run.pk}/change/").content.decode()

    wanted = ["Comparing every form with ours: 1,200 of 5,000", "coordinator, ", "1 × strange, 2 × no answer in time"]
    assert [words for words in wanted if words.lower() not in page.lower()] == []
