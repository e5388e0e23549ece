from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import AttachmentState
from assessments.models.kobo_submission import KoboSubmission
from assessments.querysets import AttachmentQuerySet


class SubmissionAttachment(models.Model):
    """A picture or file of a submission, as Kobo names it. It may come after the form, vanish with an edit, or never
    come at all.
    """

    submission = models.ForeignKey(
        KoboSubmission, on_delete=models.PROTECT, related_name="attachments", verbose_name=_("submission")
    )
    # "" on servers before 2025-04.
    uid = models.CharField(_("uid"), max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=255)
    # Question path; repeats count from 1: ``rep[2]/photo``.
    xpath = models.CharField(_("question"), max_length=255, blank=True)
    mimetype = models.CharField(_("type"), max_length=100, blank=True)
    state = models.CharField(
        _("state"), max_length=8, choices=AttachmentState.choices, default=AttachmentState.LISTED, editable=False
    )
    file = models.FileField(_("file"), upload_to="submissions/", blank=True, editable=False)
    size = models.PositiveBigIntegerField(_("bytes"), null=True, editable=False)
    sha256 = models.CharField(_("checksum"), max_length=64, blank=True, editable=False)
    # Why it was not taken, or could not be fetched the last time.
    error_code = models.CharField(_("error"), max_length=40, blank=True, editable=False)
    seen_at = models.DateTimeField(_("seen at"))
    fetched_at = models.DateTimeField(_("fetched at"), null=True, editable=False)
    # No longer listed at Kobo, or marked there as deleted; what was fetched stays.
    gone_at = models.DateTimeField(_("gone at Kobo since"), null=True, editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["submission", "xpath", "name"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "xpath", "name"], name="attachment_once_a_question"),
            models.CheckConstraint(
                condition=~Q(state=AttachmentState.FETCHED)
                | (~Q(file="") & ~Q(sha256="") & Q(size__isnull=False, fetched_at__isnull=False)),
                name="attachment_fetched_has_file",
            ),
        ]

    def __str__(self) -> str:
        return self.name
