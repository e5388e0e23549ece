"""The gazetteer, what may change in it, and the rights that hang on it."""

from locations.models.admin_unit import UNIT_ID_PATTERN, AdminUnit, path_of, validate_time_zone
from locations.models.admin_unit_alias import AdminUnitAlias, PlaceName, make_keys, read_name
from locations.models.boundary import Boundary
from locations.models.unit_change import GazetteerUpdate, UnitChange
from locations.models.unit_scope import UnitScope

__all__ = [
    "UNIT_ID_PATTERN",
    "AdminUnit",
    "AdminUnitAlias",
    "Boundary",
    "GazetteerUpdate",
    "PlaceName",
    "UnitChange",
    "UnitScope",
    "make_keys",
    "path_of",
    "read_name",
    "validate_time_zone",
]
