from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.names import named
from training.models.form_kind import FormKind


def percent(field: str) -> Q:
    return Q(**{field: None}) | Q(**{f"{field}__range": (1, 100)})


class Course(models.Model):
    """What is taught, again and again: forms covered, agenda, pass marks. A training session starts as a copy of it.

    Pass marks are percent; NULL: there is no such test. ``certificate_months`` NULL: certificates do not expire.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    names = models.JSONField(_("names"), default=dict, help_text=_("By language: en, ru, kk."))
    description = models.TextField(_("description"), blank=True)
    certificate_months = models.PositiveSmallIntegerField(
        _("certificate holds for, months"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
    )
    theory_pass_mark = models.PositiveSmallIntegerField(
        _("pass mark, theory, %"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    practical_pass_mark = models.PositiveSmallIntegerField(
        _("pass mark, practical, %"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    is_offered = models.BooleanField(_("offered"), default=True)

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=percent("theory_pass_mark") & percent("practical_pass_mark"),
                name="course_pass_marks_percent",
                violation_error_message=_("A pass mark is a percentage from 1 to 100."),
            ),
        ]

    def __str__(self) -> str:
        return named(self.names, fallback=self.code)


class CourseForm(models.Model):
    """A form kind, in a major version, that the course covers."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="forms", verbose_name=_("course"))
    form_kind = models.ForeignKey(FormKind, on_delete=models.PROTECT, verbose_name=_("form kind"))
    major_version = models.PositiveSmallIntegerField(_("major version"), default=1, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("form covered")
        verbose_name_plural = _("forms covered")
        ordering = ["form_kind__order", "major_version"]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "form_kind", "major_version"],
                name="courseform_once",
                violation_error_message=_("This course covers this form already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.form_kind} {self.major_version}"


class CourseBlock(models.Model):
    """A part of the agenda: in which half-day (counted from 1), how long, about what."""

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="blocks", verbose_name=_("course"))
    half_day = models.PositiveSmallIntegerField(_("half-day"), default=1, validators=[MinValueValidator(1)])
    order = models.PositiveSmallIntegerField(_("order"), default=0)
    minutes = models.PositiveSmallIntegerField(
        _("minutes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(600)]
    )
    topics = models.JSONField(_("topic"), default=dict, help_text=_("By language: en, ru, kk."))

    class Meta:
        verbose_name = _("agenda block")
        verbose_name_plural = _("agenda")
        ordering = ["half_day", "order", "pk"]

    def __str__(self) -> str:
        return named(self.topics, fallback="–")
