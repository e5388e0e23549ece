"""The gazetteer and the rights on the desk."""

from locations.admin.admin_unit import AdminUnitAdmin
from locations.admin.unit_scope import UnitScopeAdmin

__all__ = ["AdminUnitAdmin", "UnitScopeAdmin"]
