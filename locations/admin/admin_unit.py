"""Places on the desk."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.desk import DeskRights, ScopedAdmin
from dtm_ops.common.desk_sections import DeskSection
from locations.enums import REGION_LEVEL, unit_type_name
from locations.forms import AdminUnitForm
from locations.models import AdminUnit
from locations.permissions import can_change_gazetteer, can_view_gazetteer


class RegionFilter(admin.SimpleListFilter):
    """Everything below a region, the region included. Offers the regions that the user sees."""

    title = _("region")
    parameter_name = "region"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        regions = AdminUnit.objects.visible_to(request.user).level(REGION_LEVEL)
        return [(region.path, region.name) for region in regions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(path__startswith=self.value()) if self.value() else queryset


class UnitTypeFilter(admin.SimpleListFilter):
    title = _("kind of place")
    parameter_name = "unit_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = AdminUnit.objects.order_by("unit_type").values_list("unit_type", flat=True).distinct()
        return [(code, unit_type_name(code)) for code in codes]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(unit_type=self.value()) if self.value() else queryset


class ValidityFilter(admin.SimpleListFilter):
    title = _("validity")
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("today", _("Valid today")), ("closed", _("Closed")), ("coming", _("Still to come"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = timezone.localdate()
        chosen = {
            "today": Q(pk__in=AdminUnit.objects.units_on(today).order_by().values("pk")),
            "closed": Q(valid_to__lt=today),
            "coming": Q(valid_from__gt=today),
        }
        return queryset.filter(chosen.get(self.value() or "", Q()))


@admin.register(AdminUnit)
class AdminUnitAdmin(ScopedAdmin):
    desk_section = DeskSection.PLACES
    rights = DeskRights(
        view=can_view_gazetteer,
        add=can_change_gazetteer,
        change=lambda user, unit: can_change_gazetteer(user),
    )
    form = AdminUnitForm
    list_display = ["shown_name", "shown_parent", "code", "unit_id", "level", "shown_type", "valid_from", "valid_to"]
    list_filter = [ValidityFilter, "level", RegionFilter, UnitTypeFilter]
    search_fields = ["code", "unit_id", *(f"names__{code}" for code, _label in settings.LANGUAGES)]
    search_help_text = _("Name in any language, code or unit id.")
    autocomplete_fields = ["parent", "predecessors"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("parent")

    def get_readonly_fields(self, request: HttpRequest, obj: AdminUnit | None = None) -> list[str]:
        """What the path and other places rest on is set once; moving a unit is for the gazetteer's file."""
        return ["unit_id", "level", "parent"] if obj else []

    @admin.display(description=_("name"), ordering="code")
    def shown_name(self, unit: AdminUnit) -> str:
        return unit.name

    @admin.display(description=_("part of"))
    def shown_parent(self, unit: AdminUnit) -> str:
        return unit.parent.name if unit.parent else ""

    @admin.display(description=_("kind of place"), ordering="unit_type")
    def shown_type(self, unit: AdminUnit) -> str:
        return unit.unit_type_name
