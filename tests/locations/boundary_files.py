"""Small GeoJSON files, as sources write them."""

from pathlib import Path
from typing import Any

CREDIT = {"source": "Test survey", "licence": "CC BY 4.0"}
# Beside the project; not part of it.
SHARED = Path(__file__).parents[3] / "shared" / "data"


def square(west: float, south: float, size: float = 1, *, clockwise: bool = False) -> dict[str, Any]:
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring[::-1] if clockwise else ring]}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: Any, **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", **members, "features": list(features)}
