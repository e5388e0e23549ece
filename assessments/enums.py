"""States of the work, with the steps that are allowed between them. Nothing else knows these tables."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RoundStatus(models.TextChoices):
    # A round is masculine in Russian; a focus group that is planned and a place that is open are not.
    PLANNED = "planned", pgettext_lazy("round", "planned")
    OPEN = "open", pgettext_lazy("round", "open")
    CLOSED = "closed", pgettext_lazy("round", "closed")


ROUND_STEPS: dict[str, frozenset[str]] = {
    RoundStatus.PLANNED: frozenset({RoundStatus.OPEN}),
    RoundStatus.OPEN: frozenset({RoundStatus.CLOSED}),
    RoundStatus.CLOSED: frozenset({RoundStatus.OPEN}),
}


class TargetStatus(models.TextChoices):
    """``shortfall``: closed without full coverage, with the reason."""

    OPEN = "open", _("open")
    EXCLUDED = "excluded", _("excluded")
    INACCESSIBLE = "inaccessible", _("inaccessible")
    SHORTFALL = "shortfall", _("closed with shortfall")


TARGET_STEPS: dict[str, frozenset[str]] = {
    status: frozenset(TargetStatus.values) - {status} for status in TargetStatus.values
}


class FocusGroupStatus(models.TextChoices):
    PLANNED = "planned", _("planned")
    HELD = "held", _("held")
    CANCELLED = "cancelled", _("cancelled")


FOCUS_GROUP_STEPS: dict[str, frozenset[str]] = {
    FocusGroupStatus.PLANNED: frozenset({FocusGroupStatus.HELD, FocusGroupStatus.CANCELLED}),
    FocusGroupStatus.HELD: frozenset({FocusGroupStatus.PLANNED}),
    FocusGroupStatus.CANCELLED: frozenset({FocusGroupStatus.PLANNED}),
}


class AssignmentRole(models.TextChoices):
    MODERATOR = "moderator", _("moderator")
    NOTE_TAKER = "note_taker", _("note-taker")
    INTERPRETER = "interpreter", _("interpreter")
    DRIVER = "driver", _("driver")


class ReviewStatus(models.TextChoices):
    RECEIVED = "received", _("received")
    APPROVED_FIRST = "approved_first", _("approved once")
    APPROVED = "approved", _("approved")
    RETURNED = "returned", _("returned")
    REJECTED = "rejected", _("rejected")


REVIEW_STEPS: dict[str, frozenset[str]] = {
    ReviewStatus.RECEIVED: frozenset(
        {ReviewStatus.APPROVED_FIRST, ReviewStatus.APPROVED, ReviewStatus.RETURNED, ReviewStatus.REJECTED}
    ),
    ReviewStatus.APPROVED_FIRST: frozenset(
        {ReviewStatus.APPROVED, ReviewStatus.RETURNED, ReviewStatus.REJECTED, ReviewStatus.RECEIVED}
    ),
    # Approved again: somebody accepted what changed after the approval. Received again: it was deleted at Kobo, another
    # form took its place, and it came back.
    ReviewStatus.APPROVED: frozenset(
        {ReviewStatus.APPROVED, ReviewStatus.RETURNED, ReviewStatus.REJECTED, ReviewStatus.RECEIVED}
    ),
    ReviewStatus.RETURNED: frozenset({ReviewStatus.RECEIVED, ReviewStatus.REJECTED}),
    ReviewStatus.REJECTED: frozenset({ReviewStatus.RECEIVED}),
}

# What a reviewer still has to decide on.
IN_REVIEW = (ReviewStatus.RECEIVED, ReviewStatus.APPROVED_FIRST)


class ReturnReason(models.TextChoices):
    """Why a form goes back or is rejected; the text beside it is what the enumerator reads."""

    ARITHMETIC = "arithmetic", _("the numbers do not add up")
    PLACE = "place", _("wrong place")
    DUPLICATE = "duplicate", _("sent twice")
    INCOMPLETE = "incomplete", _("something is missing")
    IMPLAUSIBLE = "implausible", _("hard to believe")
    NOT_HELD = "not_held", _("the focus group did not take place")
    OTHER = "other", _("other")


class MatchState(models.TextChoices):
    """How a submission found its target. ``by_place``: by place and form kind, without a focus group's code."""

    BY_CODE = "by_code", _("by focus group code")
    BY_PLACE = "by_place", _("by place")
    BY_HAND = "by_hand", _("by hand")
    UNMATCHED = "unmatched", _("not matched")


class SyncOutcome(models.TextChoices):
    """``closed``: the ledger closed. ``red``: it did not. ``failed``: Kobo or we broke off. ``lost``: the worker
    died. ``stopped``: somebody stopped it.
    """

    RUNNING = "running", _("running")
    CLOSED = "closed", _("complete")
    RED = "red", _("does not add up")
    FAILED = "failed", _("failed")
    LOST = "lost", _("broken off")
    STOPPED = "stopped", _("stopped")


class SyncTrigger(models.TextChoices):
    BEAT = "beat", _("schedule")
    BUTTON = "button", _("button")
    COMMAND = "command", _("command")
    HOOK = "hook", _("Kobo's notice")


class SyncState(models.TextChoices):
    """How a form stands between its runs, worst first. ``red``: a person has to act. ``late``: too long without a
    complete run. ``retry``: the last run did not end well, the next one tries again. ``off``: not synchronised.
    """

    RED = "red", _("needs somebody")
    LATE = "late", _("late")
    RETRY = "retry", _("is tried again")
    NEVER = "never", _("not run yet")
    GOOD = "good", _("up to date")
    OFF = "off", _("switched off")


class SyncStep(models.TextChoices):
    """What a run is doing, in the order in which it does it."""

    PROBE = "probe", _("asking how many forms there are")
    NEW = "new", _("reading new forms")
    EDITS = "edits", _("looking for edited forms")
    STATUSES = "statuses", _("reading validation statuses")
    SWEEP = "sweep", _("comparing every form with ours")
    MEDIA = "media", _("looking for late pictures")


class FetchMedia(models.TextChoices):
    """When the files of a form are fetched from Kobo."""

    ASKED = "asked", _("when somebody opens one")
    ALWAYS = "always", _("with each sync")
    NEVER = "never", _("never")


class AttachmentState(models.TextChoices):
    """``listed``: named by Kobo, not fetched. ``refused``: too large or of another type than allowed. ``missing``: the
    answer names it and Kobo has no such file.
    """

    LISTED = "listed", _("at Kobo")
    FETCHED = "fetched", _("here")
    REFUSED = "refused", _("not taken")
    MISSING = "missing", _("not at Kobo")


class MatchProblem(models.TextChoices):
    """Why a form found no target, or no person."""

    UNKNOWN_PLACE = "unknown_place", _("the place is not in the gazetteer")
    NO_PLACE = "no_place", _("no place is named")
    NOT_PLANNED = "not_planned", _("the place is not in the plan of this round")
    UNKNOWN_CODE = "unknown_code", _("the focus group's code is not known")


class TypedKind(models.TextChoices):
    """Which word of a form a spelling settled by hand stands for."""

    PERSON = "person", _("enumerator")
    PLACE = "place", _("place")
    FOCUS_GROUP = "focus_group", _("focus group")


class PushState(models.TextChoices):
    """``superseded``: a later decision came before it was sent."""

    PENDING = "pending", _("waits")
    SENT = "sent", _("at Kobo")
    FAILED = "failed", _("refused by Kobo")
    SUPERSEDED = "superseded", _("replaced by a later decision")


class KoboStatus(models.TextChoices):
    """Kobo's validation statuses, in its own words. It has no others."""

    APPROVED = "validation_status_approved", _("Approved")
    NOT_APPROVED = "validation_status_not_approved", _("Not approved")
    ON_HOLD = "validation_status_on_hold", _("On hold")


# What a review status is at Kobo. "": none, so that Kobo claims no decision that does not stand.
STATUS_AT_KOBO: dict[str, str] = {
    ReviewStatus.RECEIVED: "",
    ReviewStatus.APPROVED_FIRST: KoboStatus.ON_HOLD.value,
    ReviewStatus.APPROVED: KoboStatus.APPROVED.value,
    ReviewStatus.RETURNED: KoboStatus.ON_HOLD.value,
    ReviewStatus.REJECTED: KoboStatus.NOT_APPROVED.value,
}


class HookState(models.TextChoices):
    """``pulled``: a sync has read the form since. ``ignored``: it names no form of this project."""

    WAITING = "waiting", _("waits for the sync")
    PULLED = "pulled", _("read")
    IGNORED = "ignored", _("names no form")


class Severity(models.TextChoices):
    NOTE = "note", pgettext_lazy("severity", "note")
    WARNING = "warning", _("warning")
    ERROR = "error", _("error")


class IndicatorBase(models.TextChoices):
    """What a breakdown adds up to: all who are present, or the arrivals of the round's reference year."""

    PRESENT = "present", _("all who are present")
    REFERENCE_YEAR = "reference_year", _("arrivals of the reference year")


class Bucket(models.TextChoices):
    """Where a target stands: the first that fits, in this order (design: every target in exactly one)."""

    COVERED = "covered", _("covered")
    IN_REVIEW = "in_review", _("in review")
    RETURNED = "returned", _("returned for correction")
    HELD_NO_FORM = "held_no_form", _("held, no form yet")
    EXCLUDED = "excluded", _("excluded")
    INACCESSIBLE = "inaccessible", _("inaccessible")
    SHORTFALL = "shortfall", _("closed with shortfall")
    OVERDUE = "overdue", _("overdue")
    SCHEDULED = "scheduled", _("scheduled")
    ASSIGNED_NO_DATE = "assigned_no_date", _("assigned, no date")
    UNASSIGNED = "unassigned", _("not assigned")


class Held(models.TextChoices):
    """What a person of the roster can hold, in the order in which it is shown and handed over."""

    FOCUS_GROUP = "focus_group", _("focus group to come")
    FORM_TO_COME = "form_to_come", _("form still to come")
    RETURNED_FORM = "returned_form", _("returned form")
    LEAD = "lead", _("lead of a team")
    MEMBERSHIP = "membership", _("member of a team")
    TASK = "task", _("corrective task")
    TRAINING = "training", _("training to come")
    ABSENCE = "absence", _("absence")
    CONTRACT = "contract", _("contract")
    KOBO = "kobo", _("Kobo user name")
    LOGIN = "login", _("login")
    RIGHT = "right", _("right")
    TOKEN = "token", _("API token")


# What somebody else can take over.
PASSED_ON = (Held.FOCUS_GROUP, Held.FORM_TO_COME, Held.RETURNED_FORM, Held.LEAD)


class TimelineKind(models.TextChoices):
    """What the page of a person tells about, and can be narrowed to."""

    FIELDWORK = "fieldwork", _("focus groups")
    FORM = "form", _("forms")
    TRAINING = "training", _("training")
    TEST = "test", _("tests")
    CERTIFICATE = "certificate", _("certificates")
    TASK = "task", _("corrective tasks")
    ABSENCE = "absence", _("absences")
    TEAM = "team", _("teams")
    STATUS = "status", _("status")
