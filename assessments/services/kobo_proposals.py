"""A reviewer's answer to a status that somebody else set at Kobo."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import ReturnReason
from assessments.models import KoboSubmission
from assessments.permissions import can_review
from assessments.selectors.kobo_status import Proposal, proposal_for
from assessments.services.review import approve_submission, reject_submission, return_submission
from assessments.services.status_pushes import queue_push
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused, TransitionNotAllowed


def take_over(
    submission: KoboSubmission, *, reviewer: User, shown: str, reason: str = ReturnReason.OTHER, text: str = ""
) -> None:
    """Decide the same by the review's own steps, with all that they ask and refuse. ``shown``: the key of the proposal
    that the reviewer saw.
    """
    proposal = _check(submission, shown)
    if proposal.verb == "approve":
        approve_submission(submission, reviewer=reviewer)
    elif proposal.verb == "reject":
        reject_submission(submission, reviewer=reviewer, reason=reason, text=text)
    elif proposal.verb == "return":
        return_submission(submission, reviewer=reviewer, reason=reason, text=text)
    else:
        raise Refused(_("No decision of ours means the same."), code="no_verb")


@transaction.atomic
def keep_ours(submission: KoboSubmission, *, reviewer: User, shown: str) -> None:
    """Our review status stands, and is sent to Kobo again."""
    if not can_review(reviewer, submission):
        raise Refused(_("You may not review this submission."), code="not_allowed")
    proposal = _check(submission, shown)
    settled_at = proposal.at or timezone.now()
    as_read = {
        name: getattr(submission, name)
        for name in ("review_status", "kobo_status", "kobo_status_by", "kobo_status_at", "deleted_at")
    }
    kept = KoboSubmission.objects.filter(pk=submission.pk, **as_read).update(kobo_status_settled_at=settled_at)
    if not kept:
        raise TransitionNotAllowed(
            submission, old=submission.review_status, new="", field="review_status", meanwhile=True
        )
    submission.kobo_status_settled_at = settled_at
    queue_push(submission)


def _check(submission: KoboSubmission, shown: str) -> Proposal:
    proposal = proposal_for(submission)
    if proposal is None:
        raise Refused(_("Nothing is set at Kobo that waits for a decision."), code="no_proposal")
    if proposal.key != shown:
        raise Refused(_("Another status was set at Kobo meanwhile: look at it again."), code="other_proposal")
    return proposal
