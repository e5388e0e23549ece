"""Who was there: written by hand, from a sheet, or by the person's own link."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from training.enums import SEATED, AttendanceHow, AttendanceState
from training.models import Attendance, Enrolment, Enumerator, TrainingHalfDay

# Before the beginning people arrive; who comes later than this after it is late.
EARLY: Final = timedelta(minutes=15)
GRACE: Final = timedelta(minutes=15)


def can_be_recorded(half_day: TrainingHalfDay, *, at: datetime | None = None) -> bool:
    return (at or timezone.now()) >= half_day.opens_at - EARLY


@transaction.atomic
def record_attendance(
    half_day: TrainingHalfDay,
    states: Mapping[Enrolment, str],
    *,
    reasons: Mapping[Enrolment, str] | None = None,
    by: User | None = None,
    how: str = AttendanceHow.DESK,
    at: datetime | None = None,
) -> None:
    """Write one half-day's sheet, or nothing. What was recorded before for the same people is replaced (its history
    stays). A reason is kept for who was late or absent.
    """
    now = at or timezone.now()
    if not can_be_recorded(half_day, at=now):
        raise Refused(not_begun_yet(half_day), code="not_begun")
    for enrolment in states:
        if refusal := why_not_recorded(enrolment, half_day):
            raise Refused(refusal, code="not_enrolled")
    if unknown := set(states.values()) - set(AttendanceState.values):
        raise Refused(_("“%(state)s” is no attendance.") % {"state": unknown.pop()}, code="unknown_state")
    Attendance.objects.bulk_create(
        [
            Attendance(
                enrolment=enrolment,
                half_day=half_day,
                state=state,
                reason=_reason(state, (reasons or {}).get(enrolment, "")),
                how=how,
                recorded_by=by,
                recorded_at=now,
            )
            # In one order: two who write the same people wait for one another instead of blocking each other.
            for enrolment, state in sorted(states.items(), key=lambda entry: entry[0].pk)
        ],
        update_conflicts=True,
        unique_fields=["enrolment", "half_day"],
        update_fields=["state", "reason", "how", "recorded_by", "recorded_at"],
    )


@transaction.atomic
def confirm_presence(half_day: TrainingHalfDay, enumerator: Enumerator, *, at: datetime | None = None) -> Attendance:
    """By the half-day's link, while the half-day goes on; late when it began a while ago. What is recorded already
    stays: also an "absent" of the trainer, who has to take it back.
    """
    now = at or timezone.now()
    if not can_be_recorded(half_day, at=now):
        raise Refused(not_begun_yet(half_day), code="not_begun")
    if now > half_day.closes_at:
        raise Refused(
            _("This half-day is over (it ended at %(time)s): attendance can no longer be confirmed by the link. Ask the"
              " trainer to record it.") % {"time": _moment(half_day.closes_at)},
            code="half_day_over",
        )  # fmt: skip
    enrolment = Enrolment.objects.filter(
        training_session=half_day.training_session_id, enumerator=enumerator
    ).select_related("enumerator", "training_session").first()  # fmt: skip
    if enrolment is None:
        raise Refused(
            _("%(person)s is not enrolled in this training session.") % {"person": enumerator}, code="not_enrolled"
        )
    if refusal := why_not_recorded(enrolment, half_day):
        raise Refused(refusal, code="not_enrolled")
    late = now > half_day.opens_at + GRACE
    recorded, _made = Attendance.objects.get_or_create(
        enrolment=enrolment,
        half_day=half_day,
        defaults={
            "state": AttendanceState.LATE if late else AttendanceState.PRESENT,
            "how": AttendanceHow.LINK,
            "recorded_at": now,
        },
    )
    if recorded.state == AttendanceState.ABSENT:
        raise Refused(
            _("The trainer has recorded you as absent. If you are here, tell the trainer."), code="recorded_absent"
        )
    return recorded


def why_not_recorded(enrolment: Enrolment, half_day: TrainingHalfDay) -> str:
    """Why this person has no place on the sheet of that half-day, in words; "": they have."""
    if enrolment.training_session_id != half_day.training_session_id:
        return _("%(person)s is not enrolled in this training session.") % {"person": enrolment.enumerator}
    if enrolment.status not in SEATED:
        return _("%(person)s has no seat (%(status)s): write down first that the person comes.") % {
            "person": enrolment.enumerator,
            "status": enrolment.get_status_display(),
        }
    return ""


def not_begun_yet(half_day: TrainingHalfDay) -> str:
    return _("This half-day begins at %(time)s: attendance cannot be recorded before it.") % {
        "time": _moment(half_day.opens_at)
    }


def _moment(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{time_format(local.time(), 'TIME_FORMAT')}, {date_format(local.date(), 'SHORT_DATE_FORMAT')}"


def _reason(state: str, reason: str) -> str:
    return "" if state == AttendanceState.PRESENT else reason.strip()[:160]
