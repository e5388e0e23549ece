"""Questions about who was asked to a training session and what they said."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Min, Q

from dtm_ops.records.models import Notice
from locations.querysets import AnyUser
from training.enums import EnrolmentStatus
from training.models import Enrolment, Enumerator, TrainingSession


def place_in_line(enrolment: Enrolment) -> int | None:
    """1 is the next to get a seat; None: not on the waiting list."""
    if enrolment.status != EnrolmentStatus.WAITING:
        return None
    ahead = Q(enrolled_at__lt=enrolment.enrolled_at) | Q(enrolled_at=enrolment.enrolled_at, pk__lt=enrolment.pk)
    waiting = Enrolment.objects.filter(training_session=enrolment.training_session_id, status=EnrolmentStatus.WAITING)
    return waiting.filter(ahead).count() + 1


@dataclass(frozen=True, slots=True)
class Invitee:
    """``place`` on the waiting list; ``notice`` is the mail that asked, where there is one."""

    enrolment: Enrolment
    place: int | None
    notice: Notice | None


def invitation_list(training_session: TrainingSession, user: AnyUser) -> list[Invitee]:
    """Everybody enrolled within the reader's reach: who has a seat, who waits in the order of the line, who declined.

    A place on the waiting list counts those out of reach, too.
    """
    line = training_session.enrolments.filter(status=EnrolmentStatus.WAITING).order_by("enrolled_at", "pk")
    places = {pk: place for place, pk in enumerate(line.values_list("pk", flat=True), 1)}
    own = Enumerator.objects.visible_to(user)
    rows = list(training_session.enrolments.filter(enumerator__in=own).select_related("enumerator__home_unit"))
    notices = {notice.key: notice for notice in Notice.objects.filter(key__in=filter(None, map(invitation_key, rows)))}
    rows.sort(key=lambda row: (row.status == EnrolmentStatus.DECLINED, places.get(row.pk, 0), row.enumerator.code))
    return [Invitee(row, places.get(row.pk), notices.get(invitation_key(row))) for row in rows]


def invitation_key(enrolment: Enrolment) -> str:
    """Of the notice that asked the person the last time; "" while nobody has."""
    return f"invitation-{enrolment.pk}-{enrolment.invited_at:%Y%m%d%H%M%S}" if enrolment.invited_at else ""


def coming_trainings(person: Enumerator, *, on: date) -> list[Enrolment]:
    """The person's trainings that are not over, with ``first_day`` and ``last_day``; also those declined, where the
    mind may still be changed.
    """
    rows = Enrolment.objects.filter(enumerator=person).select_related("training_session")
    dated = rows.annotate(
        first_day=Min("training_session__half_days__day"), last_day=Max("training_session__half_days__day")
    )
    return list(dated.filter(last_day__gte=on).order_by("first_day", "pk"))
