import pghistory
from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from training.enums import AttendanceState, HalfDayPart
from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.querysets import TrainingSessionQuerySet


@pghistory.track()
class TrainingSession(models.Model):
    """A training of enumerators: half-days with topics, on line or at a venue, covering form kinds in a major
    version.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    title = models.CharField(_("title"), max_length=160)
    venue = models.CharField(_("venue"), max_length=160, blank=True)
    link = models.URLField(_("online link"), blank=True)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default="ru")
    trainer = models.CharField(_("trainer"), max_length=160, blank=True)

    objects = TrainingSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("training session")
        verbose_name_plural = _("training sessions")
        ordering = ["-code"]

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
        ]

    def __str__(self) -> str:
        return f"{date_format(self.day, 'SHORT_DATE_FORMAT')} {self.get_part_display()}"


class Enrolment(models.Model):
    """A person invited to a training session."""

    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.CASCADE, related_name="enrolments", verbose_name=_("training session")
    )
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="enrolments", verbose_name=_("enumerator")
    )

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
