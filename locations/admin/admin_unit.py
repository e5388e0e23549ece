"""Places on the desk."""

from datetime import date, timedelta
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.desk import DeskRights, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.common.found_rows import in_found_order
from dtm_ops.records.models import Receipt
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.admin.place_map import DrawnPlace
from locations.admin.unit_export import ExportedPlaces
from locations.enums import REGION_LEVEL, AliasKind, unit_type_name
from locations.forms import AdminUnitForm, CloseUnitForm, MergeUnitForm, OtherSpellingForm
from locations.models import AdminUnit, AdminUnitAlias
from locations.permissions import can_change_gazetteer, can_view_gazetteer
from locations.querysets import AdminUnitQuerySet
from locations.selectors import search_units
from locations.selectors.changes import merged_into
from locations.services import follow_names, keep_old_names
from locations.services.units import close_unit, merge_units

# A list of more that a search found is read by nobody.
FOUND: Final = 200


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


class OwnSpellings(UnscopedTabularInline):
    """What is found because it is a name of the place: changed by changing the name."""

    rights = DeskRights(view=can_view_gazetteer)
    model = AdminUnitAlias
    fields = ["name", "language", "kind"]
    readonly_fields = ["name", "language", "kind"]
    can_delete = False
    verbose_name_plural = _("spellings that follow the names")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(kind__in=[AliasKind.NAME, AliasKind.SHORT])


class OtherSpellings(UnscopedTabularInline):
    rights = DeskRights(
        view=can_view_gazetteer,
        add=can_change_gazetteer,
        change=lambda user, alias: can_change_gazetteer(user),
        delete=lambda user, alias: can_change_gazetteer(user),
    )
    model = AdminUnitAlias
    form = OtherSpellingForm
    fields = ["name", "language", "kind", "valid_to", "source"]
    verbose_name_plural = _("old names and other spellings")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).exclude(kind__in=[AliasKind.NAME, AliasKind.SHORT])


def _close(unit: AdminUnit, *, user: User, last_day: date, reason: str) -> str:
    receipt = close_unit(unit, last_day=last_day, by=user, reason=reason)
    return told_by(receipt)


def _merge(unit: AdminUnit, *, user: User, into: AdminUnit, reason: str) -> str:
    receipt = merge_units(unit, into, by=user, on=timezone.localdate(), reason=reason)
    return told_by(receipt)


def told_by(receipt: Receipt) -> str:
    """The receipt's title, and what stays at the row."""
    stays = ", ".join(f"{line['what']} ({line['row']})" for line in receipt.lines[1:])
    return f"{receipt.title}. " + (_now("Still at this row: %(rows)s.") % {"rows": stays} if stays else "")


def _is_standing(unit: AdminUnit) -> str:
    if unit.merged_into_id is not None:
        return _now("it was merged into another place")
    is_over = unit.valid_to is not None and unit.valid_to < timezone.localdate()
    return _now("it has closed already") if is_over else ""


def _is_not_merged(unit: AdminUnit) -> str:
    return _now("it was merged into another place") if unit.merged_into_id is not None else ""


@admin.register(AdminUnit)
class AdminUnitAdmin(DrawnPlace, ExportedPlaces, VerbAdmin):
    desk_section = DeskSection.PLACES
    desk_order = 1
    rights = DeskRights(
        view=can_view_gazetteer,
        add=can_change_gazetteer,
        change=lambda user, unit: can_change_gazetteer(user),
    )
    change_form_template = "admin/locations/adminunit/change_form.html"
    seen_fields = ("valid_to", "merged_into_id")
    verbs = (
        Verb(
            name="close",
            label=_("Close"),
            hint=_("The place ends with its last day. It stays, with all that points at it."),
            may=lambda user, unit: can_change_gazetteer(user),
            act=_close,
            form=CloseUnitForm,
            fits=_is_standing,
            in_list=False,
        ),
        Verb(
            name="merge",
            label=_("Merge into another"),
            hint=_(
                "For a place that stands here twice: this row closes and leads to the other, with all its spellings."
            ),
            may=lambda user, unit: can_change_gazetteer(user),
            act=_merge,
            form=MergeUnitForm,
            fits=_is_not_merged,
            in_list=False,
        ),
    )
    form = AdminUnitForm
    list_display = ["shown_name", "shown_parent", "code", "unit_id", "level", "shown_type", "valid_from", "valid_to"]
    list_filter = [ValidityFilter, "level", RegionFilter, UnitTypeFilter]
    search_fields = ["code", "unit_id", *(f"names__{code}" for code, _label in settings.LANGUAGES)]
    search_help_text = _("Name in any language and spelling, old name, code or unit id. The best 200 are listed.")
    inlines = [OtherSpellings, OwnSpellings]
    autocomplete_fields = ["parent", "predecessors"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("parent")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Blind to script; best first, unless the reader has chosen a column. Serves the lists of choices, too."""
        if not search_term.strip():
            return queryset, False
        keys = [unit.pk for unit in search_units(search_term, units=cast(AdminUnitQuerySet, queryset), limit=FOUND)]
        return (queryset.filter(pk__in=keys) if "o" in request.GET else in_found_order(queryset, keys)), False

    def save_model(self, request: HttpRequest, obj: AdminUnit, form: Any, change: bool) -> None:
        before = AdminUnit.objects.values("names", "short_names").get(pk=obj.pk) if change else None
        super().save_model(request, obj, form, change)
        follow_names([obj])
        if before:
            keep_old_names(obj, before, last_day=timezone.localdate() - timedelta(days=1))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A place that was merged leads to the other."""
        unit = self.get_object(request, unquote(object_id))
        if unit.merged_into_id is not None and request.method == "GET":
            other = merged_into(unit)
            address = reverse("admin:locations_adminunit_change", args=[other.pk])
            words = _now("This row was merged into another: %(place)s")
            link = format_html('<a href="{}">{}</a>', address, other.choice_label)
            messages.warning(request, format_html(words % {"place": "{}"}, link))
        return super().change_view(request, object_id, form_url, extra_context)

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
