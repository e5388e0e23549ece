from datetime import date

import django_filters
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.exports import FORMATS
from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet


class AdminUnitFilter(django_filters.FilterSet):
    on = django_filters.DateFilter(method="in_force_on", label=_("In force on that day"))
    parent = django_filters.CharFilter(field_name="parent__unit_id", label=_("Unit id of the place above"))

    class Meta:
        model = AdminUnit
        fields = ["on", "level", "parent", "code"]

    def in_force_on(self, units: AdminUnitQuerySet, name: str, day: date) -> AdminUnitQuerySet:
        return units.units_on(day)


class UnitExportFilter(AdminUnitFilter):
    """The filters of the list, and the kind of the file."""

    format = django_filters.ChoiceFilter(
        choices=[(one, one.upper()) for one in FORMATS], method="keep", required=True, label=_("csv or xlsx")
    )

    def keep(self, units: AdminUnitQuerySet, name: str, file_format: str) -> AdminUnitQuerySet:
        return units
