"""The review desk: what came in, what speaks against it, and the decision."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from assessments.admin.attachments import shown_files
from assessments.admin.filters import ConditionFilter, FlagFilter, ReviewFilter
from assessments.admin.kobo_proposal import KEEP_OURS, TAKE_OVER, proposal_box
from assessments.admin.match_queue import queue_url
from assessments.admin.phones import phones_url
from assessments.admin.places import place_of
from assessments.admin.tones import MATCH, REVIEW
from assessments.admin.unreadable import unreadable_url
from assessments.enums import REVIEW_STEPS, MatchState, ReturnReason, ReviewStatus, Severity
from assessments.forms import MatchForm, NameEnumeratorForm, SendAwayForm
from assessments.messages import flag_message, problem_message
from assessments.models import KoboSubmission, RoundTarget
from assessments.permissions import can_match, can_review
from assessments.selectors.kobo_status import proposal_for
from assessments.selectors.review_desk import (
    answer_sections,
    changed_answers,
    figures_read,
    indicator_names,
    technical_answers,
)
from assessments.services.matching import match_submission, name_enumerator
from assessments.services.review import approve_submission, reject_submission, return_submission
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, QUIET, WAIT, badge
from dtm_ops.common.desk import DeskRights
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin, status_label, step_fits
from locations.permissions import has_desk
from training.admin.filters import RegionFilter
from training.models import Enumerator

SEVERITY = {Severity.NOTE: QUIET, Severity.WARNING: WAIT, Severity.ERROR: BAD}


def _approve(submission: KoboSubmission, *, user: User) -> None:
    approve_submission(submission, reviewer=user)


def _return(submission: KoboSubmission, *, user: User, reason: str, text: str) -> None:
    return_submission(submission, reviewer=user, reason=reason, text=text)


def _reject(submission: KoboSubmission, *, user: User, reason: str, text: str) -> None:
    reject_submission(submission, reviewer=user, reason=reason, text=text)


def _match(submission: KoboSubmission, *, user: User, target: RoundTarget) -> None:
    match_submission(submission, target, by=user)


def _name_enumerator(submission: KoboSubmission, *, user: User, person: Enumerator | None) -> None:
    name_enumerator(submission, person, by=user)


def _can_be_approved(submission: KoboSubmission) -> str:
    """What is plain before asking; who may give which step is the service's to say."""
    if submission.review_status == ReviewStatus.APPROVED:
        return "" if submission.changed_after_approval else _now("approved already")
    obstacles: list[tuple[bool, Callable[[], str]]] = [
        (submission.deleted_at is not None, lambda: _now("deleted at Kobo")),
        (submission.is_trial, lambda: _now("a trial never counts")),
        (submission.is_refused, lambda: _now("has answers that cannot be read")),
        (submission.target_id is None, lambda: _now("matches no target yet")),
    ]
    found = next((word() for is_so, word in obstacles if is_so), "")
    return found or step_fits(REVIEW_STEPS, ReviewStatus.APPROVED, field="review_status")(submission)


def _can_be_matched(submission: KoboSubmission, *, not_while: Sequence[ReviewStatus] = (ReviewStatus.APPROVED,)) -> str:
    if submission.deleted_at is not None:
        return _now("deleted at Kobo")
    if submission.review_status in not_while:
        return _now("not possible while it is “%(status)s”") % {"status": status_label(submission, "review_status")}
    return ""


def _can_be_named(submission: KoboSubmission) -> str:
    if submission.is_refused:
        return _now("has answers that cannot be read")
    return _can_be_matched(submission, not_while=(ReviewStatus.APPROVED_FIRST, ReviewStatus.APPROVED))


@admin.register(KoboSubmission)
class KoboSubmissionAdmin(VerbAdmin):
    desk_section = DeskSection.REVIEW
    desk_order = 1
    rights = DeskRights(view=has_desk)
    seen_fields = ("review_status", "current_revision_id", "target_id", "enumerator_id")
    change_form_template = "admin/assessments/kobosubmission/change_form.html"
    change_list_template = "admin/assessments/kobosubmission/change_list.html"
    verbs = (
        Verb(
            name="approve",
            label=_("Approve"),
            hint=_("In one step or in two, as the form kind says. After the last step its figures count."),
            may=can_review,
            act=_approve,
            fits=_can_be_approved,
            tone="primary",
        ),
        Verb(
            name="return",
            label=_("Return"),
            hint=_("The form goes back to the enumerator. The correction comes with a later sync."),
            may=can_review,
            act=_return,
            form=SendAwayForm,
            fits=step_fits(REVIEW_STEPS, ReviewStatus.RETURNED, field="review_status"),
        ),
        Verb(
            name="reject",
            label=_("Reject"),
            hint=_("The form is put aside for good and never counts. It stays readable."),
            may=can_review,
            act=_reject,
            form=SendAwayForm,
            fits=step_fits(REVIEW_STEPS, ReviewStatus.REJECTED, field="review_status"),
            tone="danger",
        ),
        Verb(
            name="match",
            label=_("Match by hand"),
            hint=_("Say which target of the plan this form covers."),
            may=can_match,
            act=_match,
            form=MatchForm,
            fits=_can_be_matched,
            in_list=False,
        ),
        Verb(
            name="name_enumerator",
            label=_("Name the enumerator"),
            hint=_("Say who filled in this form, where it names nobody or the wrong person."),
            may=can_match,
            act=_name_enumerator,
            form=NameEnumeratorForm,
            fits=_can_be_named,
            in_list=False,
        ),
        TAKE_OVER,
        KEEP_OURS,
    )
    list_display = [
        "shown_id", "shown_place", "shown_kind", "shown_enumerator", "shown_flags", "shown_review",
        "shown_match", "submitted_at",
    ]  # fmt: skip
    list_filter = [
        ReviewFilter, "form__form_kind", "form__round", RegionFilter, FlagFilter, "match_state", ConditionFilter,
        "form",
    ]  # fmt: skip
    search_fields = [
        "=kobo_id", "uuid", "root_uuid", "enumerator__code", "enumerator__full_name", "focus_group__code",
        "unit__names__en", "unit__names__ru", "unit__names__kk", "submitted_by",
    ]  # fmt: skip
    search_help_text = _("Kobo id, place, focus group, or code or name of the enumerator.")
    date_hierarchy = "submitted_at"
    list_per_page = 50
    # For the choice of a target by hand; nothing of a submission is ever typed.
    autocomplete_fields = ["target"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        flags = "current_revision__flags"
        return (
            super()
            .get_queryset(request)
            .select_related(
                "form__form_kind",
                "form__round",
                "server",
                "unit__parent",
                "target__unit",
                "target__form_kind",
                "enumerator__home_unit",
                "focus_group__target__unit",
            )
            .defer("form__mapping", "server__token")
            .annotate(
                flag_count=Count(flags),
                error_count=Count(flags, filter=Q(current_revision__flags__severity=Severity.ERROR)),
            )
        )

    def get_urls(self) -> list[URLPattern]:
        return [queue_url(self), unreadable_url(self), phones_url(self), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        submission = self.get_object(request, unquote(object_id))
        context = {**_page(self, submission), "proposal": proposal_box(submission, request.user)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def describe(self, row: KoboSubmission) -> str:
        place = row.unit.name if row.unit else _now("place not known")
        return f"{row.kobo_id}: {place}, {row.form.form_kind}, {self.shown_enumerator(row)}"

    @admin.display(description=_("Kobo id"), ordering="kobo_id")
    def shown_id(self, submission: KoboSubmission) -> str:
        return f"{submission.kobo_id}"

    @admin.display(description=_("place"), ordering="unit__path")
    def shown_place(self, submission: KoboSubmission) -> SafeString | str:
        return place_of(submission.unit) if submission.unit else _now("not known")

    @admin.display(description=_("form kind"), ordering="form__form_kind__order")
    def shown_kind(self, submission: KoboSubmission) -> str:
        return str(submission.form.form_kind)

    @admin.display(description=_("enumerator"), ordering="enumerator__full_name")
    def shown_enumerator(self, submission: KoboSubmission) -> str:
        return str(submission.enumerator) if submission.enumerator else submission.submitted_by or "–"

    @admin.display(description=_("flags"), ordering="flag_count")
    def shown_flags(self, submission: Any) -> SafeString:
        if submission.is_refused:
            return badge(_("cannot be read"), BAD)
        if not submission.flag_count:
            return badge(_("none"), GOOD)
        return badge(f"{submission.flag_count}", BAD if submission.error_count else WAIT)

    @admin.display(description=_("review"), ordering="review_status")
    def shown_review(self, submission: KoboSubmission) -> SafeString:
        ours = badge(submission.get_review_status_display(), REVIEW[ReviewStatus(submission.review_status)])
        if submission.changed_after_approval:
            ours = badge(_("changed after approval"), WAIT)
        if proposal_for(submission) is None:
            return ours
        return format_html("{} {}", ours, badge(_("set at Kobo"), WAIT))

    @admin.display(description=_("match"), ordering="match_state")
    def shown_match(self, submission: KoboSubmission) -> SafeString:
        if submission.deleted_at:
            return badge(_("deleted at Kobo"), QUIET)
        if submission.is_trial:
            return badge(_("trial"), QUIET)
        return badge(submission.get_match_state_display(), MATCH[MatchState(submission.match_state)])


def _page(page: KoboSubmissionAdmin, submission: KoboSubmission) -> dict[str, Any]:
    """What the page of one submission shows."""
    kind = submission.form.form_kind.code
    revision = submission.current_revision
    indicators = indicator_names()
    return {
        "submission": submission,
        "kobo_id": f"{submission.kobo_id}",
        "badges": [page.shown_review(submission), page.shown_match(submission)],
        "sections": answer_sections(revision, kind=kind) if revision else [],
        "technical": technical_answers(revision, kind=kind) if revision else [],
        "figures": figures_read(submission, revision) if revision and not submission.is_refused else [],
        "problems": [problem_message(one) for one in revision.problems] if revision else [],
        "flags": [
            (flag_message(flag, indicators), flag.get_severity_display(), SEVERITY[Severity(flag.severity)])
            for flag in (revision.flags.all() if revision else [])
        ],
        "files": shown_files(submission),
        "timeline": _timeline(page, submission, kind),
    }


def _timeline(page: KoboSubmissionAdmin, submission: KoboSubmission, kind: str) -> list[dict[str, Any]]:
    """Decisions and contents in one line of time, newest first. A content says what changed since the one before."""
    entries: list[dict[str, Any]] = [
        {
            "at": change.at,
            "title": _now("%(old)s → %(new)s") % {"old": old, "new": new},
            "by": change.by,
            "reason": dict(ReturnReason.choices).get(change.reason, ""),
            "text": change.text,
            "order": (1, change.pk),
        }
        for change, old, new in page.get_steps(submission)
    ]
    before = None
    for revision in submission.revisions.select_related("form_version").order_by("number"):
        entries.append(
            {
                "at": revision.seen_at,
                "title": _now("Received") if before is None else _now("Edited at Kobo"),
                "counts": revision.pk == submission.approved_revision_id,
                "changes": changed_answers(before, revision, kind=kind) if before else [],
                "order": (0, revision.number),
            }
        )
        before = revision
    return sorted(entries, key=lambda entry: (entry["at"], entry["order"]), reverse=True)
