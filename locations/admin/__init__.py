"""The gazetteer and the rights on the desk."""

from locations.admin.admin_unit import AdminUnitAdmin
from locations.admin.boundary import BoundaryAdmin
from locations.admin.unit_change import GazetteerUpdateAdmin, UnitChangeAdmin
from locations.admin.unit_scope import UnitScopeAdmin

__all__ = ["AdminUnitAdmin", "BoundaryAdmin", "GazetteerUpdateAdmin", "UnitChangeAdmin", "UnitScopeAdmin"]
