"""The list of places as a file for other programs, with HXL tags under the header."""

from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_safe

from dtm_ops.common.desk import ScopedAdmin
from dtm_ops.common.exports import FORMATS, table_response
from locations.querysets import AdminUnitQuerySet
from locations.selectors.unit_table import unit_table

LANGUAGES = [code for code, _name in settings.LANGUAGES]


class ExportedPlaces(ScopedAdmin):
    """Exports what is filtered and searched, in the order of the list."""

    change_list_template = "admin/change_list_export.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.export_view))
        return [
            *(
                path(f"export.{one}", view, {"file_format": one}, name=f"locations_adminunit_export_{one}")
                for one in FORMATS
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        formats = [(f"export.{one}", one.upper()) for one in FORMATS]
        return super().changelist_view(request, {"export_formats": formats, **(extra_context or {})})

    def export_view(self, request: HttpRequest, file_format: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        units = cast(AdminUnitQuerySet, self.get_changelist_instance(request).get_queryset(request))
        header, rows = unit_table(units, LANGUAGES)
        name = f"places-{timezone.localdate():%Y-%m-%d}"
        return table_response(file_format, name=name, header=header, rows=rows)
