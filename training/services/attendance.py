"""Who was there."""

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from training.enums import AttendanceState
from training.models import Attendance, Enrolment, Enumerator, TrainingHalfDay, TrainingSession


def enrol(training_session: TrainingSession, enumerators: Iterable[Enumerator]) -> int:
    """Enrol people; who is enrolled already stays so. Returns how many were added."""
    before = training_session.enrolments.count()
    Enrolment.objects.bulk_create(
        [Enrolment(training_session=training_session, enumerator=person) for person in enumerators],
        ignore_conflicts=True,
    )
    return training_session.enrolments.count() - before


@transaction.atomic
def record_attendance(
    half_day: TrainingHalfDay, states: dict[Enrolment, str], *, reasons: dict[Enrolment, str] | None = None
) -> None:
    """Write one half-day's sheet. What was recorded before for the same people is replaced (its history stays)."""
    strangers = [one for one in states if one.training_session_id != half_day.training_session_id]
    if strangers:
        raise Refused(
            _("%(person)s is not enrolled in this training session.") % {"person": strangers[0].enumerator},
            code="not_enrolled",
        )
    unknown = set(states.values()) - set(AttendanceState.values)
    if unknown:
        raise Refused(_("“%(state)s” is no attendance.") % {"state": unknown.pop()}, code="unknown_state")
    Attendance.objects.bulk_create(
        [
            Attendance(enrolment=one, half_day=half_day, state=state, reason=(reasons or {}).get(one, ""))
            for one, state in states.items()
        ],
        update_conflicts=True,
        unique_fields=["enrolment", "half_day"],
        update_fields=["state", "reason"],
    )
