"""Who may do what with the roster (design: roster, training, certificates). Used by admin, pages and API alike."""

from locations.permissions import in_reach, is_administrator, is_coordinator
from locations.querysets import AnyUser
from training.models import Absence, Enumerator, Team


def can_change_roster(user: AnyUser, enumerator: Enumerator | None = None) -> bool:
    """Administrators everywhere, coordinators for people at home in their units."""
    if is_administrator(user):
        return True
    return is_coordinator(user) and (enumerator is None or in_reach(user, enumerator.home_unit))


def can_run_training(user: AnyUser) -> bool:
    return is_administrator(user) or is_coordinator(user)


def can_change_team(user: AnyUser, team: Team | None = None) -> bool:
    """Administrators everywhere, coordinators for teams that work in their units."""
    if is_administrator(user):
        return True
    return is_coordinator(user) and (team is None or in_reach(user, team.unit))


def can_change_absence(user: AnyUser, absence: Absence | None = None) -> bool:
    return can_change_roster(user, absence.enumerator if absence else None)
