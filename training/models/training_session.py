from datetime import datetime, time
from typing import Final

import pghistory
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from training.enums import AttendanceHow, AttendanceState, EnrolmentStatus, HalfDayPart
from training.models.course import Course, percent
from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.querysets import EnrolmentQuerySet, TrainingSessionQuerySet

USUAL_HOURS: Final[dict[str, tuple[time, time]]] = {
    HalfDayPart.MORNING: (time(9), time(13)),
    HalfDayPart.AFTERNOON: (time(14), time(18)),
}


@pghistory.track()
class TrainingSession(models.Model):
    """A training of enumerators: half-days with topics, on line or at a venue, covering form kinds in a major
    version.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    course = models.ForeignKey(
        Course, on_delete=models.PROTECT, null=True, blank=True, related_name="training_sessions",
        verbose_name=_("course"),
    )  # fmt: skip
    title = models.CharField(_("title"), max_length=160)
    venue = models.CharField(_("venue"), max_length=160, blank=True)
    link = models.URLField(_("online link"), blank=True)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default="ru")
    trainer = models.CharField(_("trainers"), max_length=160, blank=True)
    # NULL: as many as come.
    seats = models.PositiveSmallIntegerField(_("seats"), null=True, blank=True, validators=[MinValueValidator(1)])
    # Percent; NULL: there is no such test, and the certificate asks for none.
    theory_pass_mark = models.PositiveSmallIntegerField(
        _("pass mark, theory, %"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    practical_pass_mark = models.PositiveSmallIntegerField(
        _("pass mark, practical, %"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )

    objects = TrainingSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("training session")
        verbose_name_plural = _("training sessions")
        ordering = ["-code"]
        constraints = [
            models.CheckConstraint(
                condition=percent("theory_pass_mark") & percent("practical_pass_mark"),
                name="training_pass_marks_percent",
                violation_error_message=_("A pass mark is a percentage from 1 to 100."),
            ),
            models.CheckConstraint(
                condition=Q(seats=None) | Q(seats__gte=1),
                name="training_has_a_seat",
                violation_error_message=_("A training has one seat at least."),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class TrainedForm(models.Model):
    """A form kind, in a major version, that a training session covers."""

    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.CASCADE, related_name="trained_forms", verbose_name=_("training session")
    )
    form_kind = models.ForeignKey(FormKind, on_delete=models.PROTECT, verbose_name=_("form kind"))
    major_version = models.PositiveSmallIntegerField(_("major version"), default=1, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("form covered")
        verbose_name_plural = _("forms covered")
        ordering = ["form_kind__order", "major_version"]
        constraints = [
            models.UniqueConstraint(
                fields=["training_session", "form_kind", "major_version"],
                name="trainedform_once_a_session",
                violation_error_message=_("This training session covers this form already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.form_kind} {self.major_version}"


class TrainingHalfDay(models.Model):
    """One morning or afternoon of a training session."""

    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.CASCADE, related_name="half_days", verbose_name=_("training session")
    )
    day = models.DateField(_("day"))
    part = models.CharField(_("part of the day"), max_length=2, choices=HalfDayPart.choices)
    topic = models.CharField(_("topic"), max_length=240, blank=True)
    # Local time of the mission's desk. NULL: the usual hours of the part (see `opens_at`).
    starts_at = models.TimeField(_("begins"), null=True, blank=True)
    ends_at = models.TimeField(_("ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("half-day")
        verbose_name_plural = _("half-days")
        ordering = ["day", "part"]
        constraints = [
            models.UniqueConstraint(
                fields=["training_session", "day", "part"],
                name="halfday_once_a_session",
                violation_error_message=_("This half-day is already in the training session."),
            ),
            models.CheckConstraint(
                condition=Q(starts_at=None, ends_at=None)
                | Q(starts_at__isnull=False, ends_at__isnull=False, ends_at__gt=F("starts_at")),
                name="halfday_hours_in_order",
                violation_error_message=_("A half-day that begins at a time ends at a later one."),
            ),
        ]

    def __str__(self) -> str:
        return f"{date_format(self.day, 'SHORT_DATE_FORMAT')} {self.get_part_display()}"

    @property
    def opens_at(self) -> datetime:
        return self._at(self.starts_at or USUAL_HOURS[self.part][0])

    @property
    def closes_at(self) -> datetime:
        return self._at(self.ends_at or USUAL_HOURS[self.part][1])

    def _at(self, moment: time) -> datetime:
        return timezone.make_aware(datetime.combine(self.day, moment), timezone.get_default_timezone())


class AgendaBlock(models.Model):
    """A part of a half-day: how long, about what, who speaks."""

    half_day = models.ForeignKey(
        TrainingHalfDay, on_delete=models.CASCADE, related_name="blocks", verbose_name=_("half-day")
    )
    order = models.PositiveSmallIntegerField(_("order"), default=0)
    minutes = models.PositiveSmallIntegerField(
        _("minutes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(600)]
    )
    topic = models.CharField(_("topic"), max_length=240)
    speaker = models.CharField(_("speaker"), max_length=160, blank=True)

    class Meta:
        verbose_name = _("agenda block")
        verbose_name_plural = _("agenda")
        ordering = ["half_day", "order", "pk"]

    def __str__(self) -> str:
        return self.topic


@pghistory.track()
class Enrolment(models.Model):
    """A person who is to come to a training session, was asked, or waits for a seat."""

    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("training session")
    )
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="enrolments", verbose_name=_("enumerator")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=EnrolmentStatus.choices, default=EnrolmentStatus.ENROLLED, editable=False
    )
    enrolled_at = models.DateTimeField(_("enrolled at"), default=timezone.now, editable=False)
    invited_at = models.DateTimeField(_("invited at"), null=True, editable=False)
    replied_at = models.DateTimeField(_("replied at"), null=True, editable=False)
    reminded_at = models.DateTimeField(_("reminded at"), null=True, editable=False)
    reply_note = models.CharField(_("what the person wrote"), max_length=240, blank=True, editable=False)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        ordering = ["enumerator__code"]
        constraints = [
            models.UniqueConstraint(
                fields=["training_session", "enumerator"],
                name="enrolment_once_a_session",
                violation_error_message=_("This person is already enrolled."),
            ),
            models.CheckConstraint(condition=Q(status__in=EnrolmentStatus.values), name="enrolment_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.enumerator}"


@pghistory.track()
class Attendance(models.Model):
    """Whether an enrolled person was there in a half-day. No row: not recorded yet."""

    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.CASCADE, related_name="attendances", verbose_name=_("enrolment")
    )
    half_day = models.ForeignKey(
        TrainingHalfDay, on_delete=models.PROTECT, related_name="attendances", verbose_name=_("half-day")
    )
    state = models.CharField(_("attendance"), max_length=8, choices=AttendanceState.choices)
    reason = models.CharField(_("reason"), max_length=160, blank=True)
    how = models.CharField(
        _("recorded"), max_length=6, choices=AttendanceHow.choices, default=AttendanceHow.DESK, editable=False
    )
    # NULL: the person, by a link; or nobody known.
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+",
        verbose_name=_("recorded by"),
    )  # fmt: skip
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("attendance")
        verbose_name_plural = _("attendance")
        ordering = ["half_day__day", "half_day__part", "enrolment__enumerator__code"]
        constraints = [
            models.UniqueConstraint(
                fields=["enrolment", "half_day"],
                name="attendance_once_a_half_day",
                violation_error_message=_("The attendance of this person is recorded for this half-day already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=AttendanceState.values),
                name="attendance_state_known",
                violation_error_message=_("Choose present, late or absent."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment} {self.half_day}: {self.get_state_display()}"
