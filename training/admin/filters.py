"""Filters of the roster's lists."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Func, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from training.models import Enumerator


class RegionFilter(admin.SimpleListFilter):
    """Rows of a region and of everything below it. ``path_field`` leads from the row to the path of its place."""

    title = _("region")
    parameter_name = "region"
    path_field = "unit__path"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        regions = AdminUnit.objects.visible_to(request.user).level(REGION_LEVEL)
        return [(region.path, region.name) for region in regions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(**{f"{self.path_field}__startswith": chosen}) if chosen else queryset


class HomeRegionFilter(RegionFilter):
    path_field = "home_unit__path"


class LanguageFilter(admin.SimpleListFilter):
    """Languages that somebody of the roster speaks."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        spoken = Enumerator.objects.order_by().annotate(one=Func(F("languages"), function="unnest"))
        return [(code, code) for code in sorted(set(spoken.values_list("one", flat=True).distinct()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(languages__contains=[chosen]) if chosen else queryset
