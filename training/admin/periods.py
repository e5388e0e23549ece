"""Rows with days that hang on a person or a team: what they are known by, teams, absences."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.db.utils import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import DeskRights, ScopedAdmin, UnscopedTabularInline
from locations.permissions import has_desk
from training.forms import (
    AbsenceForm,
    AbsenceFormSet,
    IdentityForm,
    IdentityFormSet,
    MembershipForm,
    MembershipFormSet,
)
from training.models import Absence, EnumeratorIdentity, TeamMembership
from training.permissions import can_change_roster, can_change_team

# Each is refused in words by the forms; here somebody else was first.
_PERIODS = ("membership_one_", "absence_once_a_day", "identity_of_one_person")


class PeriodsAdmin(ScopedAdmin):
    """A page whose rows of days somebody else may have written a moment ago."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError as error:
            if not any(name in str(error) for name in _PERIODS):
                raise
            messages.error(request, _now("Somebody else wrote these days meanwhile. Nothing was saved; look again."))
            return HttpResponseRedirect(request.get_full_path())


class IdentitiesOfPerson(UnscopedTabularInline):
    rights = DeskRights(view=has_desk, add=can_change_roster, change=can_change_roster)
    model = EnumeratorIdentity
    form, formset = IdentityForm, IdentityFormSet
    verbose_name_plural = _("known by, and when")
    fields = ["kind", "value", "valid_from", "valid_to", "note"]
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[EnumeratorIdentity]:
        return super().get_queryset(request).select_related("user", "enumerator")


class MembershipsOfPerson(UnscopedTabularInline):
    rights = DeskRights(view=has_desk, add=can_change_roster, change=can_change_roster, delete=can_change_roster)
    model = TeamMembership
    form, formset = MembershipForm, MembershipFormSet
    verbose_name_plural = _("teams")
    fields = ["team", "is_lead", "valid_from", "valid_to"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamMembership]:
        return super().get_queryset(request).select_related("team", "enumerator")


class MembersOfTeam(UnscopedTabularInline):
    rights = DeskRights(view=has_desk, add=can_change_team, change=can_change_team, delete=can_change_team)
    model = TeamMembership
    form, formset = MembershipForm, MembershipFormSet
    verbose_name_plural = _("members, and when")
    fields = ["enumerator", "is_lead", "valid_from", "valid_to"]
    autocomplete_fields = ["enumerator"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamMembership]:
        return super().get_queryset(request).select_related("team", "enumerator")


class AbsencesOfPerson(UnscopedTabularInline):
    rights = DeskRights(view=has_desk, add=can_change_roster, change=can_change_roster, delete=can_change_roster)
    model = Absence
    form, formset = AbsenceForm, AbsenceFormSet
    fields = ["kind", "first_day", "last_day", "note"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Absence]:
        return super().get_queryset(request).select_related("enumerator")
