"""What somebody set at Kobo as validation status. It decides nothing here: a reviewer is shown it."""

from dataclasses import dataclass
from datetime import datetime

from assessments.enums import STATUS_AT_KOBO, KoboStatus
from assessments.models import KoboSubmission


@dataclass(frozen=True, slots=True)
class Proposal:
    """``verb`` is the step of the review desk that says the same; "": it has none."""

    uid: str
    by: str
    at: datetime | None

    @property
    def verb(self) -> str:
        return _VERBS.get(self.uid, "")

    @property
    def key(self) -> str:
        """What a page carries along, so that it decides about nothing else than what it showed."""
        return f"{self.uid}:{self.by}:{self.at.isoformat() if self.at else ''}"


_VERBS = {
    KoboStatus.APPROVED.value: "approve",
    KoboStatus.NOT_APPROVED.value: "reject",
    KoboStatus.ON_HOLD.value: "return",
}


def proposal_for(submission: KoboSubmission) -> Proposal | None:
    """None also for what we wrote ourselves, for what says the same as our review status, and for what a reviewer has
    decided about. The same rule for many rows: ``KoboSubmission.objects.proposed()``.
    """
    uid, at, settled = submission.kobo_status, submission.kobo_status_at, submission.kobo_status_settled_at
    if not uid or submission.deleted_at is not None or uid == STATUS_AT_KOBO[submission.review_status]:
        return None
    if settled is not None and (at is None or settled >= at):
        return None
    if submission.kobo_status_by == submission.server.username:
        return None
    return Proposal(uid, submission.kobo_status_by, at)
