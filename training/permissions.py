"""Who may do what with the roster (design: roster, training, certificates). Used by admin, pages and API alike."""

from locations.permissions import in_reach, is_administrator, is_coordinator
from locations.querysets import AnyUser
from training.models import Enumerator


def can_change_roster(user: AnyUser, enumerator: Enumerator | None = None) -> bool:
    """Administrators everywhere, coordinators for people at home in their units."""
    if is_administrator(user):
        return True
    return is_coordinator(user) and (enumerator is None or in_reach(user, enumerator.home_unit))


def can_run_training(user: AnyUser) -> bool:
    return is_administrator(user) or is_coordinator(user)
