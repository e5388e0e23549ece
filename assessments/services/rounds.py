"""Rounds and their targets: opening, closing, and why a place is not covered."""

from datetime import date, datetime

from django.utils.translation import gettext as _

from assessments.enums import ROUND_STEPS, TARGET_STEPS, RoundStatus, TargetStatus
from assessments.models import AssessmentRound, RoundTarget
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status


def open_round(assessment_round: AssessmentRound, *, by: User | None, at: datetime | None = None) -> StatusChange:
    """From now on the round's focus groups can be planned. A round without targets has nothing to cover: refused."""
    if not assessment_round.targets.exists():
        raise Refused(_("The round has no targets yet."), code="no_targets")
    return change_status(assessment_round, RoundStatus.OPEN, allowed=ROUND_STEPS, by=by, at=at)


def close_round(assessment_round: AssessmentRound, *, by: User | None, at: datetime | None = None) -> StatusChange:
    """No more planning. Forms that still arrive are kept and can be reviewed."""
    return change_status(assessment_round, RoundStatus.CLOSED, allowed=ROUND_STEPS, by=by, at=at)


def set_target_status(
    target: RoundTarget,
    status: str,
    *,
    by: User | None,
    reason: str = "",
    until: date | None = None,
    at: datetime | None = None,
) -> StatusChange:
    """Exclude a place, call it inaccessible (``until`` the last day of it), close it with a shortfall, or open it
    again.

    Each but opening wants a reason in words: it is what the manager reads when asking why the place is not covered.
    """
    reason = reason.strip()
    if status != TargetStatus.OPEN and not reason:
        raise Refused(_("Say why the place is not covered."), code="reason_missing")
    if until is not None and status != TargetStatus.INACCESSIBLE:
        raise Refused(_("Only “inaccessible” has a last day."), code="until_not_meant")
    return change_status(
        target,
        status,
        allowed=TARGET_STEPS,
        by=by,
        text=reason,
        at=at,
        also={"status_reason": reason if status != TargetStatus.OPEN else "", "status_until": until},
    )
