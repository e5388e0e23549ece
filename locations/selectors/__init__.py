"""Questions to the gazetteer."""

from locations.selectors.units import (
    region_ids,
    region_of,
    regions_of,
    successors,
    unit_by_code,
    units_on,
    zone_of,
    zones_of,
)

__all__ = ["region_ids", "region_of", "regions_of", "successors", "unit_by_code", "units_on", "zone_of", "zones_of"]
