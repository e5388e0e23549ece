"""What every app writes and none owns: the history of every status, receipts of what was done to many rows, notices."""

from datetime import datetime

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


class Receipt(models.Model):
    """What one act did to many rows, line by line, for the person who did it and for whoever asks later. Append-only.

    ``lines`` is a list of objects with ``what`` (the kind of row), ``row`` (its words), ``key`` and ``done`` (what
    became of it, in words of that day's reader).
    """

    kind = models.CharField(_("kind"), max_length=40)
    subject_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, null=True, verbose_name=_("kind of row"))
    subject_id = models.BigIntegerField(_("row"), null=True)
    title = models.CharField(_("title"), max_length=240)
    lines = models.JSONField(_("lines"), default=list)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, verbose_name=_("by"))
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["subject_type", "subject_id", "at"], name="receipt_subject")]
        triggers = [
            pgtrigger.Protect(name="receipt_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.title


class NoticeQuerySet(models.QuerySet["Notice"]):
    def due(self, now: datetime) -> "NoticeQuerySet":
        return self.filter(sent_at=None, given_up_at=None, due_at__lte=now)


class Notice(models.Model):
    """A message to a person, kept until it has left the house: the outbox. ``key`` keeps the same notice from being
    queued twice. Text is in the reader's language already. A notice that failed too often is given up, and shown.
    """

    key = models.CharField(_("key"), max_length=120, unique=True)
    to = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=8, blank=True)
    subject = models.CharField(_("subject"), max_length=240)
    body = models.TextField(_("text"))
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    given_up_at = models.DateTimeField(_("given up at"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    error = models.CharField(_("last error"), max_length=240, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-made_at", "-pk"]
        indexes = [
            models.Index(fields=["due_at"], name="notice_due", condition=models.Q(sent_at=None, given_up_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sent_at=None) | models.Q(given_up_at=None), name="notice_one_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} > {self.to}"
