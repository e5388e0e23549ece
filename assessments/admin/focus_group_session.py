"""Focus groups: planned, moved, held, cancelled, and who goes."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import F, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.admin.filters import TargetRegionFilter
from assessments.admin.places import place_of
from assessments.admin.tones import FOCUS_GROUP
from assessments.enums import FOCUS_GROUP_STEPS, FocusGroupStatus
from assessments.forms import AssignForm, FocusGroupForm, MoveForm, WithdrawForm
from assessments.models import FocusGroupSession, SessionAssignment
from assessments.permissions import can_plan, can_plan_focus_group
from assessments.services.assignments import assign_enumerator, withdraw_assignment
from assessments.services.focus_groups import (
    cancel_focus_group,
    hold_focus_group,
    move_focus_group,
    plan_focus_group,
)
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import badge
from dtm_ops.common.desk import DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import ReasonForm, Verb, VerbAdmin, status_label, step_fits
from locations.permissions import has_desk
from training.models import Enumerator


def _assign(focus_group: FocusGroupSession, *, user: User, enumerator: Enumerator, role: str) -> str:
    assign_enumerator(focus_group, enumerator, role=role)
    return _now("%(person)s goes to %(group)s.") % {"person": enumerator, "group": focus_group.code}


def _withdraw(focus_group: FocusGroupSession, *, user: User, assignment: SessionAssignment) -> str:
    withdraw_assignment(assignment)
    return _now("%(person)s does not go to %(group)s any more.") % {
        "person": assignment.enumerator,
        "group": focus_group.code,
    }


def _move(
    focus_group: FocusGroupSession,
    *,
    user: User,
    starts_at: datetime | None,
    ends_at: datetime | None,
    travel_minutes: int | None,
) -> None:
    move_focus_group(focus_group, starts_at=starts_at, ends_at=ends_at, travel_minutes=travel_minutes)


def _hold(focus_group: FocusGroupSession, *, user: User) -> None:
    hold_focus_group(focus_group, by=user)


def _cancel(focus_group: FocusGroupSession, *, user: User, reason: str) -> None:
    cancel_focus_group(focus_group, by=user, reason=reason)


def _is_planned(focus_group: FocusGroupSession) -> str:
    if focus_group.status == FocusGroupStatus.PLANNED:
        return ""
    return _now("not possible while it is “%(status)s”") % {"status": status_label(focus_group)}


def _has_people(focus_group: FocusGroupSession) -> str:
    if focus_group.assignments.active().exists():
        return ""
    return _now("nobody is assigned")


class PeopleOfFocusGroup(UnscopedTabularInline):
    """Read here; assigning and withdrawing are steps of their own, since certificates and times are asked."""

    rights = DeskRights(view=has_desk)
    model = SessionAssignment
    fields = ["enumerator", "role", "assigned_at", "withdrawn_at"]
    readonly_fields = ["enumerator", "role", "assigned_at", "withdrawn_at"]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SessionAssignment]:
        return super().get_queryset(request).select_related("enumerator")


@admin.register(FocusGroupSession)
class FocusGroupSessionAdmin(VerbAdmin):
    desk_section = DeskSection.FIELDWORK
    desk_order = 3
    rights = DeskRights(view=has_desk, add=can_plan, change=can_plan_focus_group)
    seen_fields = ("status", "starts_at", "ends_at")
    verbs = (
        Verb(
            name="assign",
            label=_("Assign a person"),
            may=can_plan_focus_group,
            act=_assign,
            form=AssignForm,
            fits=_is_planned,
            in_list=False,
        ),
        Verb(
            name="withdraw",
            label=_("Withdraw a person"),
            may=can_plan_focus_group,
            act=_withdraw,
            form=WithdrawForm,
            fits=_has_people,
            in_list=False,
        ),
        Verb(
            name="move",
            label=_("Move to another time"),
            hint=_("The people assigned move with it. Blank: no date."),
            may=can_plan_focus_group,
            act=_move,
            form=MoveForm,
            fits=_is_planned,
            in_list=False,
        ),
        Verb(
            name="held",
            label=_("Was held"),
            may=can_plan_focus_group,
            act=_hold,
            fits=step_fits(FOCUS_GROUP_STEPS, FocusGroupStatus.HELD),
        ),
        Verb(
            name="cancel",
            label=_("Cancel it"),
            hint=_("The people assigned are set free and read the reason."),
            may=can_plan_focus_group,
            act=_cancel,
            form=ReasonForm,
            fits=step_fits(FOCUS_GROUP_STEPS, FocusGroupStatus.CANCELLED),
            tone="danger",
        ),
    )
    form = FocusGroupForm
    inlines = [PeopleOfFocusGroup]
    autocomplete_fields = ["target"]
    date_hierarchy = "starts_at"
    list_display = ["code", "shown_place", "starts_at", "shown_people", "shown_status"]
    list_filter = ["status", "target__round", "target__form_kind", TargetRegionFilter]
    search_fields = [
        "code",
        "target__unit__names__en",
        "target__unit__names__ru",
        "target__unit__names__kk",
        "assignments__enumerator__code",
        "assignments__enumerator__full_name",
    ]
    search_help_text = _("Code, place, or code or name of a person who goes.")
    list_per_page = 50
    # Without a date first, then from the furthest day back: what is still to come stands above what was.
    ordering = [F("starts_at").desc(nulls_first=True), "code"]
    fields = ["target", "starts_at", "ends_at", "travel_minutes", "venue", "language"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        people = SessionAssignment.objects.active().select_related("enumerator")
        return (
            super()
            .get_queryset(request)
            .select_related("target__unit__parent", "target__round", "target__form_kind")
            .prefetch_related(Prefetch("assignments", queryset=people, to_attr="going"))
        )

    def get_fields(self, request: HttpRequest, obj: FocusGroupSession | None = None) -> Any:
        return ["code", *self.fields] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: FocusGroupSession | None = None) -> list[str]:
        return ["code", "target", "starts_at", "ends_at", "travel_minutes"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: FocusGroupSession | None) -> list[Any]:
        return list(self.inlines) if obj else []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What the service refuses, the form's checks having passed: somebody closed the round meanwhile."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: FocusGroupSession, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["venue", "language"])
            return
        planned = plan_focus_group(
            obj.target,
            starts_at=obj.starts_at,
            ends_at=obj.ends_at,
            travel_minutes=obj.travel_minutes,
            venue=obj.venue,
            language=obj.language,
        )
        obj.pk, obj.code = planned.pk, planned.code
        obj._state.adding = False

    @admin.display(description=_("place"), ordering="target__unit__path")
    def shown_place(self, focus_group: FocusGroupSession) -> SafeString:
        return place_of(focus_group.target.unit)

    @admin.display(description=_("people"))
    def shown_people(self, focus_group: Any) -> str:
        return ", ".join(one.enumerator.full_name for one in focus_group.going) or "–"

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, focus_group: FocusGroupSession) -> SafeString:
        return badge(focus_group.get_status_display(), FOCUS_GROUP[FocusGroupStatus(focus_group.status)])
