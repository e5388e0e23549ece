"""The gazetteer, what may change in it, and the rights that hang on it."""

from locations.models.admin_unit import UNIT_ID_PATTERN, AdminUnit, path_of, validate_time_zone
from locations.models.admin_unit_alias import AdminUnitAlias
from locations.models.boundary import Boundary
from locations.models.unit_change import GazetteerUpdate, UnitChange
from locations.models.unit_scope import UnitScope

__all__ = [
    "UNIT_ID_PATTERN",
    "AdminUnit",
    "AdminUnitAlias",
    "Boundary",
    "GazetteerUpdate",
    "UnitChange",
    "UnitScope",
    "path_of",
    "validate_time_zone",
]
