"""Questions to the gazetteer."""

from locations.selectors.search import search_units
from locations.selectors.units import (
    region_ids,
    region_of,
    regions_of,
    successors,
    successors_of,
    unit_by_code,
    units_on,
    zone_of,
    zones_of,
)

__all__ = [
    "region_ids",
    "region_of",
    "regions_of",
    "search_units",
    "successors",
    "successors_of",
    "unit_by_code",
    "units_on",
    "zone_of",
    "zones_of",
]
