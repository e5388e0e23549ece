"""The history of every status, and the one function that moves a status."""

import pgtrigger
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class StatusChangeQuerySet(models.QuerySet["StatusChange"]):
    def about(self, subject: models.Model) -> "StatusChangeQuerySet":
        return self.filter(subject_type=ContentType.objects.get_for_model(subject), subject_id=subject.pk)


class StatusChange(models.Model):
    """One step of one row: from where to where, by whom, when, why. Append-only: the database refuses to change or
    remove it.
    """

    subject_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, verbose_name=_("kind of row"))
    subject_id = models.BigIntegerField(_("row"))
    field = models.CharField(_("field"), max_length=40, default="status")
    old = models.CharField(_("from"), max_length=40, blank=True)
    new = models.CharField(_("to"), max_length=40)
    # NULL: the system itself (a sync, a rule of time).
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, verbose_name=_("by"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    text = models.TextField(_("text"), blank=True)

    objects = StatusChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("status change")
        verbose_name_plural = _("status changes")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["subject_type", "subject_id", "at"], name="statuschange_subject")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.old or '-'} > {self.new}"
