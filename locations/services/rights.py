"""Giving and taking rights. Who may is asked by the faces (`can_change_gazetteer`)."""

from dtm_ops.accounts.models import User
from locations.models import AdminUnit, UnitScope
from locations.permissions import forget_scope


def grant_role(user: User, *, unit: AdminUnit, role: str) -> UnitScope:
    """Give the role for the place; a role that is there already stays as it is."""
    scope, _new = UnitScope.objects.get_or_create(user=user, unit=unit, role=role)
    forget_scope(user)
    return scope


def revoke_role(user: User, *, unit: AdminUnit, role: str) -> bool:
    """Take the role away. False: there was none. The database keeps that it was there."""
    removed, _by_model = UnitScope.objects.filter(user=user, unit=unit, role=role).delete()
    forget_scope(user)
    return bool(removed)
