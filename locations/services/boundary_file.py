"""Reading boundaries: bytes to a GeoJSON collection, and one feature to a polygon. Knows nothing of places.

Bounded: a file, a number of features and of points have a limit, told in words. Rings may turn either way (RFC 7946 and
older files differ); what is kept has one order, so that the same polygon is the same text.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from dtm_ops.common.errors import Refused

MOST_BYTES: Final = 30 * 1024 * 1024
MOST_FEATURES: Final = 5_000
MOST_POINTS: Final = 1_000_000
DECIMALS: Final = 6  # a tenth of a metre
# Beyond any mistake in degrees: the numbers of a projection.
METRES_FROM: Final = 400
DRAWN: Final = ("Polygon", "MultiPolygon")
SOURCE_MEMBERS: Final = ("source", "credit", "attribution", "name")
LICENCE_MEMBERS: Final = ("licence", "license")
_DEGREES: Final = ("crs84", "4326", "ogc:1.3:crs84")


@dataclass(frozen=True, slots=True)
class FeatureProblem:
    """``feature`` None: the file as a whole. ``part`` names what is missing beside the file ("source", "licence")."""

    feature: int | None
    code: str
    message: str
    part: str = ""

    def __str__(self) -> str:
        if self.feature is None:
            return self.message
        place = _("Feature %(number)s (%(code)s)") if self.code else _("Feature %(number)s")
        return f"{place % {'number': self.feature, 'code': self.code}}: {self.message}"


class BoundariesRefused(Refused):
    """Nothing was written. ``problems`` holds everything that is wrong, not the first thing alone."""

    code = "boundaries_refused"

    def __init__(self, problems: Iterable[FeatureProblem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.feature or 0)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_collection(content: bytes) -> Any:
    """What the file says, its rings as arrays already: as lists of numbers they would take ten times the memory."""
    if len(content) > MOST_BYTES:
        raise refused(_("The file is larger than %(most)s MB: simplify the polygons first."), most=MOST_BYTES >> 20)
    if not content.strip():
        raise refused(_("The file is empty."))
    if content.startswith(b"PK"):
        raise refused(_("This is a zip archive or a workbook. Save the polygons as GeoJSON."))
    try:
        return json.loads(content.decode("utf-8-sig"), object_hook=_with_arrays)
    except UnicodeDecodeError:
        raise refused(_("The file is not in UTF-8.")) from None
    except json.JSONDecodeError as error:
        raise refused(
            _("The file is not JSON: line %(line)s, column %(column)s cannot be read."),
            line=error.lineno,
            column=error.colno,
        ) from None
    except (ValueError, RecursionError):
        raise refused(_("The file is not JSON that can be read.")) from None


def features_of(collection: Any) -> list[Any]:
    """The features of a collection within the limits. Raises `BoundariesRefused`."""
    if not isinstance(collection, Mapping) or collection.get("type") != "FeatureCollection":
        raise refused(_("This is not a GeoJSON FeatureCollection."))
    features = collection.get("features")
    if not isinstance(features, list) or not features:
        raise refused(_("The collection has no features."))
    if len(features) > MOST_FEATURES:
        raise refused(_("The file has more than %(most)s features."), most=MOST_FEATURES)
    if not _is_in_degrees(collection.get("crs")):
        raise refused(_("The file names another system of coordinates: degrees of WGS 84 (EPSG:4326) are needed."))
    if sum(_count_points(feature) for feature in features) > MOST_POINTS:
        raise refused(_("The polygons have more than %(most)s points: simplify them first."), most=MOST_POINTS)
    return features


def text_member(collection: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of the top-level members that is a text."""
    found = (collection.get(name) for name in names)
    return next((text.strip() for text in found if isinstance(text, str) and text.strip()), "")


def read_polygon(feature: Any) -> tuple[BaseGeometry, str]:
    """The polygon in its one order, and what had to be repaired ("" for nothing). ValueError: a sentence."""
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    if not isinstance(geometry, Mapping):
        raise ValueError(_("there is no geometry."))
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in DRAWN:
        raise ValueError(_("a boundary is a Polygon or a MultiPolygon, not “%(kind)s”.") % {"kind": kind})
    parts: Any = [coordinates] if kind == "Polygon" else coordinates
    if not _is_list(parts) or not any(_is_list(part) and len(part) for part in parts):
        raise ValueError(_("the polygon is empty."))
    polygons = [_read_part(part) for part in parts]
    return _repair(polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons))


def as_geojson(polygon: BaseGeometry) -> dict[str, Any]:
    """As the database gives it back: lists, not tuples."""
    drawn: dict[str, Any] = json.loads(json.dumps(shapely.geometry.mapping(polygon)))
    return drawn


def refused(message: str, **params: Any) -> BoundariesRefused:
    return BoundariesRefused([FeatureProblem(None, "", message % params)])


def _with_arrays(found: dict[str, Any]) -> dict[str, Any]:
    if found.get("type") in DRAWN and isinstance(found.get("coordinates"), list):
        found["coordinates"] = [_compact(part) for part in found["coordinates"]]
    return found


def _compact(part: Any) -> Any:
    """A ring, or a list of rings, as arrays; what is neither stays, and is told later with its feature."""
    if isinstance(part, list) and part and isinstance(part[0], list) and part[0] and isinstance(part[0][0], list):
        return [_compact(ring) for ring in part]
    try:
        ring = np.asarray(part)
    except ValueError:
        return part
    return ring if ring.dtype.kind in "iuf" else part


def _is_in_degrees(crs: Any) -> bool:
    """The member of GeoJSON before RFC 7946; without it, degrees of WGS 84."""
    return crs is None or any(name in json.dumps(crs, default=str).lower() for name in _DEGREES)


def _count_points(feature: Any) -> int:
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    return _count_below(coordinates)


def _count_below(found: Any) -> int:
    if isinstance(found, np.ndarray):
        return len(found)
    if not isinstance(found, (list, tuple)) or not found:
        return 0
    # A position is a list of numbers.
    return 1 if isinstance(found[0], (int, float)) else sum(_count_below(one) for one in found)


def _is_list(found: Any) -> bool:
    return isinstance(found, (list, tuple, np.ndarray))


def _read_part(rings: Any) -> shapely.Polygon:
    if not _is_list(rings) or not len(rings):
        raise ValueError(_("a part of the polygon is empty."))
    shell, *holes = (_read_ring(ring) for ring in rings)
    return shapely.Polygon(shell, holes)


def _read_ring(ring: Any) -> Any:
    try:
        points = np.asarray(ring)
    except ValueError:
        points = np.asarray([])
    if points.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(_("the points are not pairs of numbers: longitude, latitude."))
    points = points[:, :2].astype(float)
    if not np.isfinite(points).all():
        raise ValueError(_("the points are not pairs of numbers: longitude, latitude."))
    _check_degrees(points)
    points = np.round(points, DECIMALS)
    if (points[0] != points[-1]).any():
        points = np.vstack([points, points[:1]])
    if len(points) < 4:
        raise ValueError(_("a ring has three different points at least."))
    return points


def _check_degrees(points: Any) -> None:
    east, north = np.abs(points).max(axis=0)
    if max(east, north) > METRES_FROM:
        raise ValueError(_("the coordinates are metres of a projected map; degrees of WGS 84 are needed."))
    if north > 90 and east <= 90:
        raise ValueError(_("latitude stands before longitude; GeoJSON has the longitude first."))
    if east > 180 or north > 90:
        raise ValueError(_("a longitude lies from -180 to 180 degrees, a latitude from -90 to 90."))


def _repair(polygon: BaseGeometry) -> tuple[BaseGeometry, str]:
    reason = "" if polygon.is_valid else shapely.is_valid_reason(polygon)
    if reason:
        whole = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        parts = [part for part in shapely.get_parts(whole, return_index=False) if part.geom_type == "Polygon"]
        polygon = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    if polygon.is_empty or not polygon.area:
        raise ValueError(_("the polygon has no area."))
    if polygon.geom_type == "MultiPolygon" and len(polygon.geoms) == 1:
        polygon = polygon.geoms[0]
    return shapely.orient_polygons(shapely.normalize(polygon), exterior_cw=False), reason
