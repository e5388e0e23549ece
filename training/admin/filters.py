"""Filters of the roster's lists."""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.db.models import F, Func, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from locations.enums import REGION_LEVEL
from locations.models import AdminUnit
from training.models import Enumerator

SOON: Final = timedelta(days=30)


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


class PersonRegionFilter(RegionFilter):
    path_field = "enumerator__home_unit__path"


class ClosedPlaceFilter(admin.SimpleListFilter):
    """Rows whose place has closed or was moved: they wait at the row of before. ``place_field`` leads to the place."""

    title = _("place")
    parameter_name = "place"
    place_field = "unit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("closed", _("Closed or moved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        closed = {f"{self.place_field}__valid_to__lt": timezone.localdate()}
        return queryset.filter(**closed) if self.value() == "closed" else queryset


class ClosedHomeFilter(ClosedPlaceFilter):
    title = _("home unit")
    place_field = "home_unit"


class LanguageFilter(admin.SimpleListFilter):
    """Languages that somebody of the roster speaks."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = Enumerator.objects.visible_to(request.user).order_by()
        spoken = people.annotate(one=Func(F("languages"), function="unnest")).values_list("one", flat=True).distinct()
        names = dict(settings.LANGUAGES)
        return [(code, names.get(code, code)) for code in sorted(set(spoken))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(languages__contains=[chosen]) if chosen else queryset


class OrganisationFilter(admin.SimpleListFilter):
    """Organisations that somebody of the roster works for."""

    title = _("organisation")
    parameter_name = "organisation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = Enumerator.objects.visible_to(request.user).exclude(organisation="").order_by("organisation")
        return [(name, name) for name in people.values_list("organisation", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(organisation=chosen) if chosen else queryset


class ContractFilter(admin.SimpleListFilter):
    title = _("contract")
    parameter_name = "contract"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("soon", _("Runs out within 30 days")),
            ("over", _("Has run out")),
            ("open", _("Without an end")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        today = timezone.localdate()
        wanted: dict[str, dict[str, Any]] = {
            "soon": {"contract_to__range": (today, today + SOON)},
            "over": {"contract_to__lt": today},
            "open": {"contract_to": None},
        }
        return queryset.filter(**wanted.get(self.value() or "", {}))


class MergedFilter(admin.SimpleListFilter):
    """Entries that were merged into another are left out unless they are asked for."""

    title = _("merged entries")
    parameter_name = "merged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("only", _("Only these")), ("with", _("With these"))]

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        return [{**first, "display": _("Without these")}, *rest]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "with":
            return queryset
        return queryset.filter(merged_into__isnull=self.value() != "only")
