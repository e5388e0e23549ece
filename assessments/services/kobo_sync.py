"""One run of the sync of one form, and its ledger.

A run sees every id that Kobo lists: those that we know by an id-only sweep, those above by reading their rows. So a
row that was edited, that appeared late below the highest id, or that is gone is found by every run; running again
changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
ID_FIELDS = ("_id", "_uuid")


@dataclass(slots=True)
class _Ledger:
    new: int = 0
    edited: int = 0
    unchanged: int = 0
    deleted: int = 0
    # Rows that Kobo lists without a usable id: they cannot be kept apart, so the run cannot close.
    nameless: int = 0
    seen: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Known:
    uuid: str
    is_refused: bool
    is_deleted: bool


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
    told after each page.
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
        except BaseException:
            _finish(run, SyncOutcome.FAILED, code="internal")
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
        self.reader, self.store, self.ledger = RowReader(form), Store(form), _Ledger()
        self.known = {
            kobo_id: _Known(uuid, is_refused, deleted_at is not None)
            for kobo_id, uuid, is_refused, deleted_at in KoboSubmission.objects.filter(form=form)
            .order_by()
            .values_list("kobo_id", "uuid", "is_refused", "deleted_at")
            .iterator(chunk_size=5000)
        }
        self.kobo_count = 0

    def run_all(self) -> None:
        top = 0 if self.full else max(self.known, default=0)
        wanted = self._sweep(up_to_id=top) if top else []
        with closing(prefetch(self._pages(after_id=top))) as pages:
            self._read_rows(page.rows for page in pages)
        self._fetch(wanted)
        for _unused in range(SWEEPS):
            self.kobo_count = self.client.count(self.form.asset_uid)
            if self.kobo_count == len(self.ledger.seen) + self.ledger.nameless:
                break
            self._sweep_again()
        self._rematch()
        self._mark_deleted()

    def close(self) -> tuple[str, str, dict[str, object]]:
        """Fill the ledger. Returns outcome, error code and what its sentence needs."""
        run, ledger = self.run, self.ledger
        present = KoboSubmission.objects.filter(form=self.form).present()
        refused = set(present.filter(is_refused=True).values_list("kobo_id", flat=True))
        run.at_kobo, run.here = self.kobo_count, present.count()
        run.new, run.edited, run.deleted = ledger.new, ledger.edited, ledger.deleted
        run.refused = len(refused) + ledger.nameless
        run.unchanged = ledger.unchanged
        run.unmatched = present.filter(match_state=MatchState.UNMATCHED, is_trial=False, is_refused=False).count()
        if run.at_kobo == run.unchanged + run.new + run.edited + run.refused and run.here == run.at_kobo:
            return SyncOutcome.CLOSED, "", {}
        here = set(present.values_list("kobo_id", flat=True))
        run.differences = {
            "only_at_kobo": sorted(ledger.seen - here)[:SHOWN],
            "only_here": sorted(here - ledger.seen)[:SHOWN],
        }
        gone = len(here - ledger.seen)
        if gone:
            return SyncOutcome.RED, "rows_gone", {"gone": gone, "here": run.here}
        return SyncOutcome.RED, "counts_differ", {"at_kobo": run.at_kobo, "seen": len(ledger.seen)}

    def _pages(
        self, *, after_id: int = 0, up_to_id: int | None = None, fields: Sequence[str] | None = None
    ) -> Iterator[Page]:
        return self.client.iter_pages(
            self.form.asset_uid, after_id=after_id, up_to_id=up_to_id, fields=fields, page_size=self.page_size
        )

    def _sweep(self, *, up_to_id: int | None = None) -> list[int]:
        """Ids only. Counts what is as we know it and returns the ids whose rows have to be read."""
        wanted: list[int] = []
        walk = self._pages(up_to_id=up_to_id, fields=ID_FIELDS)
        with closing(prefetch(walk)) as pages:
            for page in pages:
                wanted += [kobo_id for row in page.rows if (kobo_id := self._look_at(row)) is not None]
        return wanted

    def _look_at(self, row: object) -> int | None:
        """The id if its row has to be read; None if it is as we know it, or was seen in this run."""
        kobo_id = row.get("_id") if isinstance(row, dict) else None
        if type(kobo_id) is not int or kobo_id in self.ledger.seen:
            return None
        known = self.known.get(kobo_id)
        if known is None or known.is_deleted or known.uuid != row.get("_uuid"):
            return kobo_id
        self._see_unchanged(kobo_id, known)
        return None

    def _see_unchanged(self, kobo_id: int, known: _Known) -> None:
        self.ledger.seen.add(kobo_id)
        self.ledger.unchanged += not known.is_refused

    def _sweep_again(self) -> None:
        """Something came or went while we read: look at all ids once more, forget what is gone, fetch what came."""
        listed: set[int] = set()
        for page in self._pages(fields=ID_FIELDS):
            listed.update(row["_id"] for row in page.rows if isinstance(row, dict) and type(row.get("_id")) is int)
        for kobo_id in self.ledger.seen - listed:
            self._forget(kobo_id)
        self._fetch(sorted(listed - self.ledger.seen))

    def _forget(self, kobo_id: int) -> None:
        """Seen, and gone before the run ended."""
        self.ledger.seen.discard(kobo_id)
        known = self.known.get(kobo_id)
        if known is not None and not known.is_refused:
            self.ledger.unchanged -= 1

    def _fetch(self, ids: list[int]) -> None:
        self._read_rows(self.client.rows_by_id(self.form.asset_uid, ids))

    def _read_rows(self, pages: Iterable[Sequence[object]]) -> None:
        for rows in pages:
            self._store_page(rows)
            SyncRun.objects.filter(pk=self.run.pk).update(new=self.ledger.new, edited=self.ledger.edited)
            if self.on_page is not None:
                self.on_page(self.run)

    def _store_page(self, raws: Sequence[object]) -> None:
        fresh: dict[int, ReadRow] = {}
        changed: dict[int, ReadRow] = {}
        for raw in raws:
            row = self.reader.read(raw)
            if row is None:
                self.ledger.nameless += 1
                continue
            known = self.known.get(row.kobo_id)
            if row.kobo_id in self.ledger.seen:
                continue
            if known is None:
                fresh[row.kobo_id] = row
            elif known.uuid != row.uuid or known.is_deleted or known.is_refused != row.is_refused:
                changed[row.kobo_id] = row
            else:
                self._see_unchanged(row.kobo_id, known)
        for row in self.store.insert(list(fresh.values())):
            self.ledger.new += not row.is_refused
            self._learn(row)
        for row in self.store.update(list(changed.values())):
            self.ledger.edited += not row.is_refused
            self._learn(row)

    def _learn(self, row: ReadRow) -> None:
        self.ledger.seen.add(row.kobo_id)
        self.known[row.kobo_id] = _Known(row.uuid, row.is_refused, is_deleted=False)

    def _rematch(self) -> None:
        """Try again what matched nothing: its focus group or target may have been planned since."""
        waiting = (
            KoboSubmission.objects.filter(form=self.form, match_state=MatchState.UNMATCHED, is_refused=False)
            .present()
            .select_related("current_revision")
        )
        for submission in waiting.iterator(chunk_size=500):
            row = self.reader.read(submission.current_revision.answers) if submission.current_revision else None
            if row is None or row.match.state == MatchState.UNMATCHED:
                continue
            match = row.match
            KoboSubmission.objects.filter(pk=submission.pk, match_state=MatchState.UNMATCHED).update(
                match_state=match.state,
                target_id=match.target,
                focus_group_id=match.focus_group,
                enumerator_id=match.enumerator,
                unit_id=match.unit,
            )

    def _mark_deleted(self) -> None:
        """Softly, each row confirmed by asking for it alone, and never many at once: that would be a lost right."""
        present = KoboSubmission.objects.filter(form=self.form).present()
        gone = sorted(set(present.values_list("kobo_id", flat=True)) - self.ledger.seen)
        if not gone or self.kobo_count != len(self.ledger.seen) + self.ledger.nameless:
            return
        if len(gone) > max(FEW, MOST_GONE * present.count()):
            logger.warning(
                "%s rows of form %s are not listed any more: nothing marked as deleted", len(gone), self.form.pk
            )
            return
        confirmed = [kobo_id for kobo_id in gone if self.client.submission(self.form.asset_uid, kobo_id) is None]
        self.ledger.deleted = present.filter(kobo_id__in=confirmed).update(deleted_at=timezone.now())


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


def _finish(run: SyncRun, outcome: str, *, code: str = "", params: dict[str, object] | None = None) -> None:
    now: datetime = timezone.now()
    run.outcome, run.finished_at, run.error_code, run.error_params = outcome, now, code, params or {}
    run.save()
    KoboForm.objects.filter(pk=run.form_id).update(next_sync_at=now + timedelta(minutes=run.form.sync_every))
