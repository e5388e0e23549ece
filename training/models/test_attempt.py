import pghistory
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

from training.enums import TestPart
from training.models.corrective_task import CorrectiveTask
from training.models.enumerator import Enumerator
from training.models.training_session import TrainingSession
from training.querysets import TestAttemptQuerySet


@pghistory.track()
class TestAttempt(models.Model):
    """One try at a test of a training session, or at the check of a corrective task. The pass mark (percent) is the one
    in force that day: changing the training's later changes no result.
    """

    __test__ = False  # not for pytest

    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="test_attempts", verbose_name=_("enumerator")
    )
    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.PROTECT, null=True, blank=True, related_name="test_attempts",
        verbose_name=_("training session"),
    )  # fmt: skip
    corrective_task = models.ForeignKey(
        CorrectiveTask, on_delete=models.PROTECT, null=True, blank=True, related_name="checks",
        verbose_name=_("corrective task"),
    )  # fmt: skip
    part = models.CharField(_("part"), max_length=10, choices=TestPart.choices)
    number = models.PositiveSmallIntegerField(_("attempt"), default=1)
    points = models.DecimalField(_("points"), max_digits=6, decimal_places=2, validators=[MinValueValidator(0)])
    out_of = models.DecimalField(_("out of"), max_digits=6, decimal_places=2, default=100)
    pass_mark = models.PositiveSmallIntegerField(
        _("pass mark, %"), validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    passed = models.GeneratedField(
        verbose_name=_("passed"),
        expression=GreaterThanOrEqual(F("points"), F("pass_mark") * F("out_of") / 100),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    taken_on = models.DateField(_("taken on"))
    examiner = models.CharField(_("examiner"), max_length=160, blank=True)
    note = models.CharField(_("note"), max_length=240, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+",
        verbose_name=_("recorded by"),
    )  # fmt: skip

    objects = TestAttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("test attempt")
        verbose_name_plural = _("test attempts")
        ordering = ["enumerator__code", "part", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["enumerator", "training_session", "part", "number"],
                condition=Q(training_session__isnull=False),
                name="testattempt_numbered",
                violation_error_message=_("This attempt is recorded already."),
            ),
            models.CheckConstraint(
                condition=Q(training_session__isnull=False, corrective_task=None)
                | Q(training_session=None, corrective_task__isnull=False),
                name="testattempt_of_one_thing",
                violation_error_message=_("An attempt belongs to a training session or to a corrective task."),
            ),
            models.CheckConstraint(
                condition=Q(out_of__gt=0, points__gte=0, points__lte=F("out_of")),
                name="testattempt_points_within",
                violation_error_message=_("Points lie between 0 and the most that can be had."),
            ),
            models.CheckConstraint(
                condition=Q(pass_mark__range=(1, 100)) & Q(part__in=TestPart.values),
                name="testattempt_pass_mark_percent",
                violation_error_message=_("A pass mark is a percentage from 1 to 100."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.enumerator}, {self.get_part_display()} {self.number}"
