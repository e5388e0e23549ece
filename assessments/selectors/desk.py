"""What waits for somebody at the desk: the numbers of the home page, each with the filter that lists its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q
from django.utils import timezone

from assessments.enums import Bucket, FocusGroupStatus, ReviewStatus, RoundStatus, SyncOutcome, SyncState
from assessments.models import AssessmentRound, FocusGroupSession, KoboForm, KoboSubmission, RoundTarget, SyncRun
from assessments.selectors.coverage import with_bucket
from assessments.selectors.match_queue import WAITING
from assessments.selectors.sync_state import with_sync_state
from dtm_ops.common.rounding import share
from locations.querysets import AnyUser

WEEK = timedelta(days=7)
_CHANGED = Q(approved_revision__isnull=False) & ~Q(approved_revision=F("current_revision"))
_COUNTED: Mapping[str, Any] = {"deleted_at__isnull": True, "is_trial__exact": False, "is_refused__exact": False}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A number and how the admin's list is asked for its rows: by the very same lookups, or by a filter of its own."""

    code: str
    count: int
    lookups: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """How far a round is, of the targets in the reader's reach. A bucket without targets is missing."""

    round: AssessmentRound
    planned: int
    buckets: Mapping[str, int]

    @property
    def covered(self) -> int:
        return self.buckets.get(Bucket.COVERED, 0)

    @property
    def in_review(self) -> int:
        return self.buckets.get(Bucket.IN_REVIEW, 0)

    @property
    def share(self) -> str | None:
        return share(self.covered, self.planned)


@dataclass(frozen=True, slots=True)
class FormSync:
    """A connected form with its present run or its last one; None: it never ran. ``form`` carries the columns of
    `with_sync_state`.
    """

    form: Any
    run: SyncRun | None

    @property
    def state(self) -> SyncState:
        return SyncState(self.form.sync_state)

    @property
    def needs_somebody(self) -> bool:
        return self.state in (SyncState.RED, SyncState.LATE)

    @property
    def since(self) -> datetime | None:
        """Since when it has not been right."""
        since: datetime | None = self.form.bad_since or self.form.good_at or self.form.first_at
        return since


def waiting_forms(user: AnyUser) -> dict[str, Waiting]:
    """Submissions that want somebody's attention, by code, in one query."""
    found = _count(
        KoboSubmission.objects.visible_to(user),
        {
            "received": {"review_status__exact": ReviewStatus.RECEIVED.value, **_COUNTED},
            "approved_first": {"review_status__exact": ReviewStatus.APPROVED_FIRST.value, **_COUNTED},
            "returned": {"review_status__exact": ReviewStatus.RETURNED.value, **_COUNTED},
            # A training's forms, too: they tell that the mapping is wrong before it matters.
            "unreadable": {"is_refused__exact": True, "deleted_at__isnull": True},
        },
        changed=(_CHANGED, {"condition": "changed"}),
        to_match=(WAITING, {}),
    )
    # Without it that list shows what is to be decided, whatever else is asked.
    return {code: Waiting(code, one.count, {**one.lookups, "review": "all"}) for code, one in found.items()}


def waiting_focus_groups(user: AnyUser, *, now: datetime | None = None) -> dict[str, Waiting]:
    """Planned focus groups: past their end, in the next seven days, without a date. One query."""
    now = (now or timezone.now()).replace(microsecond=0)
    planned = {"status__exact": FocusGroupStatus.PLANNED.value}
    return _count(
        FocusGroupSession.objects.visible_to(user),
        {
            "overdue": {**planned, "ends_at__lt": now},
            "this_week": {**planned, "starts_at__gte": now, "starts_at__lt": now + WEEK},
            "no_date": {**planned, "starts_at__isnull": True},
        },
    )


def _count(
    rows: Any, questions: Mapping[str, Mapping[str, Any]], **others: tuple[Q, Mapping[str, Any]]
) -> dict[str, Waiting]:
    asked = {code: (Q(**lookups), lookups) for code, lookups in questions.items()} | others
    counts = rows.order_by().aggregate(**{code: Count("pk", filter=test) for code, (test, _lookups) in asked.items()})
    return {code: Waiting(code, counts[code], lookups) for code, (_test, lookups) in asked.items()}


def rounds_in_view(user: AnyUser) -> list[RoundProgress]:
    """The open rounds, newest first, and the one that was closed last. Three queries, however many there are."""
    known = AssessmentRound.objects.visible_to(user)
    shown = list(known.filter(status=RoundStatus.OPEN))
    shown += list(known.filter(status=RoundStatus.CLOSED).order_by("-reporting_to", "-pk")[:1])
    counts: dict[int, dict[str, int]] = {one.pk: {} for one in shown}
    targets: Any = with_bucket(RoundTarget.objects.visible_to(user).filter(round__in=shown)).order_by()
    for pk, bucket, number in targets.values_list("round", "bucket").annotate(number=Count("pk")):
        counts[pk][bucket] = number
    return [RoundProgress(one, sum(counts[one.pk].values()), counts[one.pk]) for one in shown]


def current_round(user: AnyUser) -> AssessmentRound | None:
    """The round that a reader means without naming one: the newest open one, else the newest; None: there is none."""
    known = list(AssessmentRound.objects.visible_to(user))
    return next((one for one in known if one.status == RoundStatus.OPEN), known[0] if known else None)


def forms_in_sync(user: AnyUser) -> list[FormSync]:
    """Each synchronised form with its last run, worst first. Two queries."""
    known = KoboForm.objects.visible_to(user).filter(is_active=True).select_related("server", "round", "form_kind")
    forms = list(with_sync_state(known).order_by("sync_rank", "round", "form_kind", "pk"))
    keys = {form.pk: form.running_run or form.last_run for form in forms}
    runs = SyncRun.objects.in_bulk([key for key in keys.values() if key])
    return [FormSync(form, runs.get(keys[form.pk])) for form in forms]


def last_good_sync() -> datetime | None:
    """When a run last ended with its ledger closed; None: never."""
    ended: datetime | None = SyncRun.objects.filter(outcome=SyncOutcome.CLOSED).aggregate(at=Max("finished_at"))["at"]
    return ended
