from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import HookState
from assessments.models.kobo_form import KoboForm


class HookDelivery(models.Model):
    """A notice of Kobo that a form came in, as it arrived. A hint only: the sync reads the form itself."""

    form = models.ForeignKey(KoboForm, on_delete=models.PROTECT, related_name="hook_deliveries", verbose_name=_("form"))
    received_at = models.DateTimeField(_("received at"))
    # NULL: the notice names none that could be used.
    kobo_id = models.BigIntegerField(_("Kobo id"), null=True)
    # How often the same notice came; Kobo repeats one until it was answered.
    times = models.PositiveIntegerField(_("times"), default=1)
    body = models.TextField(_("as received"), blank=True)
    state = models.CharField(
        _("state"), max_length=8, choices=HookState.choices, default=HookState.WAITING, editable=False
    )
    pulled_at = models.DateTimeField(_("read at"), null=True)

    class Meta:
        verbose_name = _("notice of Kobo")
        verbose_name_plural = _("notices of Kobo")
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["form", "kobo_id"], condition=Q(state=HookState.WAITING), name="hookdelivery_waits_once"
            ),
        ]
        indexes = [
            models.Index(fields=["form"], condition=Q(state=HookState.WAITING), name="hookdelivery_waiting"),
            models.Index(fields=["received_at"], name="hookdelivery_received"),
        ]

    def __str__(self) -> str:
        return f"{self.kobo_id or '-'}"
