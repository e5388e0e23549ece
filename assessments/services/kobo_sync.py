"""One run of the sync of one form, and its ledger.

A run sees every id that Kobo lists: those that we know by an id-only sweep, those above by reading their rows. So a
row that was edited, that appeared late below the highest id, or that is gone is found by every run; running again
changes nothing.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain, islice
from typing import Any, cast

from django.apps import apps
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import MatchState, SyncOutcome
from assessments.kobo.client import KoboClient, Page, prefetch
from assessments.kobo.errors import KoboError
from assessments.models import KoboForm, KoboSubmission, SyncRun
from assessments.services.kobo_rows import ReadRow, RowReader
from assessments.services.kobo_store import Store
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused

logger = logging.getLogger(__name__)

# The first half of the advisory lock's key; the second is the form's.
LOCK_SPACE = 0x4B6F626F
# Rows may arrive while a run lasts: so often is the sweep repeated until Kobo's count and what we saw agree.
SWEEPS = 3
# More than this share of the rows gone at once looks like a lost right, not like people deleting forms.
MOST_GONE, FEW = 0.2, 5
SHOWN = 100
REMATCHED_AT_ONCE = 500
ID_FIELDS = ("_id", "_uuid")

NEW, EDITED, UNCHANGED, REFUSED = "new", "edited", "unchanged", "refused"


@dataclass(slots=True)
class _Ledger:
    """What became of every row that Kobo lists in this run."""

    seen: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    # Rows without a usable id: they cannot be kept apart, so the run cannot close.
    nameless: int = 0
    deleted: int = 0

    @property
    def listed(self) -> int:
        return len(self.seen) + self.nameless

    def see(self, kobo_id: int, fate: str) -> None:
        self.seen[kobo_id] = fate
        self.counts[fate] += 1

    def forget(self, kobo_id: int) -> None:
        self.counts[self.seen.pop(kobo_id)] -= 1


@dataclass(slots=True)
class _Known:
    """``fingerprint`` is read for a full run only."""

    uuid: str
    is_refused: bool
    is_deleted: bool
    fingerprint: str | None = None


def sync_form(
    form: KoboForm,
    *,
    client: KoboClient,
    trigger: str,
    by: User | None = None,
    full: bool = False,
    page_size: int = 1000,
    on_page: Callable[[SyncRun], None] | None = None,
) -> SyncRun:
    """Bring the form's submissions up to date and return the finished run.

    ``full`` reads every row again instead of ids alone. One run per form at a time: refused (``sync_running``) while
    another lasts; the lock dies with its worker, so a run that was killed does not block. A ``KoboError`` is recorded
    in the run and raised again; what was stored until then stays and the next run goes on from it. ``on_page`` is
    told after each page that was stored.
    """
    with _one_at_a_time(form):
        _close_lost_runs(form)
        run = SyncRun.objects.create(form=form, trigger=trigger, by=by, started_at=timezone.now())
        try:
            pull = _Pull(form, client=client, run=run, full=full, page_size=page_size, on_page=on_page)
            pull.run_all()
            outcome, code, params = pull.close()
        except KoboError as error:
            _finish(run, SyncOutcome.FAILED, code=error.code, params=error.params)
            raise
        except Exception:
            _finish(run, SyncOutcome.FAILED, code="internal")
            raise
        except BaseException:  # Ctrl-C, or the worker is asked to end: the next tick goes on
            _finish(run, SyncOutcome.LOST, pause=False)
            raise
        _finish(run, outcome, code=code, params=params)
        return run


class _Pull:
    """The passes of one run."""

    def __init__(
        self,
        form: KoboForm,
        *,
        client: KoboClient,
        run: SyncRun,
        full: bool,
        page_size: int,
        on_page: Callable[[SyncRun], None] | None,
    ) -> None:
        self.form, self.client, self.run, self.full, self.page_size = form, client, run, full, page_size
        self.on_page = on_page
        self.ledger = _Ledger()
        self.known = _read_known(form, with_fingerprints=full)
        self.kobo_count = 0

    @cached_property
    def reader(self) -> RowReader:
        """Made when the first row has to be read: most runs read none."""
        return RowReader(self.form)

    @cached_property
    def store(self) -> Store:
        return Store(self.form)

    def run_all(self) -> None:
        self._rematch()
        top = 0 if self.full else max(self.known, default=0)
        self._fetch(self._sweep(up_to_id=top))
        for _unused in range(SWEEPS):
            self._read_above(max(self.ledger.seen, default=top))
            self.kobo_count = self.client.count(self.form.asset_uid)
            if self.kobo_count == self.ledger.listed:
                self._mark_deleted()
                return
            self._sweep_again()

    def close(self) -> tuple[str, str, dict[str, object]]:
        """Fill the ledger. Returns outcome, error code and what its sentence needs."""
        run, ledger = self.run, self.ledger
        present = KoboSubmission.objects.filter(form=self.form).present()
        run.at_kobo, run.here, run.deleted = self.kobo_count, present.count(), ledger.deleted
        run.new, run.edited, run.unchanged = (ledger.counts[fate] for fate in (NEW, EDITED, UNCHANGED))
        run.refused = ledger.counts[REFUSED] + ledger.nameless
        run.unmatched = present.filter(match_state=MatchState.UNMATCHED, is_trial=False, is_refused=False).count()
        if run.at_kobo == ledger.listed == run.here:
            return SyncOutcome.CLOSED, "", {}
        here = set(present.values_list("kobo_id", flat=True))
        only_here = sorted(here - ledger.seen.keys())
        run.differences = {
            "only_at_kobo": sorted(ledger.seen.keys() - here)[:SHOWN],
            "only_here": only_here[:SHOWN],
        }
        if run.at_kobo == ledger.listed and only_here:
            return SyncOutcome.RED, "rows_gone", {"gone": len(only_here), "here": run.here}
        if run.at_kobo == ledger.listed:
            return SyncOutcome.RED, "rows_not_kept", {"count": run.at_kobo - run.here}
        return SyncOutcome.RED, "counts_differ", {"at_kobo": run.at_kobo, "seen": ledger.listed}

    def _pages(
        self, *, after_id: int = 0, up_to_id: int | None = None, fields: Sequence[str] | None = None
    ) -> Iterator[Page]:
        return self.client.iter_pages(
            self.form.asset_uid, after_id=after_id, up_to_id=up_to_id, fields=fields, page_size=self.page_size
        )

    def _sweep(self, *, up_to_id: int) -> list[int]:
        """Ids only. Counts what is as we know it and returns the ids whose rows have to be read."""
        wanted: list[int] = []
        if not up_to_id:
            return wanted
        with closing(prefetch(self._pages(up_to_id=up_to_id, fields=ID_FIELDS))) as pages:
            for page in pages:
                wanted += [kobo_id for row in page.rows if (kobo_id := self._look_at(row)) is not None]
        return wanted

    def _look_at(self, row: object) -> int | None:
        """The id if its row has to be read; None if it is as we know it."""
        kobo_id = _id_of(row)
        if kobo_id is None or kobo_id in self.ledger.seen:
            return None
        known = self.known.get(kobo_id)
        if known is None or known.is_deleted or known.uuid != cast(dict[str, Any], row).get("_uuid"):
            return kobo_id
        self.ledger.see(kobo_id, REFUSED if known.is_refused else UNCHANGED)
        return None

    def _sweep_again(self) -> None:
        """Something came or went while we read: look at all ids once more, forget what is gone, fetch what came."""
        listed = {kobo_id for page in self._pages(fields=ID_FIELDS) for row in page.rows if (kobo_id := _id_of(row))}
        for kobo_id in self.ledger.seen.keys() - listed:
            self.ledger.forget(kobo_id)
        self._fetch(sorted(listed - self.ledger.seen.keys()))

    def _read_above(self, after_id: int) -> None:
        self._take(page.rows for page in self._pages(after_id=after_id))

    def _fetch(self, ids: list[int]) -> None:
        self._take(self.client.rows_by_id(self.form.asset_uid, ids))

    def _take(self, pages: Iterator[list[dict[str, Any]]]) -> None:
        """Three at work: one page is downloaded while the one before is read and the one before that is written."""
        first = next(pages, None)
        if first is None:
            return
        with closing(prefetch(_read_pages(self.reader, chain([first], pages)))) as read:
            for rows in read:
                self._store_page(rows)
                self.run.new, self.run.edited = self.ledger.counts[NEW], self.ledger.counts[EDITED]
                self.run.save(update_fields=["new", "edited"])
                if self.on_page is not None:
                    self.on_page(self.run)

    def _store_page(self, rows: Sequence[ReadRow | None]) -> None:
        fresh: dict[int, ReadRow] = {}
        changed: dict[int, ReadRow] = {}
        for row in rows:
            if row is None:
                self.ledger.nameless += 1
                continue
            known = self.known.get(row.kobo_id)
            if row.kobo_id in self.ledger.seen:
                continue
            if known is None:
                fresh[row.kobo_id] = row
            elif _differs(known, row):
                changed[row.kobo_id] = row
            else:
                self.ledger.see(row.kobo_id, REFUSED if row.is_refused else UNCHANGED)
        self._learn(fresh, self.store.insert(list(fresh.values())), NEW)
        self._learn(changed, self.store.update(list(changed.values())), EDITED)

    def _learn(self, asked: dict[int, ReadRow], stored: Iterable[ReadRow], fate: str) -> None:
        for row in stored:
            del asked[row.kobo_id]
            self.ledger.see(row.kobo_id, REFUSED if row.is_refused else fate)
            self.known[row.kobo_id] = _Known(row.uuid, row.is_refused, is_deleted=False, fingerprint=row.fingerprint)
        for kobo_id in asked:
            self.ledger.see(kobo_id, REFUSED)

    def _rematch(self) -> None:
        """Try again what matched nothing in earlier runs, if something was planned since the last that closed."""
        if not self.full and not _planned_since(_last_closed(self.form)):
            return
        waiting = (
            KoboSubmission.objects.filter(form=self.form, match_state=MatchState.UNMATCHED, is_refused=False)
            .present()
            .filter(current_revision__isnull=False)
            .order_by("pk")
            .values_list("current_revision__raw", flat=True)
        )
        raws_left = waiting.iterator(chunk_size=REMATCHED_AT_ONCE)
        while raws := list(islice(raws_left, REMATCHED_AT_ONCE)):
            rows = [row for raw in raws if (row := self.reader.read(json.loads(raw))) is not None]
            matched = [row for row in rows if row.match.state != MatchState.UNMATCHED]
            if matched:
                self.store.rematch(matched)

    def _mark_deleted(self) -> None:
        """Softly, each row confirmed by asking for it again, and never many at once: that would be a lost right.

        Called only when Kobo's own count says that everything was seen.
        """
        here = [kobo_id for kobo_id, known in self.known.items() if not known.is_deleted]
        gone = [kobo_id for kobo_id in here if kobo_id not in self.ledger.seen]
        if not gone:
            return
        if len(gone) > max(FEW, MOST_GONE * len(here)):
            logger.warning(
                "%s rows of form %s are not listed any more: nothing marked as deleted", len(gone), self.form.pk
            )
            return
        there = {
            _id_of(row) for rows in self.client.rows_by_id(self.form.asset_uid, gone, fields=ID_FIELDS) for row in rows
        }
        present = KoboSubmission.objects.filter(form=self.form).present()
        self.ledger.deleted = present.filter(kobo_id__in=set(gone) - there).update(deleted_at=timezone.now())


def _read_pages(reader: RowReader, pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[ReadRow | None]]:
    """For a thread of its own: the reader asks the database for nothing once it is made."""
    with closing(prefetch(pages)) as downloaded:
        for rows in downloaded:
            yield [reader.read(raw) for raw in rows]


def _read_known(form: KoboForm, *, with_fingerprints: bool) -> dict[int, _Known]:
    columns = ["kobo_id", "uuid", "is_refused", "deleted_at"]
    if with_fingerprints:
        columns.append("current_revision__fingerprint")
    stored = KoboSubmission.objects.filter(form=form).order_by().values_list(*columns)
    return {
        kobo_id: _Known(uuid, is_refused, deleted_at is not None, *fingerprint)
        for kobo_id, uuid, is_refused, deleted_at, *fingerprint in stored.iterator(chunk_size=5000)
    }


def _differs(known: _Known, row: ReadRow) -> bool:
    if known.fingerprint is not None and known.fingerprint != row.fingerprint:
        return True
    return known.uuid != row.uuid or known.is_deleted or known.is_refused != row.is_refused


def _id_of(row: object) -> int | None:
    kobo_id = row.get("_id") if isinstance(row, dict) else None
    return kobo_id if type(kobo_id) is int else None


def _last_closed(form: KoboForm) -> datetime | None:
    closed = form.runs.filter(outcome=SyncOutcome.CLOSED).order_by("-started_at")
    return closed.values_list("started_at", flat=True).first()


def _planned_since(moment: datetime | None) -> bool:
    """Whether a target, a focus group or a person was made or changed since, by the database's own history."""
    if moment is None:
        return True
    # A change is dated when its transaction began, and seen when it ended.
    since = moment - timedelta(hours=1)
    histories = (apps.get_model(name) for name in _HISTORIES)
    return any(history._default_manager.filter(pgh_created_at__gte=since).exists() for history in histories)


_HISTORIES = ("assessments.RoundTargetEvent", "assessments.FocusGroupSessionEvent", "training.EnumeratorEvent")


@contextmanager
def _one_at_a_time(form: KoboForm) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, form.pk])
        if not cursor.fetchone()[0]:
            raise Refused(_("This form is being synchronised already."), code="sync_running")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, form.pk])


def _close_lost_runs(form: KoboForm) -> None:
    """Who holds the lock knows: what still says "running" belongs to a worker that died."""
    SyncRun.objects.filter(form=form, outcome=SyncOutcome.RUNNING).update(
        outcome=SyncOutcome.LOST, finished_at=timezone.now()
    )


def _finish(
    run: SyncRun, outcome: str, *, code: str = "", params: dict[str, object] | None = None, pause: bool = True
) -> None:
    now = timezone.now()
    run.outcome, run.finished_at, run.error_code, run.error_params = outcome, now, code, params or {}
    run.save()
    if pause:
        KoboForm.objects.filter(pk=run.form_id).update(next_sync_at=now + timedelta(minutes=run.form.sync_every))
