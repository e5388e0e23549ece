import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from training.enums import CorrectiveStatus
from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.querysets import CorrectiveTaskQuerySet


@pghistory.track()
class CorrectiveTask(models.Model):
    """Something that a person has to learn again. Closed by a passed check (a `TestAttempt` that names it)."""

    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="corrective_tasks", verbose_name=_("enumerator")
    )
    form_kind = models.ForeignKey(
        FormKind, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("form kind")
    )
    what = models.CharField(_("what to do"), max_length=240)
    reason = models.TextField(_("reason"), max_length=2000)
    due_on = models.DateField(_("due on"))
    pass_mark = models.PositiveSmallIntegerField(_("pass mark of the check, %"), default=70)
    status = models.CharField(
        _("status"), max_length=10, choices=CorrectiveStatus.choices, default=CorrectiveStatus.OPEN, editable=False
    )
    raised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+",
        verbose_name=_("raised by"),
    )  # fmt: skip
    raised_at = models.DateTimeField(_("raised at"), default=timezone.now, editable=False)
    closed_at = models.DateTimeField(_("closed at"), null=True, editable=False)

    objects = CorrectiveTaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("corrective task")
        verbose_name_plural = _("corrective tasks")
        ordering = ["status", "due_on", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=CorrectiveStatus.values), name="corrective_status_known"),
            models.CheckConstraint(
                condition=Q(status=CorrectiveStatus.OPEN, closed_at=None)
                | (~Q(status=CorrectiveStatus.OPEN) & Q(closed_at__isnull=False)),
                name="corrective_closed_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(pass_mark__range=(1, 100)),
                name="corrective_pass_mark_percent",
                violation_error_message=_("A pass mark is a percentage from 1 to 100."),
            ),
        ]

    def __str__(self) -> str:
        return self.what
