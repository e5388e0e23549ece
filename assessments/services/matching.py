"""Saying by hand which target a submission belongs to, or who filled it in. Matching by itself is the sync's
(`kobo_rows`).
"""

from django.db import transaction
from django.utils.translation import gettext as _

from assessments.enums import MatchState, ReviewStatus
from assessments.models import FocusGroupSession, KoboSubmission, RoundTarget
from assessments.permissions import can_match, can_settle, is_own
from assessments.services.rereading import reread
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused, TransitionNotAllowed
from training.models import Enumerator


@transaction.atomic
def match_submission(submission: KoboSubmission, target: RoundTarget, *, by: User) -> None:
    """Give a submission its target, and with it the place; the focus group where the target has only one.

    Refused: what is approved (its figures stand on the place), what was deleted at Kobo, and a target of another round
    or form kind. If somebody decided, matched or edited it meanwhile, nothing is written. Review and figures stay as
    they are.
    """
    if not can_match(by, submission):
        raise Refused(_("You may not match this submission."), code="not_allowed")
    if submission.deleted_at is not None:
        raise Refused(_("This submission was deleted at Kobo."), code="deleted")
    if submission.review_status == ReviewStatus.APPROVED:
        raise Refused(_("An approved submission keeps its target. Return it first."), code="approved")
    form = submission.form
    if (target.round_id, target.form_kind_id) != (form.round_id, form.form_kind_id):
        raise Refused(
            _("This form belongs to round %(round)s and is a %(kind)s: choose a target of both.")
            % {"round": form.round, "kind": form.form_kind},
            code="other_target",
        )
    groups = list(FocusGroupSession.objects.filter(target=target).values_list("pk", flat=True)[:2])
    matched = KoboSubmission.objects.filter(
        pk=submission.pk,
        review_status=submission.review_status,
        current_revision=submission.current_revision_id,
        target=submission.target_id,
        deleted_at=None,
    ).update(
        match_state=MatchState.BY_HAND,
        target=target,
        unit=target.unit_id,
        focus_group=groups[0] if len(groups) == 1 else None,
    )
    if not matched:
        raise TransitionNotAllowed(submission, old=submission.match_state, new=MatchState.BY_HAND, meanwhile=True)
    submission.refresh_from_db()


@transaction.atomic
def name_enumerator(submission: KoboSubmission, person: Enumerator | None, *, by: User) -> None:
    """Say who filled in this very form: it names nobody, or somebody else. Holds for its edits, too, until somebody
    names another. None: as the form says.

    Refused: outside the user's own places; what was approved, even once, was deleted at Kobo or cannot be read; and for
    who is known as the one who filled it in: nobody passes on their own form to approve it.
    """
    person = (person.merged_into or person) if person else None
    if not can_match(by, submission) or not (person is None or can_settle(by, person)):
        raise Refused(_("This is outside your places."), code="not_allowed")
    locked = KoboSubmission.objects.select_for_update(of=("self",)).select_related("enumerator").get(pk=submission.pk)
    if locked.deleted_at is not None:
        raise Refused(_("This submission was deleted at Kobo."), code="deleted")
    if locked.approved_revision_id is not None or locked.review_status == ReviewStatus.APPROVED_FIRST:
        raise Refused(_("An approved submission keeps its enumerator. Return it first."), code="approved")
    if locked.is_refused:
        raise Refused(_("This form cannot be read: that has to be mended first."), code="unreadable")
    if is_own(by, locked):
        raise Refused(_("This form is your own: somebody else has to say who filled it in."), code="own_submission")
    if person is None:
        locked.enumerator_named_by = None
    else:
        locked.enumerator, locked.enumerator_named_by = person, by
    locked.save(update_fields=["enumerator", "enumerator_named_by"])
    reread(submission.form, KoboSubmission.objects.filter(pk=submission.pk))
    submission.refresh_from_db()
