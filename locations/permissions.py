"""Who may do what, as predicates that every face asks. The table is in the README; the rows come from `UnitScope`.

For a list use the querysets (``visible_to``, ``in_reach_of``): these predicates answer for one user and one place.
"""

from locations.enums import Role
from locations.models import AdminUnit
from locations.querysets import AnyUser, Scope, forget_scope, has_desk, scope_of

__all__ = [
    "AnyUser",
    "Scope",
    "can_change_gazetteer",
    "can_propose_change",
    "can_view_gazetteer",
    "can_view_unit",
    "forget_scope",
    "has_desk",
    "in_reach",
    "is_administrator",
    "is_coordinator",
    "is_enumerator",
    "is_manager",
    "scope_of",
]


def is_administrator(user: AnyUser) -> bool:
    return Role.ADMINISTRATOR in scope_of(user).roles


def is_manager(user: AnyUser) -> bool:
    return Role.MANAGER in scope_of(user).roles


def is_coordinator(user: AnyUser) -> bool:
    return Role.COORDINATOR in scope_of(user).roles


def is_enumerator(user: AnyUser) -> bool:
    return Role.ENUMERATOR in scope_of(user).roles


def can_change_gazetteer(user: AnyUser) -> bool:
    """Places and rights are written by administrators alone."""
    return is_administrator(user)


def can_view_gazetteer(user: AnyUser) -> bool:
    return has_desk(user)


def can_view_unit(user: AnyUser, unit: AdminUnit) -> bool:
    """The same answer as `AdminUnitQuerySet.visible_to`: in reach, or above a place in reach."""
    return scope_of(user).shows(unit.path)


def in_reach(user: AnyUser, unit: AdminUnit) -> bool:
    """Whether rows of this place are the user's to see: as `ScopedQuerySet.visible_to`, people's own rows aside."""
    return scope_of(user).reaches(unit.path)


def can_propose_change(user: AnyUser) -> bool:
    """Whoever works in the field or with it: a proposal writes nothing into the gazetteer."""
    return bool(scope_of(user).roles)
