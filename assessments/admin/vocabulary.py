"""Indicators and their categories, as the product and the mission have them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from assessments.models import Category, Indicator
from dtm_ops.common.desk import DeskRights, UnscopedAdmin, UnscopedTabularInline
from dtm_ops.common.desk_sections import DeskSection
from locations.permissions import has_desk


class Categories(UnscopedTabularInline):
    rights = DeskRights(view=has_desk)
    model = Category
    fields = ["code", "shown_name"]
    readonly_fields = ["code", "shown_name"]
    can_delete = False

    @admin.display(description=_("name"))
    def shown_name(self, category: Category) -> str:
        return str(category)


@admin.register(Indicator)
class IndicatorAdmin(UnscopedAdmin):
    desk_section = DeskSection.KOBO
    desk_order = 6
    rights = DeskRights(view=has_desk)
    list_display = ["shown_name", "code", "base"]
    fields = ["code", "shown_name", "base"]
    inlines = [Categories]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["shown_name"]

    @admin.display(description=_("name"), ordering="order")
    def shown_name(self, indicator: Indicator) -> str:
        return str(indicator)
