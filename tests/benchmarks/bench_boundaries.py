"""10,000 points among the polygons of a country against a bare shapely tree: what finding the place of a point costs.

The polygons are ragged cells of about 400 corners, as many as a country has regions, and as it has districts.
"""

import math
import random
from datetime import date
from itertools import pairwise

import shapely

from locations.models import AdminUnit, Boundary
from locations.selectors.boundaries import units_at
from locations.services.boundaries import import_boundaries
from tests.benchmarks.comparison import Comparison
from tests.factories.locations import AdminUnitFactory

POINTS, CORNERS = 10_000, 100
DAY = date(2026, 1, 15)
WEST, SOUTH, WIDE, TALL = 46.0, 40.0, 40.0, 15.0


def ragged(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """From one corner to the next; the same for both neighbours, since it follows from the two points alone."""
    (ax, ay), (bx, by) = sorted([(x0, y0), (x1, y1)])
    along = [number / CORNERS for number in range(CORNERS)]
    line = [
        (ax + (bx - ax) * part + 0.05 * math.sin(40 * part) * (by != ay), ay + (by - ay) * part
         + 0.05 * math.sin(40 * part) * (bx != ax))
        for part in along
    ]  # fmt: skip
    return line if (ax, ay) == (x0, y0) else [(bx, by), *line[:0:-1]]


def draw_cells(columns: int, rows: int) -> dict[str, list[tuple[float, float]]]:
    across, up = WIDE / columns, TALL / rows
    cells = {}
    for column in range(columns):
        for row in range(rows):
            x0, y0 = WEST + column * across, SOUTH + row * up
            corners = [(x0, y0), (x0 + across, y0), (x0 + across, y0 + up), (x0, y0 + up), (x0, y0)]
            ring = [point for one, other in pairwise(corners) for point in ragged(*one, *other)]
            cells[f"b{columns:02}{column:02}{row:02}"] = [*ring, ring[0]]
    return cells


def make_country(columns: int, rows: int) -> int:
    """The level that the cells are of."""
    Boundary.objects.all().delete()
    level = 1 + AdminUnit.objects.filter(level=1).exists()
    parent = AdminUnit.objects.filter(level=level - 1).first()
    cells = draw_cells(columns, rows)
    for code in cells:
        AdminUnitFactory(code=code, **({"parent": parent} if parent else {}))
    features = [
        {"type": "Feature", "properties": {"code": code}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for code, ring in cells.items()
    ]
    import_boundaries({"type": "FeatureCollection", "features": features}, source="bench", licence="CC0")
    return level


def bench_point_in_polygon() -> list[Comparison]:
    """We read the polygons from the database each time, which is most of the work where they are many."""
    return [compare_points(5, 4, at_most=0.8), compare_points(15, 15, at_most=2.0)]


def compare_points(columns: int, rows: int, *, at_most: float) -> Comparison:
    polygons = [shapely.Polygon(ring) for ring in draw_cells(columns, rows).values()]
    shapely.prepare(polygons)
    chance = random.Random(20)
    points = [(SOUTH + chance.random() * TALL, WEST + chance.random() * WIDE) for _ in range(POINTS)]
    made: list[int] = []

    def ours() -> None:
        if not made:
            made.append(make_country(columns, rows))
        units_at(points, on=DAY, level=made[0])

    def bare() -> None:
        """Polygons in memory already, one point after another."""
        tree = shapely.STRtree(polygons)
        for latitude, longitude in points:
            point = shapely.Point(longitude, latitude)
            [index for index in tree.query(point) if polygons[index].covers(point)]

    return Comparison(f"10,000 points among {columns * rows} polygons of 400 corners", ours, bare, at_most=at_most)
