"""Sync runs: what each found, and whether its ledger closed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.admin.sync_page import differences, kobo_rows_address
from assessments.admin.tones import SYNC
from assessments.enums import SyncOutcome, SyncStep
from assessments.messages import ADDRESSEES, advice_for, incidents_message, run_message
from assessments.models import SyncRun
from assessments.permissions import can_connect_kobo
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import DeskRights, UnscopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from locations.permissions import has_desk

_LEDGER: list[Any] = ["at_kobo", "unchanged", "new", "edited", "refused", "here", "deleted", "unmatched"]


@admin.register(SyncRun)
class SyncRunAdmin(UnscopedAdmin):
    """At Kobo = unchanged + new + edited + cannot be read, and here = at Kobo; the other two are told beside it."""

    desk_section = DeskSection.KOBO
    desk_order = 2
    rights = DeskRights(view=has_desk)
    change_form_template = "admin/assessments/syncrun/change_form.html"
    list_display = ["started_at", "form", "shown_outcome", "is_sweep", "trigger", *_LEDGER, "requests"]
    list_filter = ["outcome", "is_sweep", "trigger", "form"]
    list_select_related = ["form", "by"]
    date_hierarchy = "started_at"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "form",
                    "shown_outcome",
                    "shown_message",
                    "shown_advice",
                    "shown_trigger",
                    "started_at",
                    "finished_at",
                    "shown_step",
                    "shown_stop",
                    "is_sweep",
                    "requests",
                    "shown_incidents",
                ]
            },
        ),
        (
            _("Ledger"),
            {
                "fields": _LEDGER,
                "description": _("At Kobo = unchanged + new + edited + cannot be read, and here = at Kobo."),
            },
        ),
    ]
    readonly_fields = [
        "shown_outcome", "shown_message", "shown_advice", "shown_trigger", "shown_step", "shown_stop",
        "shown_incidents",
    ]  # fmt: skip

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, unquote(object_id))
        context = {
            "differences": differences(run, request.user),
            "kobo_rows": kobo_rows_address(run.form) if can_connect_kobo(request.user) else "",
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @admin.display(description=_("outcome"), ordering="outcome")
    def shown_outcome(self, run: SyncRun) -> SafeString:
        outcome = SyncOutcome(run.outcome)
        return badge(outcome.label, SYNC[outcome])

    @admin.display(description=_("in words"))
    def shown_message(self, run: SyncRun) -> str:
        return run_message(run)

    @admin.display(description=_("what to do"))
    def shown_advice(self, run: SyncRun) -> str:
        if not run.error_code:
            return "–"
        advice = advice_for(run.error_code)
        return f"{ADDRESSEES[advice.is_for]}: {advice.says}"

    @admin.display(description=_("started by"))
    def shown_trigger(self, run: SyncRun) -> str:
        return f"{run.get_trigger_display()}: {run.by}" if run.by else str(run.get_trigger_display())

    @admin.display(description=_("last step"))
    def shown_step(self, run: SyncRun) -> str:
        if not run.step:
            return "–"
        done = number_format(run.done)
        if not run.expected:
            return f"{SyncStep(run.step).label}: {done}"
        of = _now("%(done)s of %(expected)s") % {"done": done, "expected": number_format(run.expected)}
        return f"{SyncStep(run.step).label}: {of}"

    @admin.display(description=_("stopped by"))
    def shown_stop(self, run: SyncRun) -> str:
        if run.stop_asked_at is None:
            return "–"
        return f"{run.stop_asked_by}, {date_format(localtime(run.stop_asked_at), 'SHORT_DATETIME_FORMAT')}"

    @admin.display(description=_("troubles that it got over"))
    def shown_incidents(self, run: SyncRun) -> str:
        return incidents_message(run.incidents) or "–"
