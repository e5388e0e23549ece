"""The outbox of review decisions: written with the decision, sent to Kobo as validation status by a worker.

At least once: a worker that is killed between Kobo's yes and its own note sends the same status again, which changes
nothing. Of one form one worker sends at a time, and it holds no row while it talks to Kobo: a reviewer never waits, and
a decision made meanwhile is sent after the one that it replaces.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import STATUS_AT_KOBO, PushState
from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError, KoboRejected, KoboUnavailable
from assessments.kobo.payloads import Validation, read_validation
from assessments.kobo.validation import MOST_AT_ONCE, Fate, Outcome, set_statuses
from assessments.models import KoboForm, KoboSubmission, StatusPush
from assessments.querysets import StatusPushQuerySet
from assessments.services.kobo_connection import open_client
from dtm_ops.common.errors import Refused

logger = logging.getLogger(__name__)

# Minutes until the next try, the last one over and over: Kobo may be away for days.
PAUSES: Final = (1, 2, 5, 10, 20, 30, 60)
# Of one form, in one go. The rest waits a minute.
MOST_IN_A_RUN: Final = 2000
MOST_TRIES: Final = 30_000
# The first half of the advisory lock's key; the second is the form's.
LOCK_SPACE: Final = 0x4B6F5075
_jitter = random.SystemRandom()


@dataclass(slots=True)
class Sending:
    """What became of the decisions that were due."""

    sent: int = 0
    failed: int = 0
    later: int = 0

    def add(self, other: "Sending") -> None:
        self.sent, self.failed, self.later = (
            self.sent + other.sent, self.failed + other.failed, self.later + other.later,
        )  # fmt: skip


def queue_push(submission: KoboSubmission, *, at: datetime | None = None) -> StatusPush | None:
    """Put what the review status stands for into the outbox, in the transaction that moved it.

    What still waited, or had failed, is replaced. None: nothing is to be told, because the form is not written back or
    the row is gone at Kobo.
    """
    now = timezone.now()
    StatusPush.objects.open().filter(submission=submission).update(state=PushState.SUPERSEDED, finished_at=now)
    wanted = STATUS_AT_KOBO[submission.review_status]
    if submission.deleted_at is not None or not submission.form.write_back:
        return None
    return StatusPush.objects.create(submission=submission, wanted=wanted, decided_at=at or now, next_try_at=now)


@transaction.atomic
def queue_again(form: KoboForm) -> int:
    """Queue every decision whose status is not at Kobo as far as we know, those that failed included: write-back was
    switched on, the right came back, or a row did. Returns how many.

    What somebody else set at Kobo and nobody has decided about stays: it is a proposal.
    """
    if not form.write_back:
        return 0
    now = timezone.now()
    expected = Case(*(When(review_status=status, then=Value(uid)) for status, uid in STATUS_AT_KOBO.items()))
    rows = KoboSubmission.objects.present().filter(form=form).order_by("pk").select_for_update(of=("self",))
    waiting = StatusPush.objects.filter(state=PushState.PENDING).values("submission")
    asked = KoboSubmission.objects.proposed().order_by().values("pk")
    rows = rows.exclude(Q(pk__in=waiting) | Q(pk__in=asked)).exclude(kobo_status=expected)
    found = dict(rows.values_list("pk", "review_status"))
    StatusPush.objects.open().filter(submission__in=found).update(state=PushState.SUPERSEDED, finished_at=now)
    StatusPush.objects.bulk_create(
        StatusPush(submission_id=pk, wanted=STATUS_AT_KOBO[status], decided_at=now, next_try_at=now)
        for pk, status in found.items()
    )
    return len(found)


def retry_push(push: StatusPush, *, now: datetime | None = None) -> None:
    """Send it with the next tick, from the first try on. Refused for what arrived or was replaced."""
    again = StatusPush.objects.open().filter(pk=push.pk)
    due_at = now or timezone.now()
    waiting = again.update(
        state=PushState.PENDING, finished_at=None, next_try_at=due_at, tries=0, error_code="", error_params={}
    )
    if not waiting:
        raise Refused(_("This decision is at Kobo, or a later one has replaced it."), code="not_waiting")
    push.refresh_from_db()


def forms_with_due_pushes(now: datetime) -> list[int]:
    """One query, and mostly an empty answer."""
    due = StatusPush.objects.due(now).order_by().values_list("submission__form", flat=True)
    return sorted(set(due.distinct()))


def send_due_pushes(now: datetime | None = None) -> Sending:
    """Send what is due, form after form, in this process. The worker's way is a task a form."""
    moment, done = now or timezone.now(), Sending()
    for form in KoboForm.objects.filter(pk__in=forms_with_due_pushes(moment)).select_related("server"):
        done.add(send_pushes(form, now=moment))
    return done


def send_pushes(form: KoboForm, *, client: KoboClient | None = None, now: datetime | None = None) -> Sending:
    """Send what is due of one form. Does nothing where another worker does. Raises no error of Kobo: what went wrong
    stands in the rows.
    """
    moment = now or timezone.now()
    with _alone(form) as is_alone:
        if not is_alone:
            return Sending()
        due = _due(form, moment)
        if not due:
            return Sending()
        if client is not None:
            return _send(client, form, due, moment)
        try:
            opened = open_client(form.server)
        except KoboRejected as error:  # an address or a token that nothing can be asked with
            return _note(due, dict.fromkeys((one.kobo_id for one in due), Outcome(Fate.REFUSED, error)), moment)
        with opened:
            return _send(opened, form, due, moment)


@dataclass(frozen=True, slots=True)
class _Due:
    pk: int
    kobo_id: int
    wanted: str
    tries: int
    # A reviewer has decided about what somebody set at Kobo until then.
    settled_at: datetime | None


def _due(form: KoboForm, now: datetime) -> list[_Due]:
    """Those that failed often come last: one row that Kobo stumbles over must not keep the others back."""
    due = StatusPush.objects.due(now).filter(submission__form=form).order_by("tries", "decided_at", "pk")
    columns = due.values_list("pk", "submission__kobo_id", "wanted", "tries", "submission__kobo_status_settled_at")
    return [_Due(*row) for row in columns[:MOST_IN_A_RUN]]


def _leave_what_others_set(client: KoboClient, form: KoboForm, rows: Sequence[_Due], now: datetime) -> list[_Due]:
    """Of rows whose status is to be taken away: what stands there must be ours, or what a reviewer has decided about.
    The rest is for a reviewer, once the sync has read it. Returns the rows that are left.

    Kobo is asked, since what we have read is older than our own last write, and may be older than somebody else's.
    """
    ids = [one.kobo_id for one in rows if not one.wanted]
    if not ids:
        return list(rows)
    standing = {
        row.get("_id"): read_validation(row)
        for page in client.rows_by_id(form.asset_uid, ids, fields=("_id", "_uuid", "_validation_status"))
        for row in page
        if isinstance(row, dict)
    }
    moot = [one for one in rows if not one.wanted and _is_others(standing.get(one.kobo_id), form, one.settled_at)]
    with transaction.atomic():
        _lock(moot).update(state=PushState.SUPERSEDED, finished_at=now)
    return [one for one in rows if one not in moot]


def _is_others(status: Validation | None, form: KoboForm, settled_at: datetime | None) -> bool:
    if status is None or not status.uid or status.by == form.server.username:
        return False
    return settled_at is None or (status.at is not None and status.at > settled_at)


def _send(client: KoboClient, form: KoboForm, due: Sequence[_Due], now: datetime) -> Sending:
    """Rows that failed together before go in smaller calls: what was too much at once gets through."""
    done = Sending()
    for tries, group in groupby(due, key=lambda one: one.tries):
        rows = list(group)
        most = max(1, MOST_AT_ONCE >> min(tries, 10))
        try:
            rows = _leave_what_others_set(client, form, rows, now)
        except KoboError as error:
            fate = Fate.LATER if isinstance(error, KoboUnavailable) else Fate.REFUSED
            outcomes = {one.kobo_id: Outcome(fate, error) for one in rows if not one.wanted}
        else:
            wanted = {one.kobo_id: one.wanted for one in rows}
            outcomes = set_statuses(client.connection, form.asset_uid, wanted, most=most) if rows else {}
        done.add(_note(rows, outcomes, now))
        if len(outcomes) < len(rows) or any(one.fate is Fate.LATER for one in outcomes.values()):
            _postpone(form, now)
            break
    return done


@transaction.atomic
def _note(rows: Sequence[_Due], outcomes: Mapping[int, Outcome], now: datetime) -> Sending:
    """Write down what Kobo said of the rows that no decision has replaced meanwhile. One that is being replaced right
    now is passed by.
    """
    alike: dict[tuple[Fate, str], list[_Due]] = defaultdict(list)
    for one in rows:
        if outcome := outcomes.get(one.kobo_id):
            alike[outcome.fate, outcome.error.code if outcome.error else ""].append(one)
    done = Sending()
    for (fate, code), group in alike.items():
        error = outcomes[group[0].kobo_id].error
        params = dict(error.params) if error else {}
        if fate is Fate.SENT:
            done.sent += _finish(group, now, state=PushState.SENT)
        elif fate is Fate.LATER:
            done.later += _put_off(group, now, code=code, params=params)
        else:
            code = code or "no_submission"
            done.failed += _finish(group, now, state=PushState.FAILED, code=code, params=params)
            logger.warning("Kobo refused %s decisions: %s", len(group), code)
    return done


def _finish(group: Sequence[_Due], now: datetime, *, state: str, code: str = "", params: Any = None) -> int:
    tries = Least(F("tries") + 1, Value(MOST_TRIES))
    return _lock(group).update(state=state, finished_at=now, tries=tries, error_code=code, error_params=params or {})


def _put_off(group: Sequence[_Due], now: datetime, *, code: str, params: Mapping[str, Any]) -> int:
    tries = min(group[0].tries + 1, MOST_TRIES)
    next_try_at = _pause_from(now, tries, asked=params.get("retry_after"))
    return _lock(group).update(tries=tries, next_try_at=next_try_at, error_code=code, error_params=params)


@transaction.atomic
def _postpone(form: KoboForm, now: datetime) -> None:
    """Those whose turn did not come wait as well: the server is not to be had. It costs them no try."""
    _lock(_due(form, now)).update(next_try_at=_pause_from(now, 1))


def _lock(rows: Sequence[_Due]) -> StatusPushQuerySet:
    """Those that still wait. Never waits for the lock of a decision that is being made: it replaces the row."""
    waiting = StatusPush.objects.filter(pk__in=[one.pk for one in rows], state=PushState.PENDING).order_by("pk")
    return StatusPush.objects.filter(
        pk__in=list(waiting.select_for_update(skip_locked=True).values_list("pk", flat=True))
    )


def _pause_from(now: datetime, tries: int, *, asked: float | None = None) -> datetime:
    """Not for all servers and forms in the same second."""
    pause = timedelta(minutes=PAUSES[min(tries, len(PAUSES)) - 1])
    return now + max(pause, timedelta(seconds=asked or 0)) * _jitter.uniform(1, 1.25)


@contextmanager
def _alone(form: KoboForm) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, form.pk])
        is_alone: bool = cursor.fetchone()[0]
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, form.pk])
