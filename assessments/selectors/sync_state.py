"""How the sync of forms stands, in the query itself: so that lists sort by it. Asks the database, never Kobo."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from assessments.enums import SyncOutcome, SyncState
from assessments.messages import PASSES_BY_ITSELF
from assessments.models import KoboForm, SyncRun

# A form is late when it missed two runs, and a little more.
MISSED, SLACK = 2, timedelta(minutes=10)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def with_sync_state(forms: QuerySet[Any], *, now: datetime | None = None) -> QuerySet[Any]:
    """Each form with its ``sync_state`` and ``sync_rank`` (0 is worst), and with what they follow from: ``is_held`` (a
    worker is on it), ``running_run``, ``last_run`` and its outcome, code and start, ``good_run`` (the last whose ledger
    closed) and its times, ``bad_since`` (the first bad run after that one).
    """
    runs = SyncRun.objects.filter(form=OuterRef("pk")).order_by("-started_at", "-pk")
    over, good = runs.exclude(outcome=SyncOutcome.RUNNING), runs.filter(outcome=SyncOutcome.CLOSED)
    bad = runs.filter(
        outcome__in=(SyncOutcome.RED, SyncOutcome.FAILED),
        started_at__gt=Coalesce(OuterRef("good_started"), Value(_LONG_AGO)),
    )
    known = forms.annotate(
        is_held=ExpressionWrapper(Q(pk__in=KoboForm.objects.being_synced().order_by().values("pk")), BooleanField()),
        running_run=Subquery(runs.filter(outcome=SyncOutcome.RUNNING).values("pk")[:1]),
        last_run=Subquery(over.values("pk")[:1]),
        last_outcome=Subquery(over.values("outcome")[:1]),
        last_code=Subquery(over.values("error_code")[:1]),
        last_at=Subquery(over.values("started_at")[:1]),
        good_run=Subquery(good.values("pk")[:1]),
        good_started=Subquery(good.values("started_at")[:1]),
        good_at=Subquery(good.values("finished_at")[:1]),
        first_at=Subquery(runs.reverse().values("started_at")[:1]),
    )
    known = known.annotate(
        bad_since=Subquery(bad.reverse().values("started_at")[:1]),
        late_at=ExpressionWrapper(
            Coalesce("good_at", "first_at")
            + ExpressionWrapper(F("sync_every") * Value(timedelta(minutes=MISSED)), DurationField())
            + Value(SLACK),
            DateTimeField(),
        ),
    )
    ranks = [When(sync_state=state.value, then=Value(rank)) for rank, state in enumerate(SyncState)]
    ranked: QuerySet[Any] = known.annotate(sync_state=_state(now or timezone.now())).annotate(
        sync_rank=Case(*ranks, output_field=IntegerField())
    )
    return ranked


def _state(now: datetime) -> Case:
    failed = Q(last_outcome=SyncOutcome.FAILED)
    steps = (
        (Q(is_active=False), SyncState.OFF),
        (Q(last_outcome=SyncOutcome.RED) | (failed & ~Q(last_code__in=PASSES_BY_ITSELF)), SyncState.RED),
        (Q(late_at__lt=now), SyncState.LATE),
        (failed | Q(last_outcome__in=(SyncOutcome.LOST, SyncOutcome.STOPPED)), SyncState.RETRY),
        # Its worker died.
        (Q(running_run__isnull=False, is_held=False), SyncState.RETRY),
        (Q(last_run__isnull=True), SyncState.NEVER),
    )
    cases = [When(test, then=Value(state.value)) for test, state in steps]
    return Case(*cases, default=Value(SyncState.GOOD.value), output_field=CharField())
