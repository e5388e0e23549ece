from datetime import date
from typing import Final

import django_filters
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.exports import FORMATS
from dtm_ops.common.found_rows import in_found_order
from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet
from locations.selectors import search_units

FOUND: Final = 200


class AdminUnitFilter(django_filters.FilterSet):
    on = django_filters.DateFilter(method="in_force_on", label=_("In force on that day"))
    parent = django_filters.CharFilter(field_name="parent__unit_id", label=_("Unit id of the place above"))
    search = django_filters.CharFilter(
        method="found_by_words",
        label=_("Name in any language and spelling, old name or code; best first, 200 at most"),
    )

    class Meta:
        model = AdminUnit
        fields = ["on", "level", "parent", "code", "search"]

    def filter_queryset(self, queryset: AdminUnitQuerySet) -> AdminUnitQuerySet:
        """The search last: it puts in order what the other filters leave. With a day, it also looks at places that had
        closed by then, for those that came after them.
        """
        left: AdminUnitQuerySet = super().filter_queryset(queryset)
        if not (words := self.form.cleaned_data["search"]):
            return left
        on, level = self.form.cleaned_data["on"], self.form.cleaned_data["level"]
        units = search_units(
            words, units=queryset if on else left, on=on, level=int(level) if level else None, limit=FOUND
        )
        return in_found_order(left, [unit.pk for unit in units])

    def in_force_on(self, units: AdminUnitQuerySet, name: str, day: date) -> AdminUnitQuerySet:
        return units.units_on(day)

    def found_by_words(self, units: AdminUnitQuerySet, name: str, words: str) -> AdminUnitQuerySet:
        """Nothing yet: see `filter_queryset`."""
        return units


class UnitExportFilter(AdminUnitFilter):
    """The filters of the list, and the kind of the file."""

    format = django_filters.ChoiceFilter(
        choices=[(one, one.upper()) for one in FORMATS], method="keep", required=True, label=_("csv or xlsx")
    )

    def keep(self, units: AdminUnitQuerySet, name: str, file_format: str) -> AdminUnitQuerySet:
        return units
