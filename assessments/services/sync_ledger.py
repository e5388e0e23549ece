"""What became of every row in a run: the two sides of the ledger before they are added up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import QuerySet

from assessments.kobo.payloads import Validation
from assessments.models import KoboSubmission
from assessments.services.kobo_rows import ReadRow

NEW, EDITED, UNCHANGED, REFUSED = "new", "edited", "unchanged", "refused"
NO_STATUS = Validation("", "", None)


@dataclass(slots=True)
class Ledger:
    """What became of every row that Kobo lists in this run."""

    seen: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    # Rows without a usable id: they cannot be kept apart, so the run cannot close.
    nameless: int = 0
    # Rows that the database keeps for another form, counted among the refused.
    not_kept: int = 0
    deleted: int = 0
    # Whether every id was looked at; else ``seen`` holds only what this run has read.
    is_whole: bool = False

    @property
    def listed(self) -> int:
        return len(self.seen) + self.nameless

    def see(self, kobo_id: int, fate: str) -> None:
        self.seen[kobo_id] = fate
        self.counts[fate] += 1

    def see_unchanged(self, kobo_ids: Iterable[int]) -> None:
        """Many that were not seen before."""
        before = len(self.seen)
        self.seen.update(dict.fromkeys(kobo_ids, UNCHANGED))
        self.counts[UNCHANGED] += len(self.seen) - before

    def forget(self, kobo_id: int) -> None:
        self.counts[self.seen.pop(kobo_id)] -= 1

    def take_over(self, quick: "Ledger") -> None:
        """What the quick passes of the same run had read already is new or edited in this run, not unchanged."""
        for kobo_id, fate in quick.seen.items():
            if self.seen.get(kobo_id) == UNCHANGED and fate in (NEW, EDITED):
                self.forget(kobo_id)
                self.see(kobo_id, fate)


@dataclass(slots=True)
class Known:
    """``told``: Kobo's validation status as last seen. ``fingerprint`` is read for a full run only."""

    uuid: str
    is_refused: bool = False
    is_deleted: bool = False
    told: Validation = NO_STATUS
    fingerprint: str | None = None


@dataclass(slots=True)
class Held:
    """Rows that we hold, by Kobo id: a uuid where that is all there is to say of one, as of most."""

    plain: dict[int, str] = field(default_factory=dict)
    others: dict[int, Known] = field(default_factory=dict)

    def get(self, kobo_id: int) -> Known | None:
        uuid = self.plain.get(kobo_id)
        return self.others.get(kobo_id) if uuid is None else Known(uuid)

    def put(self, kobo_id: int, known: Known) -> None:
        self.plain.pop(kobo_id, None)
        self.others[kobo_id] = known

    def learn(self, row: ReadRow) -> None:
        """As it is stored now; its fingerprint is not asked again in this run."""
        status = status_of(row)
        if row.is_refused or status != NO_STATUS:
            self.put(row.kobo_id, Known(row.uuid, is_refused=row.is_refused, told=status))
        else:
            self.others.pop(row.kobo_id, None)
            self.plain[row.kobo_id] = row.uuid

    @property
    def present(self) -> list[int]:
        """Ids of what is not marked as deleted."""
        return [*self.plain, *(kobo_id for kobo_id, known in self.others.items() if not known.is_deleted)]


def read_held(rows: QuerySet[KoboSubmission], *, with_fingerprints: bool) -> Held:
    """First all, then of whom there is more to say: whoever's status changes meanwhile is missed by neither."""
    held = Held(dict(rows.order_by().values_list("kobo_id", "uuid").iterator(chunk_size=5000)))
    more = rows if with_fingerprints else rows.exclude(is_refused=False, deleted_at=None, kobo_status="")
    columns = ["kobo_id", "uuid", "is_refused", "deleted_at", "kobo_status", "kobo_status_by", "kobo_status_at"]
    if with_fingerprints:
        columns.append("current_revision__fingerprint")
    for row in more.order_by().values_list(*columns).iterator(chunk_size=5000):
        told = Validation(*row[4:7]) if row[4] else NO_STATUS
        held.put(row[0], Known(row[1], row[2], row[3] is not None, told, row[7] if with_fingerprints else None))
    return held


def status_of(row: ReadRow) -> Validation:
    payload = row.payload
    if payload is None or not payload.validation_uid:
        return NO_STATUS
    return Validation(payload.validation_uid, payload.validation_by, payload.validation_at)


def differs(known: Known, row: ReadRow) -> bool:
    if known.fingerprint is not None and known.fingerprint != row.fingerprint:
        return True
    return known.uuid != row.uuid or known.is_deleted or known.is_refused != row.is_refused
