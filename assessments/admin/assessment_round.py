"""Rounds, and the regions that they speak of."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from assessments.admin.tones import ROUND
from assessments.enums import ROUND_STEPS, RoundStatus
from assessments.forms import RegionRemarksForm, RoundForm
from assessments.models import AssessmentRound, RoundRegion
from assessments.permissions import can_change_rounds
from assessments.services.rounds import close_round, open_round
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import AnyUser, DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin, step_fits
from locations.enums import REGION_LEVEL
from locations.permissions import has_desk


def _may_change(user: AnyUser, row: Any = None) -> bool:
    return can_change_rounds(user)


def _open(assessment_round: AssessmentRound, *, user: User) -> None:
    open_round(assessment_round, by=user)


def _close(assessment_round: AssessmentRound, *, user: User) -> None:
    close_round(assessment_round, by=user)


class RegionsOfRound(UnscopedTabularInline):
    """A region may be taken out again until the round opens."""

    rights = DeskRights(view=has_desk, add=can_change_rounds, change=_may_change, delete=_may_change)
    model = RoundRegion
    form = RegionRemarksForm
    fields = ["unit", "remarks"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoundRegion]:
        return super().get_queryset(request).select_related("unit")

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        rows = super().get_field_queryset(db, db_field, request)
        return rows.filter(level=REGION_LEVEL) if db_field.name == "unit" and rows is not None else rows

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_planned = obj is None or obj.status == RoundStatus.PLANNED
        return is_planned and super().has_delete_permission(request, obj)


@admin.register(AssessmentRound)
class AssessmentRoundAdmin(VerbAdmin):
    desk_section = DeskSection.FIELDWORK
    desk_order = 1
    rights = DeskRights(view=has_desk, add=can_change_rounds, change=_may_change)
    verbs = (
        Verb(
            name="open",
            label=_("Open the round"),
            hint=_("From now on its focus groups can be planned and its forms count."),
            may=_may_change,
            act=_open,
            fits=step_fits(ROUND_STEPS, RoundStatus.OPEN),
        ),
        Verb(
            name="close",
            label=_("Close the round"),
            hint=_("No more planning. Forms that still arrive are kept and can be reviewed."),
            may=_may_change,
            act=_close,
            fits=step_fits(ROUND_STEPS, RoundStatus.CLOSED),
            tone="danger",
        ),
    )
    form = RoundForm
    inlines = [RegionsOfRound]
    list_display = ["code", "shown_name", "shown_status", "fieldwork_from", "fieldwork_to", "shown_targets"]
    list_filter = ["status", "component"]
    search_fields = ["code"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(planned=Count("targets"))

    def get_readonly_fields(self, request: HttpRequest, obj: AssessmentRound | None = None) -> list[str]:
        """The code stands in addresses, forms and commands."""
        return ["code"] if obj else []

    @admin.display(description=_("name"))
    def shown_name(self, row: AssessmentRound) -> str:
        return row.name

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, row: AssessmentRound) -> SafeString:
        return badge(row.get_status_display(), ROUND[RoundStatus(row.status)])

    @admin.display(description=_("targets"), ordering="planned")
    def shown_targets(self, row: Any) -> SafeString:
        address = reverse("admin:assessments_roundtarget_changelist")
        return format_html('<a href="{}?round__id__exact={}">{}</a>', address, row.pk, row.planned)
