"""Who may do what with rounds, focus groups and submissions (design, section 8). Used by admin, pages, API and
services.
"""

from assessments.models import FocusGroupSession, KoboSubmission, RoundTarget
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from locations.permissions import has_desk, in_reach, is_administrator, is_coordinator, is_manager
from locations.querysets import AnyUser
from training.models import Enumerator


def can_change_rounds(user: AnyUser) -> bool:
    """Rounds and targets: administrators and managers."""
    return is_administrator(user) or is_manager(user)


def can_plan(user: AnyUser, unit: AdminUnit | None = None) -> bool:
    """Focus groups and assignments: administrators everywhere, coordinators in their units. A manager only reads."""
    if is_administrator(user):
        return True
    return is_coordinator(user) and (unit is None or in_reach(user, unit))


def can_plan_target(user: AnyUser, target: RoundTarget | None = None) -> bool:
    return can_plan(user, target.unit if target else None)


def can_plan_focus_group(user: AnyUser, focus_group: FocusGroupSession | None = None) -> bool:
    return can_plan(user, focus_group.target.unit if focus_group else None)


def can_connect_kobo(user: AnyUser) -> bool:
    return is_administrator(user)


def can_start_sync(user: AnyUser) -> bool:
    """Asking Kobo again harms nothing: whoever has a desk may."""
    return has_desk(user)


def can_release_deletions(user: AnyUser) -> bool:
    """Letting many deletions through at once says what became of the project at Kobo: whoever connects it knows."""
    return is_administrator(user)


def can_push_statuses(user: AnyUser) -> bool:
    """Sending a decision to Kobo once more changes none: whoever has a desk may."""
    return has_desk(user)


def can_review(user: AnyUser, submission: KoboSubmission | None = None) -> bool:
    """First approval, return and rejection: managers everywhere, coordinators in their units. An administrator: no."""
    if is_manager(user):
        return True
    return is_coordinator(user) and (submission is None or _reviews(user, submission))


def can_approve_finally(user: AnyUser) -> bool:
    """The second of two steps."""
    return is_manager(user)


def can_match(user: AnyUser, submission: KoboSubmission | None = None) -> bool:
    """Saying by hand which target a submission belongs to: who may review it, and administrators."""
    return is_administrator(user) or can_review(user, submission)


def is_own(user: User, submission: KoboSubmission) -> bool:
    """Of the user's own work: also by a login that was theirs once, or that came with an entry merged into theirs."""
    person = submission.enumerator
    return person is not None and (person.user_id == user.pk or person.identities.filter(user=user.pk).exists())


def can_settle(user: AnyUser, meant: Enumerator | RoundTarget | FocusGroupSession) -> bool:
    """Saying what a spelling means: who may match, within the own places."""
    if isinstance(meant, Enumerator):
        return can_match(user) and in_reach(user, meant.home_unit)
    target = meant if isinstance(meant, RoundTarget) else meant.target
    return can_match(user) and in_reach(user, target.unit)


def _reviews(user: AnyUser, submission: KoboSubmission) -> bool:
    if submission.unit is not None:
        return in_reach(user, submission.unit)
    return submission.enumerator is not None and in_reach(user, submission.enumerator.home_unit)
