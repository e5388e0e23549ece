"""Absences: days on which people cannot be sent out."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import DeskRights
from dtm_ops.common.desk_sections import DeskSection
from locations.permissions import has_desk
from training.admin.filters import PersonRegionFilter
from training.admin.periods import PeriodsAdmin
from training.forms import AbsenceForm
from training.models import Absence
from training.permissions import can_change_absence, can_change_roster


class WhenFilter(admin.SimpleListFilter):
    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("today", _("Absent today")), ("coming", _("Still to come")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = timezone.localdate()
        wanted = {
            "today": {"first_day__lte": today, "last_day__gte": today},
            "coming": {"first_day__gt": today},
            "over": {"last_day__lt": today},
        }
        return queryset.filter(**wanted.get(self.value() or "", {}))


@admin.register(Absence)
class AbsenceAdmin(PeriodsAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 3
    rights = DeskRights(view=has_desk, add=can_change_roster, change=can_change_absence, delete=can_change_absence)
    form = AbsenceForm
    autocomplete_fields = ["enumerator"]
    list_display = ["enumerator", "kind", "first_day", "last_day", "note"]
    list_filter = [WhenFilter, "kind", PersonRegionFilter]
    list_select_related = ["enumerator"]
    search_fields = ["enumerator__code", "enumerator__full_name"]
    search_help_text = _("Code or name of the person.")
    date_hierarchy = "first_day"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("enumerator__home_unit")
