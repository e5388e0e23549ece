"""Questions to the polygons: which place a point lies in, how far outside it lies, whose drawing it is.

Where two polygons share a point (a border, a city that was not cut out of its region) the smaller one has it, then the
smaller code. A place without a polygon is never the answer: who asks has to expect None.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import shapely
from django.db.models import TextField
from django.db.models.functions import Cast
from shapely.geometry.base import BaseGeometry

from locations.models import AdminUnit, Boundary
from locations.querysets import AdminUnitQuerySet, BoundaryQuerySet

EARTH_RADIUS: Final = 6_371_008.8
# Latitude first, as people and phones say it; Decimal or float.
Point = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Credit:
    source: str
    licence: str


def unit_at(latitude: Any, longitude: Any, *, on: date, level: int) -> AdminUnit | None:
    """The place of that level, in force that day, whose polygon holds the point. Two queries at most."""
    return units_at([(latitude, longitude)], on=on, level=level)[0]


def units_at(points: Iterable[Point], *, on: date, level: int) -> list[AdminUnit | None]:
    """As `unit_at` for many points, in their order, by two queries: boxes first, so that a point asks few polygons."""
    asked = [(float(longitude), float(latitude)) for latitude, longitude in points]
    if not asked:
        return []
    places = np.asarray(asked)
    (west, south), (east, north) = places.min(axis=0), places.max(axis=0)
    units = AdminUnit.objects.units_on(on).level(level).order_by().values("pk")
    near = Boundary.objects.filter(unit__in=units).as_of(on)
    keys, polygons = _outlines(near.filter(west__lte=east, east__gte=west, south__lte=north, north__gte=south))
    return _first_of_each(places, keys, polygons)


def distance_outside(unit: AdminUnit, *, latitude: Any, longitude: Any, on: date) -> float | None:
    """Metres from the point to the place's polygon of that day; 0 inside; None: nobody has drawn the place."""
    return distances_outside([(unit, latitude, longitude)], on=on)[0]


def distances_outside(points: Iterable[tuple[AdminUnit, Any, Any]], *, on: date) -> list[float | None]:
    """As `distance_outside` for many (place, latitude, longitude), by one query."""
    asked = list(points)
    drawn = outlines({unit for unit, _latitude, _longitude in asked}, on=on)
    return [
        _metres_outside(drawn[unit.pk], float(latitude), float(longitude)) if unit.pk in drawn else None
        for unit, latitude, longitude in asked
    ]


def outlines(units: Iterable[AdminUnit], *, on: date) -> dict[int, BaseGeometry]:
    """The polygons of the places that have one, as of that day, by the place's key; one query."""
    keys, polygons = _outlines(_boundaries_of(units, on))
    return dict(zip(keys, polygons, strict=True))


def units_without_boundary(on: date, *, level: int | None = None) -> AdminUnitQuerySet:
    """Places in force that day that nobody has drawn, the higher first."""
    units = AdminUnit.objects.units_on(on).filter(boundaries=None)
    return (units if level is None else units.level(level)).order_by("level", "code", "unit_id")


def boundary_credits(units: Iterable[AdminUnit], *, on: date) -> list[Credit]:
    """Whose polygons a map of these places as of that day shows, each source once."""
    rows = _boundaries_of(units, on).order_by("source", "licence")
    return [Credit(*row) for row in rows.values_list("source", "licence").distinct()]


def _boundaries_of(units: Iterable[AdminUnit], on: date) -> BoundaryQuerySet:
    return Boundary.objects.filter(unit__in=[unit.pk for unit in units]).as_of(on)


def _outlines(boundaries: Any) -> tuple[list[int], Sequence[BaseGeometry]]:
    """Keys of places and their polygons, in the order of the codes. Read as text: shapely reads it faster than we."""
    ordered = boundaries.order_by("unit__code", "unit__unit_id")
    rows = list(ordered.values_list("unit", Cast("geometry", TextField())))
    polygons: Sequence[BaseGeometry] = shapely.from_geojson([text for _key, text in rows]) if rows else []
    return [key for key, _text in rows], polygons


def _first_of_each(places: Any, keys: Sequence[int], polygons: Sequence[BaseGeometry]) -> list[AdminUnit | None]:
    if not keys:
        return [None] * len(places)
    by_size = np.argsort(shapely.area(polygons), kind="stable")
    keys, polygons = [keys[index] for index in by_size], [polygons[index] for index in by_size]
    # The tree holds the points, since what asks a tree is prepared once: a polygon of thousands of corners then
    # answers for all its points.
    found = shapely.STRtree(shapely.points(places)).query(polygons, predicate="covers")
    first = np.full(len(places), len(keys))
    np.minimum.at(first, found[1], found[0])
    used = {keys[index] for index in set(first.tolist()) if index < len(keys)}
    units = AdminUnit.objects.in_bulk(list(used))
    return [units[keys[index]] if index < len(keys) else None for index in first.tolist()]


def _metres_outside(polygon: BaseGeometry, latitude: float, longitude: float) -> float:
    point = shapely.Point(longitude, latitude)
    if polygon.covers(point):
        return 0.0
    # Degrees of longitude are shorter than those of latitude: as long as here, before the nearest point is sought.
    narrow = max(math.cos(math.radians(latitude)), 0.01)
    level = shapely.transform(polygon, lambda points: points * [narrow, 1.0])
    nearest = shapely.get_point(shapely.shortest_line(shapely.Point(longitude * narrow, latitude), level), 1)
    return metres_between((latitude, longitude), (nearest.y, nearest.x / narrow))


def metres_between(one: Point, other: Point) -> float:
    """Along the great circle, good to some metres in a thousand."""
    (south, west), (north, east) = ([math.radians(float(degree)) for degree in point] for point in (one, other))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))
