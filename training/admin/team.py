"""Teams: who belongs to them, who leads them, since when and until when."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import GOOD, QUIET, badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin, VerbForm
from locations.permissions import has_desk
from training.admin.filters import ClosedPlaceFilter, RegionFilter
from training.admin.periods import MembersOfTeam, PeriodsAdmin
from training.models import Enumerator, Team, TeamMembership
from training.permissions import can_change_team
from training.services.moved_places import follow_place, in_force
from training.services.teams import hand_over_lead


class LeadForm(VerbForm):
    to = forms.ModelChoiceField(Enumerator.objects.none(), label=_("New lead"))
    on = forms.DateField(
        label=_("From"), initial=timezone.localdate, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, data: Any = None, *, rows: Any, user: AnyUser) -> None:
        super().__init__(data, rows=rows, user=user)
        field: Any = self.fields["to"]
        field.queryset = Enumerator.objects.visible_to(user).active().order_by("full_name")


def _hand_over(team: Team, *, user: User, to: Enumerator, on: date) -> str:
    hand_over_lead(team, to=to, on=on)
    return _now("%(person)s leads %(team)s.") % {"person": to, "team": team}


def _follow_place(team: Team, *, user: User) -> str:
    return _now("%(team)s: %(place)s.") % {"team": team, "place": follow_place(team).choice_label}


def _is_open(team: Team) -> str:
    return _now("the team was closed") if team.closed_on and team.closed_on <= timezone.localdate() else ""


@admin.register(Team)
class TeamAdmin(PeriodsAdmin, VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 2
    rights = DeskRights(view=has_desk, add=can_change_team, change=can_change_team)
    seen_fields = ("closed_on",)
    verbs = (
        Verb(
            name="hand_over",
            label=_("Hand over the lead"),
            hint=_("From that day on. Who led before stays a member; who led when stays on record."),
            may=can_change_team,
            act=_hand_over,
            form=LeadForm,
            fits=_is_open,
            in_list=False,
        ),
        Verb(
            name="follow_place",
            label=_("Move the place on"),
            hint=_("The place was moved or merged: the team works for the row that stands for it today."),
            may=can_change_team,
            act=_follow_place,
            fits=lambda team: _is_open(team) or in_force(team.unit),
        ),
    )
    inlines = [MembersOfTeam]
    autocomplete_fields = ["unit"]
    fields = ["code", "name", "unit", "closed_on"]
    list_display = ["name", "unit", "shown_lead", "shown_members", "shown_standing"]
    list_filter = [RegionFilter, ClosedPlaceFilter]
    list_select_related = ["unit"]
    search_fields = ["code", "name", "memberships__enumerator__code", "memberships__enumerator__full_name"]
    search_help_text = _("Code or name of the team, or code or name of a member.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        today = timezone.localdate()
        leads = TeamMembership.objects.on(today).filter(is_lead=True).select_related("enumerator")
        members = Count(
            "memberships",
            filter=Q(memberships__valid_from__lte=today)
            & (Q(memberships__valid_to=None) | Q(memberships__valid_to__gte=today)),
            distinct=True,
        )
        rows = super().get_queryset(request).select_related("unit")
        return rows.prefetch_related(Prefetch("memberships", queryset=leads, to_attr="leads")).annotate(size=members)

    def get_inlines(self, request: HttpRequest, obj: Team | None) -> list[Any]:
        return list(self.inlines) if obj else []

    @admin.display(description=_("lead today"))
    def shown_lead(self, team: Any) -> str:
        return ", ".join(one.enumerator.full_name for one in team.leads) or "–"

    @admin.display(description=_("members today"))
    def shown_members(self, team: Any) -> int:
        return int(team.size)

    @admin.display(description=_("standing"))
    def shown_standing(self, team: Team) -> SafeString:
        return badge(_("closed"), QUIET) if _is_open(team) else badge(_("at work"), GOOD)
