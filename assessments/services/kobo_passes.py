"""The passes of one run: what is asked of Kobo, in which order, and when that is enough. kobo_api.md, section 6.

A sweep sees every id that Kobo lists: those that we know by an id-only pass, those above by reading their rows. So a
row that was edited, that appeared late below the highest id, or that is gone is found by it; running again changes
nothing. A quick run asks for the count, for what is new (with an overlap), edited and judged, and sweeps only where the
counts then differ or the last sweep is a day old.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from time import monotonic
from typing import Any, cast

from django.apps import apps
from django.db.models import Count, Exists, F, Max, Q
from django.utils import timezone

from assessments.enums import MatchState, Severity, SyncOutcome, SyncStep
from assessments.kobo.client import KoboClient, Page, prefetch
from assessments.kobo.errors import KoboError, KoboRejected
from assessments.kobo.payloads import Attachment, Validation, read_attachments, read_validation
from assessments.models import KoboForm, KoboSubmission, QualityFlag, SyncRun
from assessments.services.kobo_rows import ReadRow, RowReader
from assessments.services.kobo_store import LISTED_TWICE, Store
from assessments.services.kobo_versions import read_new_versions
from assessments.services.older_rows import complete_older_rows, has_older_rows
from assessments.services.rereading import reread, reread_settled_meanwhile
from assessments.services.sync_ledger import (
    EDITED,
    NEW,
    REFUSED,
    UNCHANGED,
    Held,
    Ledger,
    differs,
    read_held,
    status_of,
)

logger = logging.getLogger(__name__)

# Rows may arrive while a run lasts: so often is the sweep repeated until Kobo's count and what we saw agree.
SWEEPS = 3
# More than this share of the rows gone at once looks like a lost right, not like people deleting forms.
MOST_GONE, FEW = 0.2, 5
SHOWN = 100
STATUS_FIELD = "_validation_status"
ID_FIELDS = ("_id", "_uuid", STATUS_FIELD)
ID_PAGES_AHEAD = 4
# Pages of ids follow each other faster than anybody reads how far they are.
REPORT_SECONDS = 0.25
# Ids are given before a row shows, and rows show out of order: so far back does a quick run look again.
OVERLAP = timedelta(hours=1)
# Of so many newest rows the latest arrival is taken: one that was dated ahead must not close the eyes for the others.
NEWEST = 500
SWEEP_EVERY = timedelta(hours=24)
# Files come within minutes, or hours where the network is bad.
MEDIA_EVERY, MEDIA_AGE = timedelta(hours=12), timedelta(days=1)
# A history is asked from a little before the last run on: its clock is Kobo's.
HISTORY_OVERLAP = timedelta(minutes=10)


class Stopped(Exception):
    """Somebody stopped the run."""


class Pull:
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
        self.ledger = Ledger()
        self.kobo_count = 0
        # What this run has found out about the form; written at its end.
        self.learned: dict[str, datetime] = {}
        self._troubles_before = Counter(client.connection.incidents)
        self._requests_before = client.connection.requests

    @cached_property
    def held(self) -> Held:
        """Everything that we hold: read by a sweep only."""
        return read_held(KoboSubmission.objects.filter(form=self.form), with_fingerprints=self.full)

    @cached_property
    def reader(self) -> RowReader:
        """Made when the first row has to be read: most runs read none."""
        return RowReader(self.form)

    @cached_property
    def store(self) -> Store:
        return Store(self.form)

    def run_all(self, *, quick: bool, wanted: Iterable[int] = ()) -> None:
        self._rematch(anyway=self._complete_older_rows())
        if not quick or not self._look_quickly(wanted):
            self._compare_everything()
        if "reader" in self.__dict__:
            reread_settled_meanwhile(self.form, reader=self.reader, store=self.store)
        self._look_for_late_files()
        if self.ledger.counts[NEW] or self.ledger.counts[EDITED] or self.ledger.deleted or self._goes_on:
            self._flag_what_is_listed_twice()
        self._learn_versions()

    def _look_quickly(self, wanted: Iterable[int]) -> bool:
        """The cheap passes. False: a sweep has to follow."""
        if self.form.swept_at is None or self.form.swept_at < timezone.now() - SWEEP_EVERY:
            return False
        self._begin(SyncStep.PROBE)
        newest = _newest_rows(self.form)
        self._begin(SyncStep.NEW)
        self._take_known(page.rows for page in self._pages(where=_arrived_since(newest)))
        self._take_known(self.client.rows_by_id(self.form.asset_uid, set(wanted) - self.ledger.seen.keys()))
        self._begin(SyncStep.EDITS)
        edited = self._find_edited()
        self._take_known(self.client.rows_by_id(self.form.asset_uid, edited - self.ledger.seen.keys()))
        self._begin(SyncStep.STATUSES)
        self._read_statuses()
        self.kobo_count = self.client.count(self.form.asset_uid)
        # Equal counts prove nothing where one of Kobo's rows is not among ours.
        all_kept = not self.ledger.not_kept and not self.ledger.nameless
        return all_kept and self.kobo_count == KoboSubmission.objects.filter(form=self.form).present().count()

    def _compare_everything(self) -> None:
        self._begin(SyncStep.SWEEP, expected=self.client.probe(self.form.asset_uid).count)
        read_quickly, self.ledger = self.ledger, Ledger(is_whole=True)
        top = 0 if self.full else _newest_rows(self.form)[0]
        self._fetch(self._sweep(up_to_id=top))
        for _unused in range(SWEEPS):
            self._read_above(max(self.ledger.seen, default=top))
            self.kobo_count = self.client.count(self.form.asset_uid)
            if self.kobo_count == self.ledger.listed:
                break
            self._sweep_again()
        if self.kobo_count == self.ledger.listed:
            self._mark_deleted()
        self.ledger.take_over(read_quickly)

    def close(self) -> tuple[str, str, dict[str, object]]:
        """Fill the ledger. Returns outcome, error code and what its sentence needs."""
        run, ledger = self.run, self.ledger
        present = KoboSubmission.objects.filter(form=self.form).present()
        run.is_sweep, run.at_kobo, run.here, run.deleted = (
            ledger.is_whole, self.kobo_count, present.count(), ledger.deleted,
        )  # fmt: skip
        run.new, run.edited = ledger.counts[NEW], ledger.counts[EDITED]
        run.refused = ledger.counts[REFUSED] + ledger.nameless
        run.unchanged = ledger.counts[UNCHANGED]
        if not ledger.is_whole:
            # What was not looked at is as it was: Kobo's count and ours say so, and its edits and new rows were read.
            unread = present.filter(is_refused=True).exclude(kobo_id__in=ledger.seen).count()
            run.refused += unread
            run.unchanged = run.at_kobo - run.new - run.edited - run.refused
        run.unmatched = present.filter(match_state=MatchState.UNMATCHED, is_trial=False, is_refused=False).count()
        if not ledger.is_whole:
            return SyncOutcome.CLOSED, "", {}
        if run.at_kobo == ledger.listed == run.here:
            self.learned["swept_at"] = timezone.now()
            return SyncOutcome.CLOSED, "", {}
        return self._name_differences(present)

    def _name_differences(self, present: Any) -> tuple[str, str, dict[str, object]]:
        run, ledger = self.run, self.ledger
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

    def _learn_versions(self) -> None:
        """What a version asks is read once. Where Kobo could not answer then, or we were killed before we asked, by the
        runs of a day, and later by each sweep.
        """
        recent = Q() if self.ledger.is_whole else Q(first_seen_at__gt=timezone.now() - SWEEP_EVERY)
        versions = self.form.versions.aggregate(
            known=Count("pk"), unread=Count("pk", filter=Q(content__isnull=True) & recent)
        )
        if versions["unread"] or (self.ledger.is_whole and not versions["known"]):
            read_new_versions(self.form, client=self.client)

    def finish(
        self, outcome: str, *, code: str = "", params: dict[str, object] | None = None, pause: bool = True
    ) -> None:
        run, now = self.run, timezone.now()
        run.outcome, run.finished_at, run.error_code, run.error_params = outcome, now, code, params or {}
        run.requests = self.client.connection.requests - self._requests_before
        run.incidents = dict(self.client.connection.incidents - self._troubles_before)
        # Not what somebody wrote into the row meanwhile.
        run.save(update_fields=_WRITTEN_AT_THE_END)
        # Not what stood there at the beginning: somebody may have asked for a sweep meanwhile.
        KoboForm.objects.filter(pk=run.form_id).update(
            swept_at=self.learned.get("swept_at", F("swept_at")),
            media_checked_at=self.learned.get("media_checked_at", F("media_checked_at")),
            next_sync_at=now + timedelta(minutes=self.form.sync_every) if pause else F("next_sync_at"),
        )

    def _begin(self, step: SyncStep, *, expected: int = 0) -> None:
        self.run.step, self.run.done, self.run.expected = step, 0, expected
        self._report()

    def _report(self) -> None:
        """Where the run is, for whoever looks on; and whether somebody has stopped it."""
        run = self.run
        run.new, run.edited = self.ledger.counts[NEW], self.ledger.counts[EDITED]
        going_on = SyncRun.objects.filter(pk=run.pk, stop_asked_at=None).update(
            step=run.step, done=run.done, expected=run.expected, new=run.new, edited=run.edited
        )
        if not going_on:
            raise Stopped

    def _pages(
        self,
        *,
        after_id: int = 0,
        up_to_id: int | None = None,
        where: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> Iterator[Page]:
        return self.client.iter_pages(
            self.form.asset_uid,
            after_id=after_id,
            up_to_id=up_to_id,
            where=where,
            fields=fields,
            page_size=self.page_size,
        )

    def _sweep(self, *, up_to_id: int) -> list[int]:
        """Ids only. Counts what is as we know it and returns the ids whose rows have to be read."""
        wanted: list[int] = []
        if not up_to_id:
            return wanted
        told = monotonic()
        # Pages of ids are small: what we hold is read while the first ones come in.
        with closing(prefetch(self._pages(up_to_id=up_to_id, fields=ID_FIELDS), depth=ID_PAGES_AHEAD)) as pages:
            for page in pages:
                judged: dict[int, Validation] = {}
                others = self._pass_plain(page.rows)
                wanted += [kobo_id for row in others if (kobo_id := self._look_at(row, judged)) is not None]
                if judged:
                    self.store.note_statuses(judged)
                self.run.done += len(page.rows)
                if monotonic() - told > REPORT_SECONDS:
                    self._report()
                    told = monotonic()
        self._report()
        return wanted

    def _pass_plain(self, rows: Sequence[object]) -> list[object]:
        """Of a page of ids, what needs a closer look. Of most rows we hold no more than the uuid that Kobo tells."""
        plain, seen = self.held.plain, self.ledger.seen
        as_known: list[int] = []
        others: list[object] = []
        for row in rows:
            if (
                isinstance(row, dict)
                and type(kobo_id := row.get("_id")) is int
                and (uuid := plain.get(kobo_id)) is not None
                and uuid == row.get("_uuid")
                and not row.get(STATUS_FIELD)
                and kobo_id not in seen
            ):
                as_known.append(kobo_id)
            else:
                others.append(row)
        self.ledger.see_unchanged(as_known)
        return others

    def _look_at(self, row: object, judged: dict[int, Validation]) -> int | None:
        """The id if its row has to be read; None if it is as we know it. Another status goes to ``judged``."""
        kobo_id = _id_of(row)
        if kobo_id is None or kobo_id in self.ledger.seen:
            return None
        known = self.held.get(kobo_id)
        if known is None or known.is_deleted or known.uuid != cast(dict[str, Any], row).get("_uuid"):
            return kobo_id
        status = read_validation(cast(dict[str, Any], row))
        if status is not None and status != known.told:
            judged[kobo_id] = known.told = status
            self.held.put(kobo_id, known)
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
                self._store_page(rows, self.held)
                self.run.done += len(rows)
                self._report()
                if self.on_page is not None:
                    self.on_page(self.run)

    def _take_known(self, pages: Iterator[list[dict[str, Any]]]) -> None:
        """The few rows of a quick run: what we hold of them is read page by page."""
        for raws in pages:
            ids = [kobo_id for raw in raws if (kobo_id := _id_of(raw)) is not None]
            held = KoboSubmission.objects.filter(form=self.form, kobo_id__in=ids)
            known = read_held(held, with_fingerprints=True)
            rows = [self.reader.read(raw) for raw in raws if not self._is_as_known(raw, known)]
            self._store_page(rows, known)
            self.run.done += len(raws)
            self._report()
            if self.on_page is not None:
                self.on_page(self.run)

    def _is_as_known(self, raw: object, held: Held) -> bool:
        """Of the rows that a quick run looks at twice, most: they need no reading."""
        kobo_id = _id_of(raw)
        ours = held.get(kobo_id) if kobo_id is not None else None
        if kobo_id is None or ours is None or ours.is_deleted or ours.uuid != cast(dict[str, Any], raw).get("_uuid"):
            return False
        if kobo_id not in self.ledger.seen:
            self.ledger.see(kobo_id, REFUSED if ours.is_refused else UNCHANGED)
        return True

    def _find_edited(self) -> set[int]:
        """Ids of rows that were ever edited and whose content is not the one that we hold."""
        wanted: set[int] = set()
        for page in self._pages(where={"meta/deprecatedID": {"$exists": True}}, fields=("_id", "_uuid")):
            listed = {kobo_id: row.get("_uuid") for row in page.rows if (kobo_id := _id_of(row)) is not None}
            held = KoboSubmission.objects.filter(form=self.form, kobo_id__in=listed).present()
            ours = dict(held.values_list("kobo_id", "uuid"))
            wanted |= {kobo_id for kobo_id, uuid in listed.items() if ours.get(kobo_id) != uuid}
            self.run.done += len(page.rows)
            self._report()
        return wanted

    def _read_statuses(self) -> None:
        """Statuses that were set since the last that we know. One that was taken away shows in a sweep only."""
        last = KoboSubmission.objects.filter(form=self.form).aggregate(last=Max("kobo_status_at"))["last"]
        since = int((last - OVERLAP).timestamp()) if last else 0
        where = {"_validation_status.timestamp": {"$gt": since}}
        for page in self._pages(where=where, fields=ID_FIELDS):
            judged = {
                kobo_id: status
                for row in page.rows
                if (kobo_id := _id_of(row)) is not None and (status := read_validation(row)) is not None
            }
            self.store.note_statuses(judged)
            self.run.done += len(page.rows)
            self._report()

    def _read_editors(self) -> dict[str, tuple[str, datetime | None]]:
        """Who edited what since the last run that closed, where the account may read the project's history."""
        last = last_closed(self.form)
        if last is None or self.form.history_refused_at is not None:
            return {}
        editors: dict[str, tuple[str, datetime | None]] = {}
        try:
            for edit in self.client.iter_edits(self.form.asset_uid, since=last - HISTORY_OVERLAP):
                editors.setdefault(edit.root_uuid, (edit.username, edit.at))  # newest first
        except KoboRejected as error:
            KoboForm.objects.filter(pk=self.form.pk).update(history_refused_at=timezone.now())
            logger.info("The history of form %s cannot be read: %s", self.form.pk, error.code)
        except KoboError as error:
            logger.info("The history of form %s was not read this time: %s", self.form.pk, error.code)
        return editors

    def _look_for_late_files(self) -> None:
        """Files come after their form: rows of the last day are read again twice a day.

        What the run has proved about the rows stands without it: where Kobo does not answer now, the next run asks.
        """
        checked = self.form.media_checked_at
        if checked is not None and checked > timezone.now() - MEDIA_EVERY:
            return
        self._begin(SyncStep.MEDIA)
        try:
            if checked is not None:
                self._read_late_files()
        except KoboError as error:
            logger.warning("Files that came late to form %s were not looked for: %s", self.form.pk, error.code)
        else:
            self.learned["media_checked_at"] = timezone.now()

    def _read_late_files(self) -> None:
        where = _arrived_since(_newest_rows(self.form), overlap=MEDIA_AGE, above=False)
        for page in self._pages(where=where, fields=("_id", "_attachments")):
            self.store.note_files(_files_of(page.rows))
            self.run.done += len(page.rows)
            self._report()

    @cached_property
    def _goes_on(self) -> bool:
        """Whether the run before broke off: what it stored is not new any more, and was not looked at as a whole."""
        before = self.form.runs.exclude(pk=self.run.pk).order_by("-started_at", "-pk").values_list("outcome", flat=True)
        return before.first() != SyncOutcome.CLOSED

    def _flag_what_is_listed_twice(self) -> None:
        """A row that a deadlock at Kobo left behind is listed under two ids. A reviewer has to know while it is so."""
        present = KoboSubmission.objects.filter(form=self.form, is_refused=False).present()
        twins = present.exclude(root_uuid="").order_by().values("root_uuid").annotate(n=Count("pk")).filter(n__gt=1)
        rows = present.filter(root_uuid__in=list(twins.values_list("root_uuid", flat=True)))
        ids: dict[str, list[int]] = defaultdict(list)
        revisions: dict[int, tuple[str, int]] = {}
        for root_uuid, kobo_id, revision in rows.values_list("root_uuid", "kobo_id", "current_revision"):
            ids[root_uuid].append(kobo_id)
            revisions[revision] = (root_uuid, kobo_id)
        flags = QualityFlag.objects.filter(check_code=LISTED_TWICE, revision__submission__form=self.form)
        flags.exclude(revision__in=revisions).delete()
        QualityFlag.objects.bulk_create(
            [
                QualityFlag(
                    revision_id=revision,
                    check_code=LISTED_TWICE,
                    severity=Severity.ERROR,
                    params={"other": sorted(set(ids[root_uuid]) - {kobo_id})},
                )
                for revision, (root_uuid, kobo_id) in revisions.items()
            ],
            update_conflicts=True,
            unique_fields=["revision", "check_code"],
            update_fields=["params"],
        )

    def _store_page(self, rows: Sequence[ReadRow | None], held: Held) -> None:
        fresh: dict[int, ReadRow] = {}
        changed: dict[int, ReadRow] = {}
        judged: dict[int, Validation] = {}
        files: dict[int, Sequence[Attachment]] = {}
        for row in rows:
            if row is None:
                self.ledger.nameless += 1
                continue
            known = held.get(row.kobo_id)
            if row.kobo_id in self.ledger.seen:
                continue
            if known is None:
                fresh[row.kobo_id] = row
            elif differs(known, row):
                changed[row.kobo_id] = row
            else:
                self.ledger.see(row.kobo_id, REFUSED if row.is_refused else UNCHANGED)
                if row.payload is not None:
                    files[row.kobo_id] = row.payload.attachments
                    if known.told != (status := status_of(row)):
                        judged[row.kobo_id] = status
        if judged:
            self.store.note_statuses(judged)
        if files:
            self.store.note_files(files)
        self._learn(fresh, self.store.insert(list(fresh.values())), NEW, held)
        if changed and self.store.editors is None:
            self.store.editors = self._read_editors()
        self._learn(changed, self.store.update(list(changed.values())), EDITED, held)

    def _learn(self, asked: dict[int, ReadRow], stored: Iterable[ReadRow], fate: str, held: Held) -> None:
        for row in stored:
            del asked[row.kobo_id]
            self.ledger.see(row.kobo_id, REFUSED if row.is_refused else fate)
            held.learn(row)
        for kobo_id in asked:
            self.ledger.see(kobo_id, REFUSED)
        self.ledger.not_kept += len(asked)

    def _complete_older_rows(self) -> bool:
        """Of an installation that was there before: its first run here, until one has compared every id. Whether there
        were such rows.
        """
        if self.form.swept_at is not None or not has_older_rows(self.form):
            return False
        for _count in complete_older_rows(self.form, reader=self.reader):
            self._report()
        return True

    def _rematch(self, *, anyway: bool) -> None:
        """Try again what matched nothing, or nobody, in earlier runs, if something was planned or settled, or somebody
        came into the roster, since the last that closed.
        """
        planned, roster = _changed_since(last_closed(self.form))
        anyway = anyway or self.full
        nowhere = Q(pk__in=[])
        if anyway or planned or roster:
            nowhere |= Q(match_state=MatchState.UNMATCHED)
        if anyway or roster:
            nowhere |= Q(enumerator=None)
        if self._goes_on:
            # It may have judged a form by the name in it which somebody had said not to be the right one.
            nowhere |= Q(enumerator_named_by__isnull=False)
        waiting = KoboSubmission.objects.filter(nowhere, form=self.form, is_refused=False).present()
        if waiting.exists():
            reread(self.form, waiting, reader=self.reader, store=self.store)

    def _mark_deleted(self) -> None:
        """Softly, each row confirmed by asking for it again, and never many at once: that would be a lost right.

        Called only when Kobo's own count says that everything was seen.
        """
        here = self.held.present
        gone = [kobo_id for kobo_id in here if kobo_id not in self.ledger.seen]
        if not gone:
            return
        released = self.form.deletions_released or 0
        if len(gone) > max(FEW, MOST_GONE * len(here), released):
            logger.warning(
                "%s rows of form %s are not listed any more: nothing marked as deleted", len(gone), self.form.pk
            )
            return
        there = {
            _id_of(row) for rows in self.client.rows_by_id(self.form.asset_uid, gone, fields=ID_FIELDS) for row in rows
        }
        present = KoboSubmission.objects.filter(form=self.form).present()
        self.ledger.deleted = present.filter(kobo_id__in=set(gone) - there).update(deleted_at=timezone.now())
        if released:
            KoboForm.objects.filter(pk=self.form.pk).update(deletions_released=None)


def _read_pages(reader: RowReader, pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[ReadRow | None]]:
    """For a thread of its own: the reader asks the database for nothing once it is made."""
    with closing(prefetch(pages)) as downloaded:
        for rows in downloaded:
            yield [reader.read(raw) for raw in rows]


def _newest_rows(form: KoboForm) -> tuple[int, datetime | None]:
    """The highest id that we hold, and the latest arrival of the newest rows."""
    newest = list(
        KoboSubmission.objects.filter(form=form).order_by("-kobo_id").values_list("kobo_id", "submitted_at")[:NEWEST]
    )
    arrivals = [moment for _kobo_id, moment in newest if moment is not None]
    return newest[0][0] if newest else 0, max(arrivals, default=None)


def _arrived_since(
    newest: tuple[int, datetime | None], *, overlap: timedelta = OVERLAP, above: bool = True
) -> dict[str, Any]:
    """The watermark is what we have seen, not our clock. Kobo compares its times as text of this very shape."""
    top, moment = newest
    late = {"_submission_time": {"$gte": f"{moment - overlap:%Y-%m-%dT%H:%M:%S}"}} if moment else None
    if not above:
        return late or {}
    # An arrival may be dated back (a transfer, Briefcase): what has a higher id is new whatever its date.
    return {"$or": [{"_id": {"$gt": top}}, *([late] if late else [])]}


def _files_of(rows: Iterable[Any]) -> dict[int, Sequence[Attachment]]:
    """Of rows that say which files they list."""
    return {
        kobo_id: read_attachments(row["_attachments"])
        for row in rows
        if (kobo_id := _id_of(row)) is not None and "_attachments" in row
    }


def _id_of(row: object) -> int | None:
    kobo_id = row.get("_id") if isinstance(row, dict) else None
    return kobo_id if type(kobo_id) is int else None


def last_closed(form: KoboForm) -> datetime | None:
    closed = form.runs.filter(outcome=SyncOutcome.CLOSED).order_by("-started_at")
    return closed.values_list("started_at", flat=True).first()


def _changed_since(moment: datetime | None) -> tuple[bool, bool]:
    """Whether the plan, and whether the roster or what a spelling means, was changed since, by the database's own
    history. One query.
    """
    if moment is None:
        return True, True
    # A change is dated when its transaction began, and seen when it ended.
    since = moment - timedelta(hours=1)
    histories = {name: apps.get_model(name)._default_manager.filter(pgh_created_at__gte=since) for name in _HISTORIES}
    # Any row that is there: the question is about none.
    asked = KoboForm.objects.values_list(*(Exists(history) for history in histories.values()))
    target, group, person, word = asked.first() or (True, True, True, True)
    return target or group, person or word


_HISTORIES = (
    "assessments.RoundTargetEvent",
    "assessments.FocusGroupSessionEvent",
    "training.EnumeratorEvent",
    "assessments.MatchAliasEvent",
)


_WRITTEN_AT_THE_END = [
    "outcome", "finished_at", "error_code", "error_params", "differences", "is_sweep", "at_kobo", "here", "new",
    "edited", "unchanged", "refused", "deleted", "unmatched", "requests", "incidents",
]  # fmt: skip
