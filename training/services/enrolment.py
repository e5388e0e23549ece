"""Seats, waiting list, invitation and reply. Nothing else writes an enrolment's status.

Every write begins with a lock on the training session: two people who take the last seat at once stand in a line.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.services import change_status, change_statuses
from training.enums import ENROLMENT_STEPS, SEATED, EnrolmentStatus, EnumeratorStatus
from training.models import Enrolment, Enumerator, TrainingHalfDay, TrainingSession
from training.services.invitation_mails import tell_invited, tell_reminded, tell_waiting

REMIND_BEFORE = timedelta(days=1)


@dataclass(slots=True)
class Invited:
    """``without_mail`` have no mailbox: somebody has to pass their link on."""

    mailed: int = 0
    waiting: int = 0
    without_mail: list[Enrolment] = field(default_factory=list)


@transaction.atomic
def enrol(
    training_session: TrainingSession,
    enumerators: Iterable[Enumerator],
    *,
    by: User | None = None,
    at: datetime | None = None,
) -> int:
    """Enrol people in the order given; beyond the seats they go to the waiting list. Who is enrolled already stays as
    they are. Returns how many were added.
    """
    training = _lock(training_session)
    known = set(training.enrolments.values_list("enumerator_id", flat=True))
    people = {person.pk: person for person in enumerators if person.pk not in known}
    added = Enrolment.objects.bulk_create(
        [
            Enrolment(training_session=training, enumerator=person, enrolled_at=at or timezone.now())
            for person in people.values()
        ]
    )
    free = _free_seats(training, without=added)
    if free is not None and free < len(added):
        late = Enrolment.objects.filter(pk__in=[one.pk for one in added[max(free, 0) :]])
        change_statuses(late, EnrolmentStatus.WAITING, allowed=ENROLMENT_STEPS, by=by, at=at)
    return len(added)


@transaction.atomic
def invite(training_session: TrainingSession, *, by: User | None, at: datetime | None = None) -> Invited:
    """Ask everybody who is enrolled and was not asked yet, each in the own language and by a link of their own; who
    waits for a seat is told so. Who was asked before hears nothing again.
    """
    now = at or timezone.now()
    training = _lock(training_session)
    _refuse_late(training, now)
    waiting = _told_to_wait(training)
    done = Invited(waiting=waiting)
    to_ask = training.enrolments.filter(status=EnrolmentStatus.ENROLLED).order_by("enrolled_at", "pk")
    asked = list(to_ask.select_related("enumerator__user"))
    if not asked and not waiting:
        raise Refused(_("Nobody is left to invite: enrol people first."), code="nobody_to_invite")
    for enrolment in asked:
        if _ask(enrolment, by=by, now=now):
            done.mailed += 1
        else:
            done.without_mail.append(enrolment)
    return done


@transaction.atomic
def reply(
    enrolment: Enrolment, *, accepts: bool, note: str = "", by: User | None = None, at: datetime | None = None
) -> Enrolment:
    """The person's word, given by the own link (``by`` None) or told to the desk. It can be taken back until the
    training begins; the desk may write it down later, too. Who accepts when the seats are gone waits; a seat given up
    goes to the first who waits. Returns the row as it is now.
    """
    now = at or timezone.now()
    training = _lock(enrolment.training_session)
    enrolment = Enrolment.objects.select_related("enumerator__user", "training_session").get(pk=enrolment.pk)
    if by is None:
        _refuse_late(training, now)
    also = {"replied_at": now, "reply_note": note.strip()[:240]}
    if accepts:
        _accept(enrolment, training, also, by=by, now=now)
    else:
        _decline(enrolment, training, also, by=by, now=now)
    return enrolment


@transaction.atomic
def fill_seats(training_session: TrainingSession, *, by: User | None = None, at: datetime | None = None) -> int:
    """Free seats go to who waits, in the order of the list; asked at once where invitations are out. Returns how many
    moved up.
    """
    now = at or timezone.now()
    training = _lock(training_session)
    return _fill(training, by=by, now=now)


def refuse_too_few_seats(training_session: TrainingSession, seats: int | None) -> None:
    """Call it under the training's lock: fewer seats than people who have one would turn somebody away in silence."""
    taken = training_session.enrolments.filter(status__in=SEATED).count()
    if seats is not None and seats < taken:
        words = ngettext("%(count)s person has a seat already.", "%(count)s people have a seat already.", taken)
        raise Refused(words % {"count": taken}, code="too_few_seats")


def send_reminders(*, now: datetime | None = None) -> int:
    """Remind every active person with a seat of a training that begins within a day. Idempotent: one reminder a person
    and first day. Returns how many were queued.
    """
    now = now or timezone.now()
    today = timezone.localdate(now)
    soon = TrainingHalfDay.objects.filter(day__range=(today, today + timedelta(days=2)))
    queued = 0
    for training in TrainingSession.objects.filter(pk__in=soon.values("training_session")):
        begins = starts_at(training)
        if begins is not None and begins - REMIND_BEFORE <= now < begins:
            queued += _remind(training, begins, now)
    return queued


def starts_at(training_session: TrainingSession) -> datetime | None:
    return min((half_day.opens_at for half_day in training_session.half_days.all()), default=None)


def ends_at(training_session: TrainingSession) -> datetime | None:
    return max((half_day.closes_at for half_day in training_session.half_days.all()), default=None)


def _lock(training_session: TrainingSession) -> TrainingSession:
    return TrainingSession.objects.select_for_update(of=("self",)).get(pk=training_session.pk)


def _free_seats(training: TrainingSession, *, without: Iterable[Enrolment] = ()) -> int | None:
    """None: as many as come."""
    if training.seats is None:
        return None
    seated = training.enrolments.filter(status__in=SEATED).exclude(pk__in=[one.pk for one in without])
    return training.seats - seated.count()


def _refuse_late(training: TrainingSession, now: datetime) -> None:
    begins, ends = starts_at(training), ends_at(training)
    if begins is None:
        raise Refused(_("This training has no half-days yet: add them first."), code="no_half_days")
    if ends is not None and now >= ends:
        raise Refused(_("This training is over."), code="training_over")
    if now >= begins:
        raise Refused(
            _("The training has begun: tell your coordinator or the trainer if something has changed."),
            code="training_begun",
        )


def _accept(
    enrolment: Enrolment, training: TrainingSession, also: dict[str, object], *, by: User | None, now: datetime
) -> None:
    if enrolment.status == EnrolmentStatus.ACCEPTED:
        _keep_note(enrolment, also)
        return
    if enrolment.status == EnrolmentStatus.WAITING:
        raise Refused(
            _("All seats are taken; %(person)s is on the waiting list.") % {"person": enrolment.enumerator.full_name},
            code="no_seat",
        )
    free = _free_seats(training, without=[enrolment])
    if free is None or free > 0:
        change_status(enrolment, EnrolmentStatus.ACCEPTED, allowed=ENROLMENT_STEPS, by=by, at=now, also=also)
        return
    # Behind those who wait already.
    also = {**also, "enrolled_at": now}
    change_status(enrolment, EnrolmentStatus.WAITING, allowed=ENROLMENT_STEPS, by=by, at=now, also=also)
    tell_waiting(enrolment)


def _decline(
    enrolment: Enrolment, training: TrainingSession, also: dict[str, object], *, by: User | None, now: datetime
) -> None:
    if enrolment.status == EnrolmentStatus.DECLINED:
        _keep_note(enrolment, also)
        return
    change_status(enrolment, EnrolmentStatus.DECLINED, allowed=ENROLMENT_STEPS, by=by, at=now, also=also)
    _fill(training, by=by, now=now)


def _keep_note(enrolment: Enrolment, also: dict[str, object]) -> None:
    """The same answer again: only the words are new."""
    enrolment.reply_note = str(also["reply_note"])
    enrolment.save(update_fields=["reply_note"])


def _fill(training: TrainingSession, *, by: User | None, now: datetime) -> int:
    begins, ends = starts_at(training), ends_at(training)
    if ends is not None and now >= ends:
        return 0
    free = _free_seats(training)
    waiting = training.enrolments.filter(status=EnrolmentStatus.WAITING).order_by("enrolled_at", "pk")
    rows = waiting.select_related("enumerator__user", "training_session")
    next_ones = list(rows if free is None else rows[: max(free, 0)])
    # Once it has begun no link takes an answer: who is in the room has the seat, and nobody is written to.
    is_asking = (begins is None or now < begins) and training.enrolments.exclude(invited_at=None).exists()
    for enrolment in next_ones:
        if is_asking:
            _ask(enrolment, by=by, now=now)
        else:
            change_status(enrolment, EnrolmentStatus.ENROLLED, allowed=ENROLMENT_STEPS, by=by, at=now)
    return len(next_ones)


def _ask(enrolment: Enrolment, *, by: User | None, now: datetime) -> bool:
    """Whether a mail goes out."""
    was_waiting = enrolment.status == EnrolmentStatus.WAITING
    change_status(enrolment, EnrolmentStatus.INVITED, allowed=ENROLMENT_STEPS, by=by, at=now, also={"invited_at": now})
    return tell_invited(enrolment, was_waiting=was_waiting)


def _told_to_wait(training: TrainingSession) -> int:
    """How many on the waiting list heard of it for the first time."""
    waiting = training.enrolments.filter(status=EnrolmentStatus.WAITING).select_related(
        "enumerator__user", "training_session"
    )
    return sum(tell_waiting(enrolment) for enrolment in waiting)


def _remind(training: TrainingSession, begins: datetime, now: datetime) -> int:
    seated = training.enrolments.filter(
        status__in=(EnrolmentStatus.INVITED, EnrolmentStatus.ACCEPTED), enumerator__status=EnumeratorStatus.ACTIVE
    )
    reminded = [
        enrolment.pk
        for enrolment in seated.select_related("enumerator__user", "training_session")
        if tell_reminded(enrolment, begins=begins)
    ]
    Enrolment.objects.filter(pk__in=reminded).update(reminded_at=now)
    return len(reminded)
