"""The attendance of a training, as far as the reader reaches: for the desk, the trainer's phone and the sheet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from locations.querysets import AnyUser
from training.enums import SEATED
from training.models import Attendance, Enrolment, Enumerator, TrainingHalfDay, TrainingSession


@dataclass
class AttendanceSheet:
    """``enrolments`` have a seat, in the order of their codes; ``without_seat`` wait or have declined."""

    training_session: TrainingSession
    half_days: list[TrainingHalfDay]
    enrolments: list[Enrolment]
    without_seat: list[Enrolment]

    @cached_property
    def written(self) -> dict[tuple[int, int], Attendance]:
        """By enrolment and half-day."""
        rows = Attendance.objects.filter(enrolment__in=[*self.enrolments, *self.without_seat])
        return {(one.enrolment_id, one.half_day_id): one for one in rows.select_related("recorded_by")}

    def of(self, enrolment: Enrolment, half_day: TrainingHalfDay) -> Attendance | None:
        return self.written.get((enrolment.pk, half_day.pk))

    def counts(self, half_day: TrainingHalfDay) -> Counter[str]:
        """By attendance; "" counts who is not recorded yet."""
        rows = (self.of(enrolment, half_day) for enrolment in self.enrolments)
        return Counter(row.state if row else "" for row in rows)


def attendance_sheet(training_session: TrainingSession, user: AnyUser) -> AttendanceSheet:
    own = Enumerator.objects.visible_to(user)
    rows = list(training_session.enrolments.filter(enumerator__in=own).select_related("enumerator"))
    return AttendanceSheet(
        training_session=training_session,
        half_days=list(training_session.half_days.all()),
        enrolments=[row for row in rows if row.status in SEATED],
        without_seat=[row for row in rows if row.status not in SEATED],
    )


def half_day_at(half_days: Sequence[TrainingHalfDay], now: datetime, *, early: timedelta) -> TrainingHalfDay | None:
    """The one that goes on, or begins within ``early``."""
    return next((one for one in half_days if one.opens_at - early <= now <= one.closes_at), None)


def half_day_to_show(
    half_days: Sequence[TrainingHalfDay], now: datetime, *, early: timedelta
) -> TrainingHalfDay | None:
    """The one that goes on, else the last that has begun, else the first."""
    begun = [one for one in half_days if one.opens_at <= now]
    return half_day_at(half_days, now, early=early) or (begun[-1] if begun else next(iter(half_days), None))


def paper_sheet(sheet: AttendanceSheet) -> dict[str, Any]:
    """What the printed sheet says, in the reader's language."""
    training = sheet.training_session
    about = [training.venue, training.link, training.trainer]
    return {
        "language": get_language() or "en",
        "title": f"{_('Attendance sheet')}: {training.title}",
        "subtitle": " · ".join(filter(None, about)),
        "guide": _("P present, L late, A absent: the letter in the narrow column, your signature beside it."),
        "code": _("Code"),
        "name": _("Name"),
        "half_days": [str(half_day) for half_day in sheet.half_days],
        "people": [{"code": one.enumerator.code, "name": one.enumerator.full_name} for one in sheet.enrolments],
        "signature": _("Trainer, signature, date:"),
        "footer": training.code,
    }
