import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import MatchProblem, MatchState, ReviewStatus, Severity
from assessments.models.assessment_round import RoundTarget
from assessments.models.focus_group_session import FocusGroupSession
from assessments.models.kobo_form import KoboForm, KoboFormVersion, KoboServer
from assessments.querysets import KoboSubmissionQuerySet
from training.models import Enumerator


class KoboSubmission(models.Model):
    """Identity and state of one submission. Its content, in every version that we saw, is in ``SubmissionRevision``.

    The key is (server, ``kobo_id``): Kobo's ``_id`` is one series for the whole server and stays through edits, while
    ``uuid`` changes with each edit and may even be listed twice.
    """

    server = models.ForeignKey(KoboServer, on_delete=models.PROTECT, related_name="+", verbose_name=_("server"))
    form = models.ForeignKey(KoboForm, on_delete=models.PROTECT, related_name="submissions", verbose_name=_("form"))
    kobo_id = models.BigIntegerField(_("Kobo id"))
    root_uuid = models.CharField(_("root uuid"), max_length=249, blank=True)
    # Of the current revision.
    uuid = models.CharField(_("uuid"), max_length=249, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True)
    submitted_by = models.CharField(_("submitted by"), max_length=150, blank=True)
    # What follows is the current revision's, by the phone's clock. ``day`` is the form's own, else the phone's, else
    # that of its arrival.
    day = models.DateField(_("day of the form"), null=True)
    started_at = models.DateTimeField(_("begun at"), null=True)
    ended_at = models.DateTimeField(_("finished at"), null=True)
    device_id = models.CharField(_("phone"), max_length=100, blank=True)
    first_seen_at = models.DateTimeField(_("first seen at"))
    # Not found at Kobo any more since then; NULL: there.
    deleted_at = models.DateTimeField(_("deleted at Kobo"), null=True, editable=False)

    current_revision = models.ForeignKey(
        "SubmissionRevision", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("current revision")
    )
    # The revision whose figures count; NULL: none.
    approved_revision = models.ForeignKey(
        "SubmissionRevision", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("approved revision")
    )
    review_status = models.CharField(
        _("review"), max_length=14, choices=ReviewStatus.choices, default=ReviewStatus.RECEIVED, editable=False
    )

    # Approved for a form kind of which one form counts a target; the database then refuses a second one.
    covers_alone = models.BooleanField(_("the one form of its target"), default=False, editable=False)

    match_state = models.CharField(
        _("match"), max_length=10, choices=MatchState.choices, default=MatchState.UNMATCHED, editable=False
    )
    match_problem = models.CharField(
        _("why it is not matched"), max_length=14, choices=MatchProblem.choices, blank=True, editable=False
    )
    # As typed in the current revision: what a spelling settled by hand is found by.
    typed_person = models.CharField(_("enumerator as typed"), max_length=100, blank=True)
    typed_place = models.CharField(_("place as typed"), max_length=100, blank=True)
    typed_focus_group = models.CharField(_("focus group as typed"), max_length=100, blank=True)
    target = models.ForeignKey(
        RoundTarget, on_delete=models.PROTECT, null=True, related_name="submissions", verbose_name=_("target")
    )
    focus_group = models.ForeignKey(
        FocusGroupSession,
        on_delete=models.PROTECT,
        null=True,
        related_name="submissions",
        verbose_name=_("focus group"),
    )
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, null=True, related_name="submissions", verbose_name=_("enumerator")
    )
    # Who said by hand that it was this enumerator: what the form names is not asked any more. NULL: read from the form.
    enumerator_named_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        editable=False,
        verbose_name=_("enumerator named by"),
    )
    # The place that the form names, or that of the target; NULL: not known.
    unit = models.ForeignKey(
        "locations.AdminUnit", on_delete=models.PROTECT, null=True, related_name="submissions", verbose_name=_("place")
    )
    # Sent on a training day or before the round's fieldwork: kept and shown, never counted.
    is_trial = models.BooleanField(_("trial"), default=False, editable=False)
    # The current revision has answers that cannot be read: see its ``problems``.
    is_refused = models.BooleanField(_("cannot be read"), default=False, editable=False)

    # Kobo's validation status as last seen ("": none), who set it there and when. Never taken over without a person.
    kobo_status = models.CharField(_("status at Kobo"), max_length=64, blank=True, editable=False)
    kobo_status_by = models.CharField(_("status at Kobo by"), max_length=150, blank=True, editable=False)
    kobo_status_at = models.DateTimeField(_("status at Kobo since"), null=True, editable=False)
    # A reviewer has decided about the status that somebody set at Kobo until then.
    kobo_status_settled_at = models.DateTimeField(_("status at Kobo decided on at"), null=True, editable=False)

    objects = KoboSubmissionQuerySet.as_manager()

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        ordering = ["-kobo_id"]
        constraints = [
            models.UniqueConstraint(fields=["server", "kobo_id"], name="submission_once_a_server"),
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(covers_alone=True, approved_revision__isnull=False, deleted_at=None),
                name="submission_covers_target_once",
                violation_error_message=_("Another approved form covers this target already."),
            ),
            models.CheckConstraint(condition=Q(review_status__in=ReviewStatus.values), name="submission_review_known"),
            models.CheckConstraint(
                condition=~Q(review_status=ReviewStatus.APPROVED) | Q(approved_revision__isnull=False),
                name="submission_approved_has_revision",
            ),
            models.CheckConstraint(
                condition=Q(match_state=MatchState.UNMATCHED) | Q(target__isnull=False),
                name="submission_matched_has_target",
            ),
            models.CheckConstraint(
                condition=Q(enumerator_named_by=None) | Q(enumerator__isnull=False),
                name="submission_named_has_enumerator",
            ),
        ]
        indexes = [
            models.Index(fields=["form", "kobo_id"], name="submission_form_kobo_id"),
            models.Index(fields=["target", "review_status"], name="submission_target_review"),
            models.Index(
                fields=["form", "match_problem"],
                condition=Q(match_state=MatchState.UNMATCHED),
                name="submission_unmatched",
            ),
            models.Index(fields=["form"], condition=Q(is_refused=True), name="submission_refused"),
            models.Index(fields=["form"], condition=Q(enumerator_named_by__isnull=False), name="submission_named"),
        ]

    def __str__(self) -> str:
        return f"{self.kobo_id}"

    @property
    def changed_after_approval(self) -> bool:
        """The figures still stand on an older content than the newest that we saw."""
        return self.approved_revision_id is not None and self.approved_revision_id != self.current_revision_id


class SubmissionRevision(models.Model):
    """One content of a submission, as received. Never changes; an edit at Kobo makes the next."""

    submission = models.ForeignKey(
        KoboSubmission, on_delete=models.PROTECT, related_name="revisions", verbose_name=_("submission")
    )
    number = models.PositiveIntegerField(_("number"))
    uuid = models.CharField(_("uuid"), max_length=249, blank=True)
    # JSON text, not jsonb: phones send NUL characters, which jsonb refuses, and what came in must come out letter by
    # letter.
    raw = models.TextField(_("as received"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    form_version = models.ForeignKey(
        KoboFormVersion, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("form version")
    )
    seen_at = models.DateTimeField(_("seen at"))
    # By Kobo's project history, where the account may read it.
    edited_by = models.CharField(_("edited by"), max_length=150, blank=True)
    edited_at = models.DateTimeField(_("edited at"), null=True)
    # What could not be read with the mapping of now: [{"code", "path", "value"}]; empty: everything could.
    problems = models.JSONField(_("problems"), default=list, blank=True)

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering = ["submission", "number"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="revision_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="revision_number_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.submission_id}.{self.number}"

    @property
    def answers(self) -> dict[str, Any]:
        """Kobo's row with full question paths as keys; ``{}`` where it was no object."""
        row = json.loads(self.raw)
        return row if isinstance(row, dict) else {}


class QualityFlag(models.Model):
    """What a check found in a revision."""

    revision = models.ForeignKey(
        SubmissionRevision, on_delete=models.CASCADE, related_name="flags", verbose_name=_("revision")
    )
    check_code = models.CharField(_("check"), max_length=40)
    check_version = models.PositiveSmallIntegerField(_("version of the check"), default=1)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity.choices)
    # Numbers and names that the sentence about it needs.
    params = models.JSONField(_("numbers"), default=dict, blank=True)

    class Meta:
        verbose_name = _("quality flag")
        verbose_name_plural = _("quality flags")
        ordering = ["revision", "check_code"]
        constraints = [
            models.UniqueConstraint(fields=["revision", "check_code"], name="flag_once_a_revision"),
            models.CheckConstraint(condition=Q(check_version__gte=1), name="flag_version_from_one"),
        ]

    def __str__(self) -> str:
        return self.check_code
