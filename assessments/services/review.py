"""Deciding on submissions. The only place that writes ``review_status``."""

from datetime import datetime

from django.db import transaction
from django.db.utils import IntegrityError
from django.utils.translation import gettext as _

from assessments.enums import REVIEW_STEPS, ReturnReason, ReviewStatus
from assessments.models import KoboSubmission
from assessments.permissions import can_approve_finally, can_review, is_own
from assessments.services.figures import write_figures
from assessments.services.status_pushes import queue_push
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status


def approve_submission(submission: KoboSubmission, *, reviewer: User, at: datetime | None = None) -> StatusChange:
    """Approve, in one step or in two, as the form kind says.

    One step: a coordinator's or manager's approval is the final one. Two: the first comes from either, the final one
    from a manager who did not give the first. Nobody approves what they submitted. The final approval fixes the
    revision that counts and writes its figures; approving again after an edit accepts what changed.

    Refused, with nothing written: what cannot be read, is a trial, was deleted at Kobo or matches no target; a target
    that another approved form covers; and, as ``TransitionNotAllowed``, what somebody decided, or edited at Kobo,
    meanwhile.
    """
    _check_reviewer(submission, reviewer)
    _check_countable(submission)
    if not _is_final(submission, reviewer):
        return _change_review(submission, ReviewStatus.APPROVED_FIRST, by=reviewer, at=at)
    try:
        return _approve_finally(submission, reviewer=reviewer, at=at)
    except Refused:
        submission.refresh_from_db()
        raise


def return_submission(
    submission: KoboSubmission, *, reviewer: User, reason: str, text: str, at: datetime | None = None
) -> StatusChange:
    """Send a submission back to the enumerator who made it; ``text`` is what they read.

    An approved one stops counting. The correction arrives with a later sync and reopens the review.
    """
    return _send_away(submission, ReviewStatus.RETURNED, reviewer=reviewer, reason=reason, text=text, at=at)


def reject_submission(
    submission: KoboSubmission, *, reviewer: User, reason: str, text: str, at: datetime | None = None
) -> StatusChange:
    """Put a submission aside for good. It stays readable; its target falls back to what it was without it."""
    return _send_away(submission, ReviewStatus.REJECTED, reviewer=reviewer, reason=reason, text=text, at=at)


def reopen_review(submission: KoboSubmission, *, by: User | None = None, at: datetime | None = None) -> StatusChange:
    """Back to ``received``: an edit at Kobo changed what was returned, rejected or approved once."""
    return _change_review(submission, ReviewStatus.RECEIVED, by=by, reason="edited", at=at)


def give_up_approval(submission: KoboSubmission) -> StatusChange:
    """Back to ``received``: it was deleted at Kobo and is there again, while another form has come to cover its target.
    Somebody has to choose.
    """
    return _change_review(
        submission,
        ReviewStatus.RECEIVED,
        by=None,
        reason="target_covered",
        also={"approved_revision_id": None, "covers_alone": False},
    )


def _approve_finally(submission: KoboSubmission, *, reviewer: User, at: datetime | None) -> StatusChange:
    with transaction.atomic():
        try:
            with transaction.atomic():
                change = _change_review(
                    submission,
                    ReviewStatus.APPROVED,
                    by=reviewer,
                    at=at,
                    also={
                        "approved_revision_id": submission.current_revision_id,
                        "covers_alone": submission.form.form_kind.one_per_target,
                    },
                )
        except IntegrityError as error:
            if "submission_covers_target_once" not in str(error):
                raise
            raise Refused(
                _("Another approved form covers %(target)s already. Return or reject one of the two.")
                % {"target": submission.target},
                code="target_covered",
            ) from None
        write_figures([submission])
    return change


def _send_away(
    submission: KoboSubmission, status: str, *, reviewer: User, reason: str, text: str, at: datetime | None
) -> StatusChange:
    _check_reviewer(submission, reviewer)
    if reason not in ReturnReason.values:
        raise Refused(_("Choose a reason."), code="reason_missing")
    if not text.strip():
        raise Refused(_("Write what is wrong: the enumerator reads it."), code="text_missing")
    return _change_review(
        submission,
        status,
        by=reviewer,
        reason=reason,
        text=text.strip(),
        at=at,
        also={"approved_revision_id": None, "covers_alone": False},
    )


@transaction.atomic
def _change_review(
    submission: KoboSubmission,
    status: str,
    *,
    by: User | None,
    reason: str = "",
    text: str = "",
    at: datetime | None = None,
    also: dict[str, object] | None = None,
) -> StatusChange:
    change = change_status(
        submission,
        status,
        allowed=REVIEW_STEPS,
        field="review_status",
        by=by,
        reason=reason,
        text=text,
        at=at,
        also={**(also or {}), **_settle(submission, by)},
        # What is decided on is the content that the reviewer saw, there, for that place and of that person.
        unless_moved=("current_revision_id", "deleted_at", "target_id", "enumerator_id"),
    )
    queue_push(submission, at=change.at)
    return change


def _settle(submission: KoboSubmission, by: User | None) -> dict[str, object]:
    """Whoever decides has seen what was set at Kobo until then; a sync that moves the status has decided nothing."""
    if by is None or submission.kobo_status_at is None:
        return {}
    return {"kobo_status_settled_at": submission.kobo_status_at}


def _check_reviewer(submission: KoboSubmission, reviewer: User) -> None:
    if not can_review(reviewer, submission):
        raise Refused(_("You may not review this submission."), code="not_allowed")


def _check_countable(submission: KoboSubmission) -> None:
    if submission.deleted_at is not None:
        raise Refused(_("This submission was deleted at Kobo."), code="deleted")
    if submission.is_trial:
        raise Refused(_("This is a trial from a training day or from before the round: it never counts."), code="trial")
    if submission.is_refused:
        raise Refused(
            _("This submission has answers that cannot be read. Return it, or mend the mapping."), code="unread"
        )
    if submission.target_id is None:
        raise Refused(_("This submission matches no target yet. Match it first."), code="unmatched")


def _is_final(submission: KoboSubmission, reviewer: User) -> bool:
    """Whether this approval is the one that counts; refuses who may not give it."""
    if is_own(reviewer, submission):
        raise Refused(_("Nobody approves their own submission."), code="own_submission")
    if submission.review_status == ReviewStatus.APPROVED and not submission.changed_after_approval:
        raise Refused(_("This submission is approved already."), code="already_approved")
    if submission.form.form_kind.review_steps == 1:
        return True
    if submission.review_status not in (ReviewStatus.APPROVED_FIRST, ReviewStatus.APPROVED):
        return False
    if not can_approve_finally(reviewer):
        raise Refused(_("The final approval is a manager's."), code="not_allowed")
    if submission.review_status == ReviewStatus.APPROVED_FIRST and _gave_first_approval(submission, reviewer):
        raise Refused(_("The final approval is for somebody other than who gave the first."), code="both_steps")
    return True


def _gave_first_approval(submission: KoboSubmission, reviewer: User) -> bool:
    steps = StatusChange.objects.about(submission).filter(field="review_status", new=ReviewStatus.APPROVED_FIRST)
    last = steps.order_by("at", "pk").last()
    return last is not None and last.by_id == reviewer.pk
