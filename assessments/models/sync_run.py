from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from assessments.enums import SyncOutcome, SyncStep, SyncTrigger
from assessments.models.kobo_form import KoboForm


class SyncRun(models.Model):
    """One run of the sync for one form, with its ledger: at Kobo = unchanged + new + edited + refused, and here =
    at Kobo.
    """

    form = models.ForeignKey(KoboForm, on_delete=models.PROTECT, related_name="runs", verbose_name=_("form"))
    trigger = models.CharField(_("started by"), max_length=8, choices=SyncTrigger.choices)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("by")
    )
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    outcome = models.CharField(
        _("outcome"), max_length=8, choices=SyncOutcome.choices, default=SyncOutcome.RUNNING, editable=False
    )
    # Whether every id was compared; else the counts alone, beside what is new, edited and judged.
    is_sweep = models.BooleanField(_("compared row by row"), default=False, editable=False)
    step = models.CharField(_("step"), max_length=8, choices=SyncStep.choices, blank=True, editable=False)
    # Rows of the present step: done, and how many there are to do as far as Kobo has said.
    done = models.PositiveIntegerField(_("rows done"), default=0, editable=False)
    expected = models.PositiveIntegerField(_("rows to do"), default=0, editable=False)
    stop_asked_at = models.DateTimeField(_("stop asked for at"), null=True, editable=False)
    stop_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, editable=False, related_name="+",
        verbose_name=_("stop asked for by"),
    )  # fmt: skip
    requests = models.PositiveIntegerField(_("requests"), default=0, editable=False)
    # Troubles that were ridden out: how often each, by code.
    incidents = models.JSONField(_("troubles on the way"), default=dict, blank=True, editable=False)
    at_kobo = models.PositiveIntegerField(_("at Kobo"), default=0)
    here = models.PositiveIntegerField(_("here"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    edited = models.PositiveIntegerField(_("edited"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    refused = models.PositiveIntegerField(_("cannot be read"), default=0)
    deleted = models.PositiveIntegerField(_("deleted at Kobo"), default=0)
    unmatched = models.PositiveIntegerField(_("not matched"), default=0)
    error_code = models.CharField(_("error"), max_length=40, blank=True)
    error_params = models.JSONField(_("details of the error"), default=dict, blank=True)
    # Kobo ids that keep the ledger open: {"only_at_kobo": [...], "only_here": [...]}, the first hundred of each.
    differences = models.JSONField(_("differences"), default=dict, blank=True)

    class Meta:
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(outcome=SyncOutcome.CLOSED)
                | Q(at_kobo=F("unchanged") + F("new") + F("edited") + F("refused"), here=F("at_kobo")),
                name="syncrun_closed_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(outcome=SyncOutcome.RUNNING, finished_at=None)
                | (~Q(outcome=SyncOutcome.RUNNING) & Q(finished_at__isnull=False)),
                name="syncrun_finished_when_over",
            ),
            models.UniqueConstraint(
                fields=["form"], condition=Q(outcome=SyncOutcome.RUNNING), name="syncrun_one_running_a_form"
            ),
        ]
        indexes = [models.Index(fields=["form", "-started_at"], name="syncrun_form_started")]

    def __str__(self) -> str:
        return f"{self.form} {date_format(timezone.localtime(self.started_at), 'SHORT_DATETIME_FORMAT')}"

    @property
    def closed(self) -> bool:
        return self.outcome == SyncOutcome.CLOSED
