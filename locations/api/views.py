from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.viewsets import ReadOnlyModelViewSet

from locations.api.filters import AdminUnitFilter
from locations.api.permissions import HasDesk
from locations.api.serializers import AdminUnitSerializer
from locations.models import AdminUnit
from locations.querysets import AdminUnitQuerySet


@extend_schema_view(
    list=extend_schema(summary="Places of the gazetteer within the reader's scope, and the places above them"),
    retrieve=extend_schema(summary="One place by its unit id"),
)
class AdminUnitViewSet(ReadOnlyModelViewSet):
    # A code names different places over time; ask with `on` when you look one up by its code.
    queryset = AdminUnit.objects.none()
    serializer_class = AdminUnitSerializer
    filterset_class = AdminUnitFilter
    permission_classes = [HasDesk]
    lookup_field = "unit_id"
    lookup_value_regex = "[0-9A-Za-z._~-]+"

    def get_queryset(self) -> AdminUnitQuerySet:
        units = AdminUnit.objects.visible_to(self.request.user)
        return units.select_related("parent").prefetch_related("predecessors").order_by("code", "unit_id")
