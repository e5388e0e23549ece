"""Targets: what a round has to cover, and why a place is not covered."""

from datetime import date
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from assessments.admin.filters import BucketFilter
from assessments.admin.places import place_of
from assessments.admin.tones import BUCKET, TARGET
from assessments.enums import TARGET_STEPS, Bucket, RoundStatus, TargetStatus
from assessments.forms import UntilForm
from assessments.models import RoundTarget
from assessments.permissions import can_change_rounds
from assessments.resources import RoundTargetResource
from assessments.selectors.coverage import with_bucket
from assessments.services.rounds import set_target_status
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_import import TableAdmin
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import ReasonForm, Verb, VerbAdmin, VerbForm, step_fits
from locations.permissions import has_desk
from training.admin.filters import RegionFilter


def _may_change(user: AnyUser, row: Any = None) -> bool:
    return can_change_rounds(user)


def _set_status(target: RoundTarget, *, user: User, status: str, reason: str = "", until: date | None = None) -> None:
    set_target_status(target, status, by=user, reason=reason, until=until)


def _verb(name: str, label: Any, status: str, form: type[VerbForm], hint: Any, tone: str = "danger") -> Verb:
    return Verb(
        name=name,
        label=label,
        hint=hint,
        may=_may_change,
        act=partial(_set_status, status=status),
        form=form,
        fits=step_fits(TARGET_STEPS, status),
        tone=tone,
    )


@admin.register(RoundTarget)
class RoundTargetAdmin(TableAdmin, VerbAdmin):
    desk_section = DeskSection.FIELDWORK
    desk_order = 2
    rights = DeskRights(view=has_desk, add=can_change_rounds, change=_may_change)
    resource_classes = [RoundTargetResource]
    may_import = staticmethod(can_change_rounds)
    verbs = (
        _verb("exclude", _("Exclude"), TargetStatus.EXCLUDED, ReasonForm, _("The place leaves the plan of the round.")),
        _verb(
            "inaccessible",
            _("Call inaccessible"),
            TargetStatus.INACCESSIBLE,
            UntilForm,
            _("Nobody can get there now. After the last day the place is due again."),
        ),
        _verb(
            "shortfall",
            _("Close with shortfall"),
            TargetStatus.SHORTFALL,
            ReasonForm,
            _("The place will not be covered in this round, and the report says why."),
        ),
        _verb("reopen", _("Open again"), TargetStatus.OPEN, VerbForm, _("The place has to be covered again."), ""),
    )
    list_display = [
        "shown_place",
        "round",
        "form_kind",
        "shown_bucket",
        "shown_status",
        "status_reason",
    ]
    list_filter = ["round", BucketFilter, "form_kind", "status", RegionFilter]
    search_fields = ["unit__names__en", "unit__names__ru", "unit__names__kk", "unit__unit_id", "focus_groups__code"]
    search_help_text = _("Name or code of the place, or code of a focus group.")
    autocomplete_fields = ["unit", "parent_target"]
    list_per_page = 50
    fields = ["round", "unit", "form_kind", "parent_target", "minimum_informants", "source"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("round", "unit__parent", "form_kind")
        return with_bucket(rows)

    def get_readonly_fields(self, request: HttpRequest, obj: RoundTarget | None = None) -> list[str]:
        """Focus groups and forms hang on what a target is."""
        return ["round", "unit", "form_kind", "parent_target", "status_reason", "status_until"] if obj else []

    def get_fields(self, request: HttpRequest, obj: RoundTarget | None = None) -> Any:
        return [*self.fields, "status_reason", "status_until"] if obj else self.fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """To plan a focus group, only targets of rounds that are not closed are offered."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if request.GET.get("model_name") == "focusgroupsession" and "autocomplete" in request.path:
            found = found.exclude(round__status=RoundStatus.CLOSED)
        return found, may_repeat

    @admin.display(description=_("place"), ordering="unit__path")
    def shown_place(self, target: RoundTarget) -> SafeString:
        return place_of(target.unit)

    @admin.display(description=_("coverage"))
    def shown_bucket(self, target: Any) -> SafeString:
        bucket = Bucket(target.bucket)
        return badge(bucket.label, BUCKET[bucket])

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, target: RoundTarget) -> SafeString:
        return badge(target.get_status_display(), TARGET[TargetStatus(target.status)])
