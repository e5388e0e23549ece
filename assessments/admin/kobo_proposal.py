"""On the page of a submission: what somebody else set at Kobo, and the reviewer's answer to it."""

from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.enums import REVIEW_STEPS, ReviewStatus
from assessments.forms import KeepOursForm, TakeOverForm
from assessments.messages import proposal_message
from assessments.models import KoboSubmission
from assessments.permissions import can_review
from assessments.selectors.kobo_status import proposal_for
from assessments.services.kobo_proposals import keep_ours, take_over
from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser
from dtm_ops.records.verbs import Verb, status_label, step_fits


def _take_over(submission: KoboSubmission, *, user: User, shown: str, reason: str = "", text: str = "") -> None:
    take_over(submission, reviewer=user, shown=shown, reason=reason, text=text)


def _keep_ours(submission: KoboSubmission, *, user: User, shown: str) -> None:
    keep_ours(submission, reviewer=user, shown=shown)


def _is_proposed(submission: KoboSubmission) -> str:
    return "" if proposal_for(submission) else _now("nothing is set at Kobo that waits for a decision")


def _can_be_taken_over(submission: KoboSubmission) -> str:
    proposal = proposal_for(submission)
    if proposal is None:
        return _is_proposed(submission)
    if not proposal.verb:
        return _now("no decision of ours means the same")
    return step_fits(REVIEW_STEPS, _BECOMES[proposal.verb], field="review_status")(submission)


_BECOMES = {"approve": ReviewStatus.APPROVED, "reject": ReviewStatus.REJECTED, "return": ReviewStatus.RETURNED}
_WORDS = {
    "approve": _("Take it over: approve"),
    "reject": _("Take it over: reject"),
    "return": _("Take it over: return"),
}

TAKE_OVER = Verb(
    name="take_over",
    label=_("Take it over"),
    hint=_("What was set at Kobo becomes the decision here, by the same steps as always."),
    may=can_review,
    act=_take_over,
    form=TakeOverForm,
    fits=_can_be_taken_over,
    in_list=False,
    in_bar=False,
)
KEEP_OURS = Verb(
    name="keep_ours",
    label=_("Keep ours"),
    hint=_("The decision here stands, and is written to Kobo again."),
    may=can_review,
    act=_keep_ours,
    form=KeepOursForm,
    fits=_is_proposed,
    in_list=False,
    in_bar=False,
)


def proposal_box(submission: KoboSubmission, user: AnyUser) -> dict[str, Any] | None:
    """For the template `proposal.html`; None: there is nothing to decide."""
    proposal = proposal_for(submission)
    if proposal is None:
        return None
    return {
        "sentence": proposal_message(proposal.uid, by=proposal.by, at=proposal.at),
        "ours": status_label(submission, "review_status"),
        "key": proposal.key,
        "may": can_review(user, submission),
        "take_over": _WORDS.get(proposal.verb, ""),
        "asks": proposal.verb != "approve",
        "obstacle": _can_be_taken_over(submission),
        "keep_ours": KEEP_OURS.label,
    }
