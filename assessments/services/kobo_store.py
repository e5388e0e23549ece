"""Writing a page of rows: raw first, in batches, by COPY. A batch that the database refuses is split, never lost."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.utils import DatabaseError, DataError, IntegrityError
from django.utils import timezone

from assessments.enums import MatchState, ReviewStatus
from assessments.kobo.errors import Problem
from assessments.kobo.payloads import SubmissionPayload
from assessments.models import KoboForm, KoboFormVersion, KoboSubmission, QualityFlag, SubmissionRevision
from assessments.services.focus_groups import note_held
from assessments.services.kobo_rows import ReadRow
from assessments.services.review import give_up_approval, reopen_review

logger = logging.getLogger(__name__)

_REOPENED_BY_EDIT = (ReviewStatus.RETURNED, ReviewStatus.REJECTED, ReviewStatus.APPROVED_FIRST)
_RECEIVED = ReviewStatus.RECEIVED.value
_MATCH = ("match_state", "target", "focus_group", "enumerator", "unit")
_HEAD = (
    "current_revision",
    "uuid",
    "root_uuid",
    "submitted_at",
    "submitted_by",
    "is_refused",
    "deleted_at",
    "is_trial",
    *_MATCH,
)


class Store:
    """Writes the rows of one form. Each batch is one transaction: after a kill it is there whole or not at all.

    A batch takes the same number of queries whatever its rows, but for reviews that reopen.
    """

    def __init__(self, form: KoboForm) -> None:
        self.form = form
        self.versions: dict[str, int] = dict(form.versions.values_list("uid", "pk"))
        self.noted: set[int] = set()

    def insert(self, rows: Sequence[ReadRow]) -> list[ReadRow]:
        """Store rows that were never seen. Returns them as stored: some may have turned into refused ones, and a row
        whose very id is refused (another form of the server has it) is left out.
        """
        return self._in_batches(rows, self._insert_batch)

    def update(self, rows: Sequence[ReadRow]) -> list[ReadRow]:
        """Store a new revision for rows that we have, if their content is another. Returns them like ``insert``.

        A review that rested on the old content reopens. What is approved stays approved with the revision that was: the
        figures wait for somebody's decision. What was deleted at Kobo and is back counts again, unless another approved
        form has taken its place meanwhile: then it waits for a review.
        """
        return self._in_batches(rows, self._update_batch)

    @transaction.atomic
    def rematch(self, rows: Sequence[ReadRow]) -> None:
        """Give rows that matched nothing their match, unless somebody has matched them by hand meanwhile."""
        by_id = {row.kobo_id: row for row in rows}
        waiting = self._lock(by_id).filter(match_state=MatchState.UNMATCHED)
        for submission in (matched := list(waiting)):
            _set_match(submission, by_id[submission.kobo_id])
        _save(matched, _MATCH)
        self._note_held(rows)

    def _in_batches(self, rows: Sequence[ReadRow], write: Callable[[Sequence[ReadRow]], None]) -> list[ReadRow]:
        if not rows:
            return []
        # Outside the batch: what a batch that is rolled back has learned would point nowhere.
        self._learn_versions(rows)
        try:
            with transaction.atomic():
                write(rows)
        except (DataError, IntegrityError) as error:
            return self._split(rows, write, reason=_first_line(error))
        return list(rows)

    def _split(
        self, rows: Sequence[ReadRow], write: Callable[[Sequence[ReadRow]], None], *, reason: str
    ) -> list[ReadRow]:
        if len(rows) > 1:
            middle = len(rows) // 2
            return self._in_batches(rows[:middle], write) + self._in_batches(rows[middle:], write)
        row = rows[0]
        if row.payload is None:
            logger.error("Row %s of form %s cannot be kept at all: %s", row.kobo_id, self.form.pk, reason)
            return []
        return self._in_batches([row.refused_as(Problem("cannot_be_stored", "", reason))], write)

    def _insert_batch(self, rows: Sequence[ReadRow]) -> None:
        now = timezone.now()
        submissions, revisions = _reserve(KoboSubmission, len(rows)), _reserve(SubmissionRevision, len(rows))
        head = (self.form.server_id, self.form.pk, now)
        keyed = list(zip(rows, revisions, submissions, strict=True))
        _copy(KoboSubmission, _SUBMISSION, (_submission(row, pk, revision, *head) for row, revision, pk in keyed))
        self._write_revisions([(row, revision, pk, 1) for row, revision, pk in keyed], now)
        self._note_held(rows)

    def _update_batch(self, rows: Sequence[ReadRow]) -> None:
        by_id = {row.kobo_id: row for row in rows}
        current = list(self._lock(by_id).select_related("current_revision").defer("current_revision__raw"))
        self._give_up_taken_places(current)
        changed = [one for one in current if _is_new_content(one, by_id[one.kobo_id])]
        keyed = list(zip(changed, _reserve(SubmissionRevision, len(changed)), strict=True))
        numbered = [(by_id[one.kobo_id], key, one.pk, _next_number(one)) for one, key in keyed]
        self._write_revisions(numbered, timezone.now())
        for submission, key in keyed:
            submission.current_revision_id = key
        for submission in current:
            _take_over(submission, by_id[submission.kobo_id])
        _save(current, _HEAD)
        for submission in changed:
            if submission.review_status in _REOPENED_BY_EDIT:
                reopen_review(submission)
        self._note_held(rows)

    def _lock(self, kobo_ids: Iterable[int]) -> Any:
        own = KoboSubmission.objects.select_for_update(of=("self",))
        return own.filter(form=self.form, kobo_id__in=list(kobo_ids)).order_by("pk")

    def _give_up_taken_places(self, submissions: Iterable[KoboSubmission]) -> None:
        """Of approved forms that were deleted and are back: those whose target another one covers now."""
        back = [one for one in submissions if one.deleted_at is not None and one.covers_alone]
        if not back:
            return
        covering = KoboSubmission.objects.present().filter(covers_alone=True, approved_revision__isnull=False)
        taken = set(covering.filter(target__in=[one.target_id for one in back]).values_list("target_id", flat=True))
        for submission in back:
            if submission.target_id in taken:
                give_up_approval(submission)

    def _write_revisions(self, rows: Sequence[tuple[ReadRow, int, int, int]], now: datetime) -> None:
        """Each with the keys of revision and submission, and its number."""
        _copy(
            SubmissionRevision,
            ("id", "submission_id", "number", "uuid", "raw", "fingerprint", "form_version_id", "seen_at", "problems"),
            (
                (
                    revision, submission, number, row.uuid, row.raw, row.fingerprint, self.versions.get(_version(row)),
                    now, json.dumps(row.listed_problems) if row.problems else "[]",
                )
                for row, revision, submission, number in rows
            ),
        )  # fmt: skip
        flags = [(revision, flag) for row, revision, *_keys in rows for flag in row.flags]
        if flags:
            _copy(
                QualityFlag,
                ("revision_id", "check_code", "check_version", "severity", "params"),
                (
                    (revision, flag.code, 1, str(flag.severity), json.dumps(flag.params))
                    for revision, flag in flags
                ),
            )  # fmt: skip

    def _learn_versions(self, rows: Iterable[ReadRow]) -> None:
        unknown = {_version(row) for row in rows} - self.versions.keys() - {""}
        for uid in sorted(unknown):
            version, _made = KoboFormVersion.objects.get_or_create(
                form=self.form, uid=uid, defaults={"first_seen_at": timezone.now()}
            )
            self.versions[uid] = version.pk

    def _note_held(self, rows: Iterable[ReadRow]) -> None:
        """A form that came from a planned focus group tells that it took place."""
        groups = {row.match.focus_group for row in rows if row.match.focus_group is not None and not row.is_trial}
        if fresh := groups - self.noted:
            note_held(fresh)
            transaction.on_commit(lambda: self.noted.update(fresh))


def _is_new_content(submission: KoboSubmission, row: ReadRow) -> bool:
    last = submission.current_revision
    new = (row.uuid, row.fingerprint, row.listed_problems)
    return last is None or (last.uuid, last.fingerprint, last.problems) != new


def _next_number(submission: KoboSubmission) -> int:
    return submission.current_revision.number + 1 if submission.current_revision else 1


def _take_over(submission: KoboSubmission, row: ReadRow) -> None:
    """What is approved keeps the place that it counts for; what a person matched stays matched."""
    submission.uuid, submission.is_refused, submission.deleted_at = row.uuid, row.is_refused, None
    if row.payload:  # an edit keeps these; a server that was restored from a backup gives an id away a second time
        submission.root_uuid, submission.submitted_at = row.payload.root_uuid, row.payload.submitted_at
        submission.submitted_by = _sender(row.payload)
    if submission.approved_revision_id is None:
        submission.is_trial = row.is_trial
        if submission.match_state != MatchState.BY_HAND:
            _set_match(submission, row)


def _set_match(submission: KoboSubmission, row: ReadRow) -> None:
    match = row.match
    submission.match_state, submission.target_id = match.state, match.target
    submission.focus_group_id, submission.enumerator_id, submission.unit_id = (
        match.focus_group, match.enumerator, match.unit,
    )  # fmt: skip


def _save(submissions: Sequence[KoboSubmission], columns: Sequence[str]) -> None:
    """An upsert by key: one statement for a whole batch, where ``bulk_update`` builds a CASE for each cell."""
    KoboSubmission.objects.bulk_create(
        submissions, update_conflicts=True, unique_fields=["pk"], update_fields=list(columns)
    )


def _sender(payload: SubmissionPayload) -> str:
    return (payload.submitted_by or "")[:150]


def _version(row: ReadRow) -> str:
    return row.payload.version_uid[:64] if row.payload else ""


_SUBMISSION = (
    "id", "server_id", "form_id", "kobo_id", "root_uuid", "uuid", "submitted_at", "submitted_by", "first_seen_at",
    "current_revision_id", "review_status", "covers_alone", "match_state", "target_id", "focus_group_id",
    "enumerator_id", "unit_id", "is_trial", "is_refused",
)  # fmt: skip


def _submission(row: ReadRow, pk: int, revision: int, server: int, form: int, now: datetime) -> tuple[Any, ...]:
    payload, match = row.payload, row.match
    return (
        pk, server, form, row.kobo_id, payload.root_uuid if payload else "", row.uuid,
        payload.submitted_at if payload else None, _sender(payload) if payload else "", now,
        revision, _RECEIVED, False, match.state, match.target, match.focus_group,
        match.enumerator, match.unit, row.is_trial, row.is_refused,
    )  # fmt: skip


def _reserve(model: type[Any], count: int) -> list[int]:
    """Keys in advance, so that two tables that point at each other can be copied in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [key for (key,) in cursor.fetchall()]


def _copy(model: type[Any], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
    # Django does not wrap what psycopg raises inside a COPY.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _first_line(error: DatabaseError) -> str:
    return str(error).partition("\n")[0][:200]
