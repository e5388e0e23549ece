from typing import cast

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from dtm_ops.common.api import AnswersJson
from dtm_ops.common.exports import table_response
from locations.api.filters import AdminUnitFilter, UnitExportFilter
from locations.api.permissions import HasRole
from locations.api.serializers import AdminUnitSerializer, UnitBoundarySerializer
from locations.models import AdminUnit, Boundary
from locations.querysets import AdminUnitQuerySet
from locations.selectors.unit_table import unit_table

LANGUAGES = [code for code, _name in settings.LANGUAGES]


@extend_schema_view(
    list=extend_schema(summary="Places of the gazetteer within the reader's scope, and the places above them"),
    retrieve=extend_schema(summary="One place by its unit id"),
)
class AdminUnitViewSet(ReadOnlyModelViewSet):
    # A code names different places over time; ask with `on` when you look one up by its code.
    queryset = AdminUnit.objects.none()
    serializer_class = AdminUnitSerializer
    filterset_class = AdminUnitFilter
    permission_classes = [HasRole]
    lookup_field = "unit_id"
    lookup_value_regex = "[0-9A-Za-z._~-]+"

    def get_queryset(self) -> AdminUnitQuerySet:
        units = AdminUnit.objects.readable_by(self.request.user)
        units = units.select_related("parent", "merged_into").prefetch_related("predecessors")
        return units.order_by("code", "unit_id")

    @extend_schema(
        summary="The places that the filters leave, as CSV or XLSX, with HXL tags under the header",
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
    )
    @action(
        detail=False,
        filterset_class=UnitExportFilter,
        pagination_class=None,
        content_negotiation_class=AnswersJson,
    )
    def export(self, request: Request) -> HttpResponse:
        units = cast(AdminUnitQuerySet, self.filter_queryset(self.get_queryset()))
        header, rows = unit_table(units, LANGUAGES)
        name = f"places-{timezone.localdate():%Y-%m-%d}"
        return table_response(request.query_params["format"], name=name, header=header, rows=rows)

    @extend_schema(
        summary="The polygon of a place as a GeoJSON feature, with source and licence", responses=UnitBoundarySerializer
    )
    @action(detail=True, filterset_class=None)
    def boundary(self, request: Request, unit_id: str) -> Response:
        drawn = Boundary.objects.filter(unit=self.get_object()).as_of(timezone.localdate())
        found = drawn.select_related("unit__parent").first()
        if found is None:
            raise Http404
        return Response(UnitBoundarySerializer(found).data)
