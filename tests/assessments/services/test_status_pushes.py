"""The outbox of review decisions: what waits, what reaches Kobo, what happens when Kobo or we fail."""

import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.enums import STATUS_AT_KOBO, PushState, ReviewStatus
from assessments.kobo.errors import KoboUnavailable
from assessments.kobo.practice.faults import KINDS
from assessments.kobo.validation import STATUSES
from assessments.models import KoboForm, KoboServer, KoboSubmission, StatusPush
from assessments.selectors.kobo_status import proposal_for
from assessments.services import status_pushes
from assessments.services.kobo_proposals import keep_ours, take_over
from assessments.services.review import (
    approve_submission,
    give_up_approval,
    reject_submission,
    reopen_review,
    return_submission,
)
from assessments.services.status_pushes import Sending, queue_again, retry_push, send_due_pushes, send_pushes
from assessments.tasks import send_due_statuses, send_form_statuses
from dtm_ops.celery import app
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once, in_another_connection
from tests.factories.assessments import make_submission
from tests.practice import ACCOUNT, client_of
from training.models import FormKind

pytestmark = pytest.mark.django_db

APPROVED, NOT_APPROVED, HOLD = (
    "validation_status_approved", "validation_status_not_approved", "validation_status_on_hold",
)  # fmt: skip
WORDS = {"reason": "other", "text": "Look again"}


@pytest.fixture
def received(kobo, form, submit, target):
    """A submission that is at Kobo and here."""

    def make():
        return make_submission(target, form=form, kobo_id=submit())

    return make


@pytest.fixture
def submission(received):
    return received()


def pushes(submission=None):
    rows = StatusPush.objects.filter(submission=submission) if submission else StatusPush.objects.all()
    return list(rows.order_by("pk").values_list("wanted", "state"))


def send(form, minutes=0, retries=0):
    form = KoboForm.objects.select_related("server").get(pk=form.pk)
    with client_of(form, retries=retries) as client:
        return send_pushes(form, client=client, now=timezone.now() + timedelta(minutes=minutes))


def at_kobo(kobo, submission):
    return kobo.row(submission.kobo_id)["_validation_status"].get("uid", "")


def set_at_kobo(submission, uid, by="somebody", at=None):
    """As a sync would have read it."""
    moment = at or timezone.now()
    KoboSubmission.objects.filter(pk=submission.pk).update(
        kobo_status=uid, kobo_status_by=by, kobo_status_at=moment if uid else None
    )
    submission.refresh_from_db()


# --- the decision writes


def test_every_review_status_stands_for_a_status_that_kobo_knows():
    assert set(STATUS_AT_KOBO) == set(ReviewStatus.values)
    assert set(STATUS_AT_KOBO.values()) - {""} == STATUSES


def test_each_decision_is_queued_and_replaces_the_one_that_waits(submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    reopen_review(submission)
    approve_submission(submission, reviewer=coordinator)
    give_up_approval(submission)
    reject_submission(submission, reviewer=coordinator, **WORDS)

    assert pushes() == [
        (HOLD, "superseded"),
        ("", "superseded"),
        (APPROVED, "superseded"),
        ("", "superseded"),
        (NOT_APPROVED, "pending"),
    ]


def test_first_approval_is_on_hold_until_the_final_one(form, kobo, submission, coordinator, manager):
    form.form_kind.review_steps = 2
    form.form_kind.save()
    submission.refresh_from_db()

    approve_submission(submission, reviewer=coordinator)
    send(form)
    first = at_kobo(kobo, submission)
    approve_submission(submission, reviewer=manager)
    send(form)

    assert (first, at_kobo(kobo, submission)) == (HOLD, APPROVED)
    assert pushes() == [(HOLD, "sent"), (APPROVED, "sent")]


def test_decision_that_is_refused_queues_nothing(submission, coordinator, target):
    rival = make_submission(target, form=submission.form, kobo_id=77)
    approve_submission(rival, reviewer=coordinator)

    with pytest.raises(Refused):
        approve_submission(submission, reviewer=coordinator)

    assert pushes(submission) == []


def test_decision_and_queue_are_one_transaction(submission, coordinator, monkeypatch):
    def stumble(*args, **options):
        raise RuntimeError("killed")

    monkeypatch.setattr("assessments.services.review.queue_push", stumble)
    with pytest.raises(RuntimeError):
        return_submission(submission, reviewer=coordinator, **WORDS)

    submission.refresh_from_db()
    assert (submission.review_status, pushes()) == ("received", [])


def test_form_that_is_not_written_back_queues_nothing_and_sends_nothing_old(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    KoboForm.objects.update(write_back=False)
    assert send(form) == Sending()
    submission = KoboSubmission.objects.get()

    reject_submission(submission, reviewer=coordinator, **WORDS)

    assert (pushes(), at_kobo(kobo, submission)) == ([(HOLD, "superseded")], "")


def test_row_that_is_deleted_at_kobo_is_not_written_to(submission, coordinator):
    KoboSubmission.objects.update(deleted_at=timezone.now())
    submission.refresh_from_db()

    reject_submission(submission, reviewer=coordinator, **WORDS)

    assert pushes() == []


def test_decision_takes_two_queries_for_the_outbox(submission, coordinator):
    submission = KoboSubmission.objects.select_related("form__form_kind", "unit", "target").get()
    with CaptureQueriesContext(connection) as queries:
        return_submission(submission, reviewer=coordinator, **WORDS)

    assert sum("statuspush" in one["sql"] for one in queries) == 2


# --- sending


def test_decisions_reach_kobo_and_are_ours(form, kobo, received, coordinator):
    rows = [received() for _unused in range(3)]
    approve_submission(rows[0], reviewer=coordinator)
    return_submission(rows[1], reviewer=coordinator, **WORDS)
    reject_submission(rows[2], reviewer=coordinator, **WORDS)

    assert send(form) == Sending(sent=3)

    assert [at_kobo(kobo, row) for row in rows] == [APPROVED, HOLD, NOT_APPROVED]
    assert kobo.row(rows[0].kobo_id)["_validation_status"]["by_whom"] == ACCOUNT
    assert [state for _wanted, state in pushes()] == ["sent"] * 3
    assert send(form) == Sending()


def test_review_that_reopens_takes_our_status_away(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    send(form)
    reopen_review(submission)

    send(form)

    assert (at_kobo(kobo, submission), pushes()[-1]) == ("", ("", "sent"))


def test_nothing_due_is_one_query_and_no_request(form, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(status_pushes, "open_client", lambda server: pytest.fail("Kobo was asked"))

    with django_assert_num_queries(1):
        assert send_due_statuses() == 0


def test_sending_takes_the_same_queries_for_one_row_and_for_many(form, received, coordinator):
    def count(rows):
        for _unused in range(rows):
            return_submission(received(), reviewer=coordinator, **WORDS)
        with CaptureQueriesContext(connection) as queries:
            assert send(form).sent == rows
        return len(queries)

    assert count(1) == count(12)


def test_beat_gives_each_form_to_a_worker(form, kobo, submission, coordinator, monkeypatch):
    entry = django_settings.CELERY_BEAT_SCHEDULE["send-due-statuses"]
    assert (entry["task"], entry["options"]) == ("assessments.send_due_statuses", {"expires": 50})
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
    return_submission(submission, reviewer=coordinator, **WORDS)
    queued = []
    monkeypatch.setattr(send_form_statuses, "apply_async", lambda args, **options: queued.append(args))

    assert send_due_statuses() == 1
    assert queued == [(form.pk,)]
    assert send_form_statuses(form.pk) == 1
    assert send_form_statuses(form.pk + 1) == 0
    assert at_kobo(kobo, submission) == HOLD


def test_edit_that_reopens_leaves_what_somebody_else_set(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    send(form)
    kobo.set_validation(submission.kobo_id, APPROVED, by="aliya")
    set_at_kobo(submission, APPROVED, by="aliya")

    reopen_review(submission)

    assert send(form) == Sending()
    assert (at_kobo(kobo, submission), pushes()) == (APPROVED, [(HOLD, "sent"), ("", "superseded")])
    assert proposal_for(submission) is not None


def test_edit_that_reopens_leaves_what_somebody_set_and_no_sync_has_read(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    send(form)
    reopen_review(submission)
    kobo.set_validation(submission.kobo_id, APPROVED, by="aliya")

    assert send(form) == Sending()

    assert (at_kobo(kobo, submission), pushes()) == (APPROVED, [(HOLD, "sent"), ("", "superseded")])


def test_our_approval_over_somebody_elses_goes_when_the_review_reopens(form, kobo, submission, coordinator):
    kobo.set_validation(submission.kobo_id, APPROVED, by="aliya")
    set_at_kobo(submission, APPROVED, by="aliya")
    approve_submission(submission, reviewer=coordinator)
    send(form)
    give_up_approval(submission)

    assert send(form) == Sending(sent=1)

    assert at_kobo(kobo, submission) == ""


def test_status_that_was_set_before_ours_was_taken_away_stays(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    send(form)
    reopen_review(submission)
    kobo.set_validation(submission.kobo_id, APPROVED, by="aliya")
    set_at_kobo(submission, APPROVED, by="aliya")

    assert send(form) == Sending()

    assert (at_kobo(kobo, submission), pushes()) == (APPROVED, [(HOLD, "sent"), ("", "superseded")])


# --- trouble


def test_kobo_that_is_away_is_tried_again_for_as_long_as_it_takes(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    kobo.misbehave("unavailable", times=1000)
    moment, tries = timezone.now(), 0
    while moment < timezone.now() + timedelta(days=1):
        with client_of(form) as client:
            tries += send_pushes(form, client=client, now=moment).later
        push = StatusPush.objects.get()
        pause, moment = push.next_try_at - moment, push.next_try_at
        assert timedelta(minutes=1) <= pause <= timedelta(minutes=75)

    assert (push.state, push.tries, push.error_code) == ("pending", tries, "server_unavailable")
    assert 20 < tries < 40
    kobo.behave()
    with client_of(form) as client:
        assert send_pushes(form, client=client, now=moment) == Sending(sent=1)
    push.refresh_from_db()
    assert (push.state, push.error_code, push.error_params) == ("sent", "", {})


def test_retry_waits_as_long_as_kobo_asks(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    kobo.misbehave("too_many", times=1, retry_after=1800)

    send(form)

    assert StatusPush.objects.get().next_try_at >= timezone.now() + timedelta(minutes=29)


def test_not_due_waits(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    kobo.misbehave("bad_gateway", times=1)
    send(form)

    assert send(form) == Sending()
    assert send(form, minutes=2) == Sending(sent=1)


def test_row_that_is_gone_at_kobo_fails_alone(form, kobo, received, coordinator):
    rows = [received() for _unused in range(5)]
    for row in rows:
        return_submission(row, reviewer=coordinator, **WORDS)
    kobo.delete(rows[3].kobo_id)

    assert send(form) == Sending(sent=4, failed=1)

    failed = StatusPush.objects.get(state=PushState.FAILED)
    assert (failed.submission, failed.error_code) == (rows[3], "no_submission")


def test_right_that_is_missing_fails_and_is_tried_again_by_hand(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    owner = kobo.create_user("owner")
    kobo.create_asset("aElse", "Elsewhere", "owner", {"survey": []})
    KoboForm.objects.update(asset_uid="aElse")
    kobo.grant("aElse", ACCOUNT, "view_submissions")
    assert owner
    assert send(form) == Sending(failed=1)
    push = StatusPush.objects.get()
    assert (push.state, push.error_code, push.error_params["status"]) == ("failed", "forbidden", 403)
    assert form.server.token not in str(push.error_params)
    assert send(form, minutes=600) == Sending()

    KoboForm.objects.update(asset_uid=form.asset_uid)
    retry_push(push)

    assert send(form) == Sending(sent=1)
    assert at_kobo(kobo, submission) == HOLD
    with pytest.raises(Refused) as refused:
        retry_push(push)
    assert refused.value.code == "not_waiting"


def test_server_without_a_usable_token_fails_in_words(form, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    KoboServer.objects.update(token="")

    assert send_due_pushes() == Sending(failed=1)
    assert StatusPush.objects.get().error_code == "bad_token"


def test_decision_after_a_failed_one_replaces_it(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    kobo.delete_asset(form.asset_uid)
    send(form)

    reject_submission(submission, reviewer=coordinator, **WORDS)

    assert pushes() == [(HOLD, "superseded"), (NOT_APPROVED, "pending")]


def test_killed_between_sending_and_noting_sends_again(form, kobo, submission, coordinator, monkeypatch):
    return_submission(submission, reviewer=coordinator, **WORDS)

    def die(*args, **options):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(status_pushes, "_note", die)
        with pytest.raises(SystemExit):
            send(form)
    assert (at_kobo(kobo, submission), pushes()) == (HOLD, [(HOLD, "pending")])

    assert send(form) == Sending(sent=1)
    assert (at_kobo(kobo, submission), pushes()) == (HOLD, [(HOLD, "sent")])


def test_rows_that_kobo_stumbles_over_do_not_keep_the_others_back(form, received, coordinator, monkeypatch):
    """Kobo fails for any call with that row in it: the others get through before it, in ever smaller calls."""
    rows = [received() for _unused in range(6)]
    for row in rows:
        return_submission(row, reviewer=coordinator, **WORDS)
    poison, asked = rows[2].kobo_id, []
    honest = status_pushes.set_statuses

    def stumble(connection, asset_uid, wanted, *, most):
        return honest(_Stumbling(connection, poison, asked), asset_uid, wanted, most=most)

    monkeypatch.setattr(status_pushes, "set_statuses", stumble)
    moment = timezone.now()
    for _unused in range(40):
        with client_of(form) as client:
            send_pushes(form, client=client, now=moment)
        moment += timedelta(minutes=80)

    states = dict(StatusPush.objects.values_list("submission__kobo_id", "state"))
    assert states == {row.kobo_id: "pending" if row.kobo_id == poison else "sent" for row in rows}


class _Stumbling:
    def __init__(self, connection, poison, asked):
        self.connection, self.poison, self.asked, self.host = connection, poison, asked, connection.host

    def send_object(self, *args, json_body, **options):
        if self.poison in json_body["payload"]["submission_ids"]:
            raise KoboUnavailable("server_error", host=self.host, status=500)
        return self.connection.send_object(*args, json_body=json_body, **options)


# --- several at once


@pytest.mark.django_db(transaction=True)
def test_decision_during_the_sending_ends_at_kobo_and_nobody_waits(form, kobo, submission, coordinator, monkeypatch):
    return_submission(submission, reviewer=coordinator, **WORDS)
    honest = status_pushes.set_statuses

    def reject():
        reject_submission(KoboSubmission.objects.get(), reviewer=coordinator, **WORDS)

    def slow(*args, **options):
        monkeypatch.setattr(status_pushes, "set_statuses", honest)
        assert in_another_connection(reject) is None
        # Another worker finds the newer decision, and leaves it: the older one is under way.
        assert in_another_connection(lambda: send(form)) == Sending()
        return honest(*args, **options)

    monkeypatch.setattr(status_pushes, "set_statuses", slow)
    send(form)
    assert pushes() == [(HOLD, "superseded"), (NOT_APPROVED, "pending")]

    assert send(form) == Sending(sent=1)
    assert at_kobo(kobo, submission) == NOT_APPROVED


@pytest.mark.django_db(transaction=True)
def test_decision_that_is_being_made_while_the_answer_is_noted_waits_for_nobody(form, kobo, submission, coordinator):
    return_submission(submission, reviewer=coordinator, **WORDS)
    with transaction.atomic():
        reject_submission(submission, reviewer=coordinator, **WORDS)
        assert in_another_connection(lambda: send(form)) == Sending()  # sent, but its row is being replaced

    assert pushes() == [(HOLD, "superseded"), (NOT_APPROVED, "pending")]
    assert send(form) == Sending(sent=1)
    assert at_kobo(kobo, submission) == NOT_APPROVED


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_leave_one_push_of_the_decision_that_stands(form, kobo, submission, coordinator, manager):
    rows = [KoboSubmission.objects.get() for _unused in range(2)]
    at_once(
        lambda: return_submission(rows[0], reviewer=coordinator, **WORDS),
        lambda: reject_submission(rows[1], reviewer=manager, **WORDS),
    )
    at_once(lambda: send(form), lambda: send(form))

    stands = KoboSubmission.objects.get().review_status
    assert pushes() == [(STATUS_AT_KOBO[stands], "sent")]
    assert at_kobo(kobo, submission) == STATUS_AT_KOBO[stands]


# --- again


def test_everything_that_is_not_at_kobo_is_queued_again(form, kobo, received, coordinator):
    KoboForm.objects.update(write_back=False)
    rows = [received() for _unused in range(4)]
    for row in rows[:3]:
        row.form.write_back = False
        return_submission(row, reviewer=coordinator, **WORDS)
    set_at_kobo(rows[1], HOLD, by=ACCOUNT)
    set_at_kobo(rows[2], APPROVED)
    form.refresh_from_db()
    assert queue_again(form) == 0

    KoboForm.objects.update(write_back=True)
    form.refresh_from_db()

    assert (queue_again(form), queue_again(form)) == (1, 0)
    assert pushes() == [(HOLD, "pending")]
    assert send(form) == Sending(sent=1)
    assert at_kobo(kobo, rows[0]) == HOLD


# --- whatever happens


CHOICE = st.integers(0, 1)
DECISION = st.tuples(CHOICE, st.sampled_from(["approve", "return", "reject", "reopen", "reopen", "give_up"]))
DECIDE = st.tuples(st.just("decide"), DECISION)
FAULT = st.sampled_from([None, None, *KINDS])
SEND = st.tuples(st.just("send"), FAULT, st.integers(0, 1), st.sampled_from([False, False, True]), st.none() | DECISION)
SET = st.tuples(st.just("set"), CHOICE, st.sampled_from(sorted(STATUSES)))
READ = st.tuples(st.just("read"))
ANSWER = st.tuples(st.sampled_from(["keep", "take"]), CHOICE)
DELETE = st.tuples(st.just("delete"), CHOICE)
STEP = st.one_of(DECIDE, DECIDE, DECIDE, DECIDE, SEND, SEND, SEND, SET, READ, READ, ANSWER)
STEPS = st.tuples(st.lists(STEP, min_size=8, max_size=20), st.lists(DELETE, max_size=1), st.lists(STEP, max_size=6))


class _Killed(BaseException):
    pass


@dataclass
class _World:
    """A form with two rows, a Kobo whose clock runs, and a reviewer."""

    kobo: Any
    form: KoboForm
    reviewer: Any
    monkeypatch: Any
    ids: list[int] = field(default_factory=list)
    now: Any = field(default_factory=timezone.now)

    def row(self, choice):
        return KoboSubmission.objects.select_related("form__form_kind", "server").get(kobo_id=self.ids[choice])

    def carry_out(self, step):
        self.now += timedelta(hours=2)
        name, *rest = step
        with suppress(Refused, _Killed):
            getattr(self, name)(*rest)

    def decide(self, decision):
        choice, verb = decision
        row, options = self.row(choice), {"reviewer": self.reviewer}
        if verb == "approve":
            approve_submission(row, **options)
        elif verb == "return":
            return_submission(row, **options, **WORDS)
        elif verb == "reject":
            reject_submission(row, **options, **WORDS)
        elif verb == "reopen" and row.review_status != "approved":
            reopen_review(row)
        elif row.review_status == "approved":
            give_up_approval(row)

    def send(self, fault, skip, is_killed, meanwhile):
        """With a fault at one of the calls, a decision while they are under way, and death before the note."""
        if fault:
            self.kobo.misbehave(fault, times=1, skip=skip, seconds=0.01)
        honest, note = status_pushes.set_statuses, status_pushes._note

        def ask(*args, **options):
            if meanwhile:
                with suppress(Refused):
                    self.decide(meanwhile)
            return honest(*args, **options)

        def write(*args, **options):
            if is_killed:
                raise _Killed
            return note(*args, **options)

        with self.monkeypatch.context() as patch:
            patch.setattr(status_pushes, "set_statuses", ask)
            patch.setattr(status_pushes, "_note", write)
            self.send_now()

    def send_now(self):
        form = KoboForm.objects.select_related("server").get(pk=self.form.pk)
        with client_of(form) as client:
            send_pushes(form, client=client, now=self.now)

    def delete(self, choice):
        if self.ids[choice] in self.kobo.ids(self.form.asset_uid):
            self.kobo.delete(self.ids[choice])

    def set(self, choice, uid):
        if self.ids[choice] in self.kobo.ids(self.form.asset_uid):
            self.kobo.set_validation(self.ids[choice], uid, by="aliya")

    def read(self):
        """What a sync tells of statuses and deletions."""
        there = self.kobo.ids(self.form.asset_uid)
        for kobo_id in self.ids:
            row = KoboSubmission.objects.filter(kobo_id=kobo_id)
            if kobo_id not in there:
                row.update(deleted_at=self.now)
                continue
            found = self.kobo.row(kobo_id)["_validation_status"]
            at = found and datetime.fromtimestamp(found["timestamp"], UTC)
            row.update(
                kobo_status=found.get("uid", ""), kobo_status_by=found.get("by_whom", ""), kobo_status_at=at or None
            )

    def keep(self, choice):
        row = self.row(choice)
        keep_ours(row, reviewer=self.reviewer, shown=key_of(row))

    def take(self, choice):
        row = self.row(choice)
        take_over(row, reviewer=self.reviewer, shown=key_of(row), **WORDS)

    def come_to_rest(self):
        self.kobo.behave()
        for _unused in range(3):
            self.now += timedelta(hours=2)
            self.send_now()
        self.read()


def key_of(row):
    proposal = proposal_for(row)
    return proposal.key if proposal else ""


@settings(max_examples=40)
@given(steps=STEPS.map(lambda parts: [*parts[0], *parts[1], *parts[2]]))
def test_whatever_happens_kobo_ends_with_what_our_review_says(steps, kobo, form, submit, target, manager, monkeypatch):
    """Unless somebody at Kobo says otherwise: then a reviewer is shown it."""
    FormKind.objects.update(one_per_target=False)
    ticks = itertools.count()
    start = timezone.now()
    kobo.clock = lambda: start + timedelta(seconds=next(ticks))
    world = _World(kobo, KoboForm.objects.get(pk=form.pk), manager, monkeypatch)
    world.ids = [submit() for _unused in range(2)]
    for kobo_id in world.ids:
        make_submission(target, form=world.form, kobo_id=kobo_id)

    for step in steps:
        world.carry_out(step)
    world.come_to_rest()

    there = set(world.ids) & set(kobo.ids(form.asset_uid))
    rows = [world.row(choice) for choice in range(2) if world.ids[choice] in there]
    expected = {row.kobo_id: STATUS_AT_KOBO[row.review_status] for row in rows}
    found = {row.kobo_id: at_kobo(kobo, row) for row in rows}
    proposals = {row.kobo_id for row in rows if proposal_for(row)}
    assert {key: uid for key, uid in found.items() if key not in proposals} == {
        key: uid for key, uid in expected.items() if key not in proposals
    }
    assert all(kobo.row(key)["_validation_status"]["by_whom"] == "aliya" for key in proposals)
    waiting = StatusPush.objects.filter(submission__in=[row.pk for row in rows]).open()
    assert list(waiting) == []
