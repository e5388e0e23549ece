"""Writing a page of rows: raw first, in batches, by COPY. A batch that the database refuses is split, never lost."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.utils import DatabaseError, DataError, IntegrityError
from django.utils import timezone

from assessments.enums import STATUS_AT_KOBO, MatchState, ReviewStatus
from assessments.kobo.errors import Problem
from assessments.kobo.payloads import Attachment, SubmissionPayload, Validation
from assessments.models import KoboForm, KoboFormVersion, KoboSubmission, QualityFlag, SubmissionRevision
from assessments.selectors.kobo_status import proposal_for
from assessments.services.attachments import note_attachments
from assessments.services.focus_groups import note_held
from assessments.services.kobo_rows import Match, ReadRow
from assessments.services.review import give_up_approval, reopen_review
from assessments.services.status_pushes import queue_push

logger = logging.getLogger(__name__)

_REOPENED_BY_EDIT = (ReviewStatus.RETURNED, ReviewStatus.REJECTED, ReviewStatus.APPROVED_FIRST)
_RECEIVED = ReviewStatus.RECEIVED.value
NAME_LENGTH, DEVICE_LENGTH = 150, 100
# Found over many rows at the end of a run, not by reading one.
LISTED_TWICE = "listed_twice_at_kobo"
# Rows are locked by rising key, as everybody locks them: a plain UPDATE takes them as they lie.
_NOTE_STATUSES = f"""
    WITH told AS (
        SELECT ours.id, news.uid, news.by, news.at
        FROM {KoboSubmission._meta.db_table} AS ours
        JOIN unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) AS news(kobo_id, uid, by, at)
            ON ours.kobo_id = news.kobo_id
        WHERE ours.form_id = %s
        ORDER BY ours.id
        FOR UPDATE OF ours
    )
    UPDATE {KoboSubmission._meta.db_table} AS ours
    SET kobo_status = told.uid, kobo_status_by = told.by, kobo_status_at = told.at
    FROM told WHERE ours.id = told.id
"""  # noqa: S608  the name of our own table
_MATCH = ("match_state", "match_problem", "target", "focus_group", "enumerator", "unit")
_TYPED = ("typed_person", "typed_place", "typed_focus_group", "day")
_STATUS = ("kobo_status", "kobo_status_by", "kobo_status_at")
_HEAD = (
    "current_revision",
    "uuid",
    "root_uuid",
    "submitted_at",
    "submitted_by",
    "started_at",
    "ended_at",
    "device_id",
    "is_refused",
    "deleted_at",
    "is_trial",
    *_TYPED,
    *_STATUS,
    *_MATCH,
    "enumerator_named_by",
)


class Store:
    """Writes the rows of one form. Each batch is one transaction: after a kill it is there whole or not at all.

    A batch takes the same number of queries whatever its rows, but for reviews that reopen.
    """

    def __init__(self, form: KoboForm) -> None:
        self.form = form
        self.versions: dict[str, int] = dict(form.versions.values_list("uid", "pk"))
        self.noted: set[int] = set()
        # Who made the last edit of a root uuid, and when, where Kobo's history says it.
        self.editors: Mapping[str, tuple[str, datetime | None]] | None = None

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

    def reread(self, rows: Sequence[ReadRow], revisions: Mapping[int, int]) -> int:
        """Take over what rows that we hold say when they are read anew: match, trial, flags, what cannot be read.

        ``revisions``: by Kobo id the key of the revision that was read; where another has come meanwhile, nothing is
        written. What is approved keeps everything, what a person matched its match. Returns how many were changed.
        Like a new row, one that the database refuses as it is spoils no other, and is kept with the reason.
        """
        try:
            with transaction.atomic():
                return self._reread_batch(rows, revisions)
        except (DataError, IntegrityError) as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                return self.reread(rows[:middle], revisions) + self.reread(rows[middle:], revisions)
            if rows[0].payload is None:
                logger.error("Row %s of form %s cannot be read anew: %s", rows[0].kobo_id, self.form.pk, error)
                return 0
            return self.reread([rows[0].refused_as(Problem("cannot_be_stored", "", _first_line(error)))], revisions)

    def _reread_batch(self, rows: Sequence[ReadRow], revisions: Mapping[int, int]) -> int:
        by_id = {row.kobo_id: row for row in rows}
        locked = self._lock(by_id).filter(approved_revision=None)
        locked = locked.select_related("current_revision").defer("current_revision__raw")
        current = [one for one in locked if revisions.get(one.kobo_id) == one.current_revision_id]
        changed = [one for one in current if _reads_differently(one, by_id[one.kobo_id])]
        for submission in current:
            _take_over(submission, by_id[submission.kobo_id], reread=True)
        _save(current, ("is_refused", "is_trial", *_TYPED, *_MATCH))
        self._judge_anew([(one.current_revision, by_id[one.kobo_id]) for one in current if one.current_revision])
        self._note_held([by_id[one.kobo_id] for one in current])
        return len(changed)

    def note_statuses(self, statuses: Mapping[int, Validation]) -> None:
        """What Kobo says of its own validation status, by Kobo id. One statement."""
        uids, names, moments = zip(*statuses.values(), strict=True) if statuses else ((), (), ())
        with connection.cursor() as cursor:
            cursor.execute(_NOTE_STATUSES, [list(statuses), list(uids), list(names), list(moments), self.form.pk])

    def note_files(self, listed: Mapping[int, Sequence[Attachment]]) -> None:
        """What rows list that are otherwise as we know them, by Kobo id: files come after their form, and go."""
        keys = dict(KoboSubmission.objects.filter(form=self.form, kobo_id__in=listed).values_list("kobo_id", "pk"))
        note_attachments(
            [(keys[kobo_id], files) for kobo_id, files in listed.items() if kobo_id in keys], now=timezone.now()
        )

    def _judge_anew(self, read: Sequence[tuple[SubmissionRevision, ReadRow]]) -> None:
        """Flags and unreadable answers of revisions that stay: they depend on mapping, roster and plan of today."""
        for revision, row in read:
            revision.problems = row.listed_problems
        SubmissionRevision.objects.bulk_update([revision for revision, _row in read], ["problems"], batch_size=500)
        QualityFlag.objects.filter(revision__in=[revision.pk for revision, _row in read]).exclude(
            check_code=LISTED_TWICE
        ).delete()
        self._write_flags((revision.pk, row) for revision, row in read)

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
        listed = [
            (pk, row.payload.attachments) for row, _revision, pk in keyed if row.payload and row.payload.attachments
        ]
        if listed:
            note_attachments(listed, now=now)
        self._note_held(rows)

    def _update_batch(self, rows: Sequence[ReadRow]) -> None:
        by_id = {row.kobo_id: row for row in rows}
        current = list(self._lock(by_id).select_related("current_revision").defer("current_revision__raw"))
        for submission in current:
            # One object for all: what reopens a review asks both.
            submission.form, submission.server = self.form, self.form.server
        back = [one for one in current if one.deleted_at is not None]
        self._give_up_taken_places(back)
        changed = [one for one in current if _is_new_content(one, by_id[one.kobo_id])]
        keyed = list(zip(changed, _reserve(SubmissionRevision, len(changed)), strict=True))
        numbered = [(by_id[one.kobo_id], key, one.pk, _next_number(one)) for one, key in keyed]
        self._write_revisions(numbered, timezone.now())
        for submission, key in keyed:
            submission.current_revision_id = key
        for submission in current:
            _take_over(submission, by_id[submission.kobo_id])
        _save(current, _HEAD)
        files = [
            (one.pk, payload.attachments) for one in current if (payload := by_id[one.kobo_id].payload) is not None
        ]
        note_attachments(files, now=timezone.now())
        for submission in changed:
            if submission.review_status in _REOPENED_BY_EDIT:
                reopen_review(submission)
        self._tell_of_what_is_back(back)
        self._note_held(rows)

    def _lock(self, kobo_ids: Iterable[int]) -> Any:
        own = KoboSubmission.objects.select_for_update(of=("self",))
        return own.filter(form=self.form, kobo_id__in=list(kobo_ids)).order_by("pk")

    def _tell_of_what_is_back(self, submissions: Iterable[KoboSubmission]) -> None:
        """What was decided while a row was gone at Kobo could not be told there."""
        for submission in submissions:
            if submission.kobo_status != STATUS_AT_KOBO[submission.review_status] and proposal_for(submission) is None:
                queue_push(submission)

    def _give_up_taken_places(self, submissions: Iterable[KoboSubmission]) -> None:
        """Of approved forms that were deleted and are back: those whose target another one covers now."""
        back = [one for one in submissions if one.covers_alone]
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
            (
                "id", "submission_id", "number", "uuid", "raw", "fingerprint", "form_version_id", "seen_at", "problems",
                "edited_by", "edited_at",
            ),
            (
                (
                    revision, submission, number, row.uuid, row.raw, row.fingerprint, self.versions.get(_version(row)),
                    now, json.dumps(row.listed_problems) if row.problems else "[]", *self._editor(row, number),
                )
                for row, revision, submission, number in rows
            ),
        )  # fmt: skip
        self._write_flags((revision, row) for row, revision, *_keys in rows)

    def _write_flags(self, rows: Iterable[tuple[int, ReadRow]]) -> None:
        flags = [(revision, flag) for revision, row in rows for flag in row.flags]
        if flags:
            _copy(
                QualityFlag,
                ("revision_id", "check_code", "check_version", "severity", "params"),
                (
                    (revision, flag.code, 1, str(flag.severity), json.dumps(flag.params))
                    for revision, flag in flags
                ),
            )  # fmt: skip

    def _editor(self, row: ReadRow, number: int) -> tuple[str, datetime | None]:
        if number == 1 or row.payload is None:
            return "", None
        name, at = (self.editors or {}).get(row.payload.root_uuid, ("", None))
        return name[:NAME_LENGTH], at

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


def _reads_differently(submission: KoboSubmission, row: ReadRow) -> bool:
    """Whether a person would see the difference."""
    match = row.match
    if submission.is_refused != row.is_refused or submission.is_trial != row.is_trial:
        return True
    if submission.match_state == MatchState.BY_HAND:
        return _takes_enumerator(submission, match)
    ours = (submission.match_state, submission.target_id, submission.focus_group_id)
    return ours != (match.state, match.target, match.focus_group) or _takes_enumerator(submission, match)


def _takes_enumerator(submission: KoboSubmission, match: Match) -> bool:
    return submission.enumerator_named_by_id is None and submission.enumerator_id != match.enumerator


def _take_over(submission: KoboSubmission, row: ReadRow, *, reread: bool = False) -> None:
    """What is approved keeps the place that it counts for; what a person chose by hand stays: target, enumerator."""
    submission.is_refused = row.is_refused
    if not reread:
        submission.uuid, submission.deleted_at = row.uuid, None
    if row.payload and not reread:
        # An edit keeps most of these; a server that was restored from a backup gives an id away a second time.
        _take_head(submission, row.payload)
    submission.day = row.day
    submission.typed_person, submission.typed_place, submission.typed_focus_group = row.typed
    if submission.approved_revision_id is None:
        submission.is_trial = row.is_trial
        if submission.enumerator_named_by_id is None:
            submission.enumerator_id = row.match.enumerator
        if submission.match_state != MatchState.BY_HAND:
            _set_match(submission, row)


def _take_head(submission: KoboSubmission, payload: SubmissionPayload) -> None:
    if submission.root_uuid != payload.root_uuid:
        # Another form under the same id: nobody was named for it.
        submission.enumerator_named_by_id = None
    submission.root_uuid, submission.submitted_at = payload.root_uuid, payload.submitted_at
    submission.submitted_by = _sender(payload)
    submission.started_at, submission.ended_at = payload.started_at, payload.ended_at
    submission.device_id = payload.device_id[:DEVICE_LENGTH]
    if payload.validation_uid is not None:
        submission.kobo_status, submission.kobo_status_by = payload.validation_uid, payload.validation_by
        submission.kobo_status_at = payload.validation_at


def _set_match(submission: KoboSubmission, row: ReadRow) -> None:
    match = row.match
    submission.match_state, submission.match_problem, submission.target_id = match.state, match.problem, match.target
    submission.focus_group_id, submission.unit_id = match.focus_group, match.unit


def _save(submissions: Sequence[KoboSubmission], columns: Sequence[str]) -> None:
    """An upsert by key: one statement for a whole batch, where ``bulk_update`` builds a CASE for each cell."""
    KoboSubmission.objects.bulk_create(
        submissions, update_conflicts=True, unique_fields=["pk"], update_fields=list(columns)
    )


def _sender(payload: SubmissionPayload) -> str:
    return (payload.submitted_by or "")[:NAME_LENGTH]


def _version(row: ReadRow) -> str:
    return row.payload.version_uid[:64] if row.payload else ""


_SUBMISSION = (
    "id", "server_id", "form_id", "kobo_id", "root_uuid", "uuid", "submitted_at", "submitted_by", "first_seen_at",
    "started_at", "ended_at", "device_id", "current_revision_id", "review_status", "covers_alone", "match_state",
    "match_problem", "target_id", "focus_group_id", "enumerator_id", "unit_id", "is_trial", "is_refused", "day",
    "typed_person", "typed_place", "typed_focus_group", "kobo_status", "kobo_status_by", "kobo_status_at",
)  # fmt: skip


def _submission(row: ReadRow, pk: int, revision: int, server: int, form: int, now: datetime) -> tuple[Any, ...]:
    payload, match = row.payload, row.match
    head = (pk, server, form, row.kobo_id)
    matched = (
        revision, _RECEIVED, False, match.state, match.problem, match.target, match.focus_group, match.enumerator,
        match.unit, row.is_trial, row.is_refused, row.day, *row.typed,
    )  # fmt: skip
    if payload is None:
        return *head, "", row.uuid, None, "", now, None, None, "", *matched, "", "", None
    return (
        *head, payload.root_uuid, row.uuid, payload.submitted_at, _sender(payload), now,
        payload.started_at, payload.ended_at, payload.device_id[:DEVICE_LENGTH], *matched,
        payload.validation_uid or "", payload.validation_by, payload.validation_at,
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
