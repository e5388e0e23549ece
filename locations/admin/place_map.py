"""One place drawn, with whose drawing it is: for the desk's pages of a place and of its polygon."""

import json
from dataclasses import dataclass
from typing import Any

import shapely
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dtm_ops.common.desk import ScopedAdmin
from dtm_ops.common.svg import Shape, polygon_map
from locations.models import AdminUnit, Boundary
from locations.selectors.boundaries import Credit


@dataclass(frozen=True, slots=True)
class PlaceMap:
    drawing: str
    credits: tuple[Credit, ...]


def draw_boundary(boundary: Boundary) -> PlaceMap:
    name = boundary.unit.name
    shape = Shape(shapely.from_geojson(json.dumps(boundary.geometry)), name, level=2)
    return PlaceMap(polygon_map([shape], title=name), (Credit(boundary.source, boundary.licence),))


class DrawnPlace(ScopedAdmin):
    """Puts the map of the place under its form."""

    change_form_template = "admin/change_form_map.html"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        unit = context.get("original")
        drawn = draw_place(unit) if isinstance(unit, AdminUnit) else None
        return super().render_change_form(request, {**context, "map": drawn}, *args, **kwargs)


def draw_place(unit: AdminUnit) -> PlaceMap | None:
    """As it is now, or as it was last; None: nobody has drawn it."""
    boundary = Boundary.objects.filter(unit=unit).as_of(timezone.localdate()).select_related("unit").first()
    return draw_boundary(boundary) if boundary else None
