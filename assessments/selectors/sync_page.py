"""What the page of a Kobo form tells about its sync: whether our copy is whole, how far behind it is, what waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from assessments.enums import HookState, MatchState, PushState, SyncOutcome, SyncState
from assessments.models import HookDelivery, KoboForm, KoboSubmission, StatusPush, SubmissionRevision, SyncRun
from assessments.selectors.desk import Waiting
from assessments.selectors.sync_state import with_sync_state
from locations.querysets import AnyUser

# Nobody took a run that was due so long ago: the background work does not go on.
NOT_TAKEN = timedelta(minutes=10)
# Of more rows than this an address would grow too long to name them.
MOST_NAMED = 200
LAST_RUNS = 10


@dataclass(frozen=True, slots=True)
class NewestForm:
    """``came_at``: when Kobo received it; ``read_at``: when we had it."""

    came_at: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class SyncPage:
    """``form`` carries the columns of `with_sync_state`. ``running`` has a worker; a run whose worker died is
    ``lost``. ``counted``: the last run that has a ledger. None: there is none.
    """

    form: Any
    now: datetime
    runs: list[SyncRun]
    running: SyncRun | None
    lost: SyncRun | None
    last: SyncRun | None
    good: SyncRun | None
    counted: SyncRun | None
    newest: NewestForm | None

    @property
    def state(self) -> SyncState:
        return SyncState(self.form.sync_state)

    @property
    def since_good(self) -> timedelta | None:
        return self.now - self.good.finished_at if self.good and self.good.finished_at else None

    @property
    def is_not_taken(self) -> bool:
        """A run has been due for long and no worker took it."""
        due = self.form.next_sync_at
        return bool(self.form.is_active and not self.running and due and due < self.now - NOT_TAKEN)

    @property
    def misses_rows(self) -> bool:
        """The circuit breaker is open: more rows are gone at Kobo than a run dares to mark as deleted."""
        return self.last is not None and self.last.error_code == "rows_gone"


def sync_page(form: KoboForm, *, now: datetime | None = None) -> SyncPage:
    """Four queries, however many runs and submissions there are."""
    now = now or timezone.now()
    known: Any = with_sync_state(KoboForm.objects.filter(pk=form.pk), now=now).get()
    runs = list(SyncRun.objects.filter(form=form).select_related("form", "by", "stop_asked_by")[:LAST_RUNS])
    with_ledger = SyncRun.objects.filter(form=form, outcome__in=(SyncOutcome.CLOSED, SyncOutcome.RED))
    older = with_ledger.select_related("form").filter(Q(pk=known.good_run) | Q(pk__in=with_ledger.values("pk")[:1]))
    found = {run.pk: run for run in [*older, *runs]}
    going = found.get(known.running_run)
    counted = [run for run in found.values() if run.outcome in (SyncOutcome.CLOSED, SyncOutcome.RED)]
    return SyncPage(
        form=known,
        now=now,
        runs=runs,
        running=going if known.is_held else None,
        lost=None if known.is_held else going,
        last=found.get(known.last_run),
        good=found.get(known.good_run),
        counted=max(counted, key=lambda run: (run.started_at, run.pk), default=None),
        newest=_newest(form),
    )


def _newest(form: KoboForm) -> NewestForm | None:
    arrived = KoboSubmission.objects.filter(form=form, submitted_at__isnull=False).present()
    came_at, read_at = arrived.order_by("-kobo_id").values_list("submitted_at", "first_seen_at").first() or (None, None)
    return NewestForm(came_at, read_at) if came_at and read_at else None


def ledger_rows(run: SyncRun) -> dict[str, Waiting]:
    """The figures of a run's ledger that open to rows, by the name of their column. They list what is there now: of an
    older run, rows may have moved on since.
    """
    within = {"first_seen_at__gte": run.started_at, "first_seen_at__lte": run.finished_at}
    gone = {"deleted_at__gte": run.started_at, "deleted_at__lte": run.finished_at}
    found: dict[str, Mapping[str, Any]] = {
        "here": {"deleted_at__isnull": True},
        "new": {**within, "is_refused__exact": False},
        "refused": {"deleted_at__isnull": True, "is_refused__exact": True},
        "deleted": gone,
        "unmatched": _UNMATCHED,
    }
    if 0 < run.edited <= MOST_NAMED:
        found["edited"] = {"pk__in": ",".join(map(str, _edited_in(run)))}
    return {
        name: Waiting(name, getattr(run, name), {"form__id__exact": run.form_id, **lookups, "review": "all"})
        for name, lookups in found.items()
        if getattr(run, name)
    }


def _edited_in(run: SyncRun) -> list[int]:
    """Keys of the submissions that got another content in the run."""
    later = SubmissionRevision.objects.filter(submission__form=run.form_id, number__gt=1)
    seen = later.filter(seen_at__gte=run.started_at, seen_at__lte=run.finished_at)
    return sorted(set(seen.values_list("submission", flat=True)[:MOST_NAMED]))


_UNMATCHED: Mapping[str, Any] = {
    "match_state__exact": MatchState.UNMATCHED.value,
    "deleted_at__isnull": True,
    "is_trial__exact": False,
    "is_refused__exact": False,
}
_UNREAD: Mapping[str, Any] = {"deleted_at__isnull": True, "is_refused__exact": True}


def waiting_at(form: KoboForm, user: AnyUser) -> dict[str, Waiting]:
    """What waits at a form, of the rows in the reader's reach: without a target, unreadable, decisions on their way to
    Kobo and refused there, notices. Three queries.
    """
    questions = {"unmatched": _UNMATCHED, "unreadable": _UNREAD}
    rows = KoboSubmission.objects.visible_to(user).filter(form=form).order_by()
    counts = rows.aggregate(**{code: Count("pk", filter=Q(**asked)) for code, asked in questions.items()})
    pushes = StatusPush.objects.visible_to(user).filter(submission__form=form).order_by()
    states = {"pushes_waiting": PushState.PENDING.value, "pushes_failed": PushState.FAILED.value}
    counts |= pushes.aggregate(**{code: Count("pk", filter=Q(state=state)) for code, state in states.items()})
    notices = HookDelivery.objects.filter(form=form, state=HookState.WAITING).count()
    of_form = {"form__id__exact": form.pk}
    return {
        **{
            code: Waiting(code, counts[code], {**of_form, **asked, "review": "all"})
            for code, asked in questions.items()
        },
        **{
            code: Waiting(code, counts[code], {"submission__form__id__exact": form.pk, "state__exact": state})
            for code, state in states.items()
        },
        "notices": Waiting("notices", notices, {**of_form, "state__exact": HookState.WAITING.value}),
    }


def rows_by_kobo_id(form: KoboForm, kobo_ids: list[int], user: AnyUser) -> dict[int, int]:
    """Keys of those submissions that are here and in the reader's reach."""
    rows = KoboSubmission.objects.visible_to(user).filter(form=form, kobo_id__in=kobo_ids)
    return dict(rows.order_by().values_list("kobo_id", "pk"))
