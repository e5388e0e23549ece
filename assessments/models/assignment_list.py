from django.db import models
from django.utils.translation import gettext_lazy as _

from assessments.models.kobo_form import KoboForm


class AssignmentList(models.Model):
    """The list of focus groups that a form's phones offer: what of it is at Kobo, as read back from there."""

    form = models.OneToOneField(
        KoboForm, on_delete=models.PROTECT, related_name="assignment_list", verbose_name=_("form")
    )
    # Of the file at Kobo; "": none is there that we know of.
    md5 = models.CharField(_("checksum"), max_length=32, blank=True)
    lines = models.PositiveIntegerField(_("lines"), default=0)
    published_at = models.DateTimeField(_("published at"), null=True)
    checked_at = models.DateTimeField(_("checked at"), null=True)
    error_code = models.CharField(_("error"), max_length=40, blank=True)
    error_params = models.JSONField(_("details of the error"), default=dict, blank=True)

    class Meta:
        verbose_name = _("list of focus groups on phones")
        verbose_name_plural = _("lists of focus groups on phones")
        ordering = ["form"]

    def __str__(self) -> str:
        return f"{self.form}"
