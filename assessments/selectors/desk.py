"""What waits for somebody at the desk: the numbers of the home page, each with the filter that lists its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q
from django.utils import timezone

from assessments.enums import Bucket, FocusGroupStatus, MatchState, ReviewStatus, RoundStatus, SyncOutcome
from assessments.models import AssessmentRound, FocusGroupSession, KoboForm, KoboSubmission, RoundTarget, SyncRun
from assessments.selectors.coverage import with_bucket
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
    """A connected form with its last run; None: it never ran."""

    form: KoboForm
    run: SyncRun | None


def waiting_forms(user: AnyUser) -> dict[str, Waiting]:
    """Submissions that want somebody's attention, by code, in one query."""
    found = _count(
        KoboSubmission.objects.visible_to(user),
        {
            "received": {"review_status__exact": ReviewStatus.RECEIVED.value, **_COUNTED},
            "approved_first": {"review_status__exact": ReviewStatus.APPROVED_FIRST.value, **_COUNTED},
            "returned": {"review_status__exact": ReviewStatus.RETURNED.value, **_COUNTED},
            "unmatched": {"match_state__exact": MatchState.UNMATCHED.value, **_COUNTED},
            "unreadable": {"is_refused__exact": True, "deleted_at__isnull": True, "is_trial__exact": False},
        },
        changed=(_CHANGED, {"condition": "changed"}),
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
    """Each synchronised form with its last run. Two queries."""
    forms = list(
        KoboForm.objects.visible_to(user).filter(is_active=True).select_related("server", "round", "form_kind")
    )
    latest = SyncRun.objects.filter(form__in=forms).order_by("form_id", "-started_at", "-pk").distinct("form_id")
    runs = {run.form_id: run for run in latest}
    return [FormSync(form, runs.get(form.pk)) for form in forms]


def last_good_sync() -> datetime | None:
    """When a run last ended with its ledger closed; None: never."""
    ended: datetime | None = SyncRun.objects.filter(outcome=SyncOutcome.CLOSED).aggregate(at=Max("finished_at"))["at"]
    return ended
