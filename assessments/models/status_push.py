from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import PushState
from assessments.models.kobo_submission import KoboSubmission
from assessments.querysets import StatusPushQuerySet


class StatusPush(models.Model):
    """A review decision on its way to Kobo as validation status: written with the decision, sent by a worker."""

    submission = models.ForeignKey(
        KoboSubmission, on_delete=models.PROTECT, related_name="status_pushes", verbose_name=_("submission")
    )
    # Kobo's uid of the status; "": the status is to be taken away.
    wanted = models.CharField(_("status"), max_length=64, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=PushState.choices, default=PushState.PENDING, editable=False
    )
    decided_at = models.DateTimeField(_("decided at"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    error_code = models.CharField(_("error"), max_length=40, blank=True)
    error_params = models.JSONField(_("details of the error"), default=dict, blank=True)

    objects = StatusPushQuerySet.as_manager()

    class Meta:
        verbose_name = _("status for Kobo")
        verbose_name_plural = _("statuses for Kobo")
        ordering = ["-decided_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["submission"], condition=Q(state=PushState.PENDING), name="statuspush_one_waiting"
            ),
            models.CheckConstraint(
                condition=Q(state=PushState.PENDING, finished_at=None, next_try_at__isnull=False)
                | (~Q(state=PushState.PENDING) & Q(finished_at__isnull=False)),
                name="statuspush_finished_when_over",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state=PushState.PENDING), name="statuspush_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.submission_id}: {self.wanted or '-'}"
