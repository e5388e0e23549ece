"""Sync runs: what each found, and whether its ledger closed."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from assessments.admin.tones import SYNC
from assessments.enums import SyncOutcome
from assessments.messages import run_message
from assessments.models import SyncRun
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
    list_display = ["started_at", "form", "shown_outcome", "trigger", *_LEDGER]
    list_filter = ["outcome", "trigger", "form"]
    list_select_related = ["form", "by"]
    date_hierarchy = "started_at"
    fieldsets = [
        (None, {"fields": ["form", "shown_outcome", "shown_message", "trigger", "by", "started_at", "finished_at"]}),
        (
            _("Ledger"),
            {
                "fields": _LEDGER,
                "description": _("At Kobo = unchanged + new + edited + cannot be read, and here = at Kobo."),
            },
        ),
        (_("Differences"), {"fields": ["shown_only_at_kobo", "shown_only_here"]}),
    ]
    readonly_fields = ["shown_outcome", "shown_message", "shown_only_at_kobo", "shown_only_here"]

    @admin.display(description=_("outcome"), ordering="outcome")
    def shown_outcome(self, run: SyncRun) -> SafeString:
        outcome = SyncOutcome(run.outcome)
        return badge(outcome.label, SYNC[outcome])

    @admin.display(description=_("in words"))
    def shown_message(self, run: SyncRun) -> str:
        return run_message(run)

    @admin.display(description=_("listed at Kobo only"))
    def shown_only_at_kobo(self, run: SyncRun) -> str:
        return _ids(run.differences.get("only_at_kobo"))

    @admin.display(description=_("here only"))
    def shown_only_here(self, run: SyncRun) -> str:
        return _ids(run.differences.get("only_here"))


def _ids(found: Any) -> str:
    return ", ".join(map(str, found or [])) or "–"
