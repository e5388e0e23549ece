"""Writing a page of rows: raw first, in batches, by COPY. A batch that the database refuses is split, never lost."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.utils import DatabaseError, DataError, IntegrityError
from django.utils import timezone

from assessments.enums import FocusGroupStatus, ReviewStatus
from assessments.kobo.errors import Problem
from assessments.models import (
    FocusGroupSession,
    KoboForm,
    KoboFormVersion,
    KoboSubmission,
    QualityFlag,
    SubmissionRevision,
)
from assessments.services.focus_groups import hold_focus_group
from assessments.services.kobo_rows import ReadRow
from assessments.services.review import reopen_review
from dtm_ops.common.errors import Refused

_REOPENED_BY_EDIT = (ReviewStatus.RETURNED, ReviewStatus.REJECTED, ReviewStatus.APPROVED_FIRST)


class Store:
    """Writes the rows of one form. Each batch is one transaction: after a kill it is there whole or not at all."""

    def __init__(self, form: KoboForm) -> None:
        self.form = form
        self.versions: dict[str, int] = dict(form.versions.values_list("uid", "pk"))

    def insert(self, rows: Sequence[ReadRow]) -> list[ReadRow]:
        """Store rows that were never seen. Returns them as stored: some may have turned into refused ones."""
        return self._in_batches(rows, self._insert_batch)

    def update(self, rows: Sequence[ReadRow]) -> list[ReadRow]:
        """Store a new revision for rows that we have. A review that rested on the old content reopens.

        What is approved stays approved with the revision that was: the figures wait for somebody's decision.
        """
        return self._in_batches(rows, self._update_batch)

    def _in_batches(self, rows: Sequence[ReadRow], write: Callable[[Sequence[ReadRow]], None]) -> list[ReadRow]:
        if not rows:
            return []
        try:
            with transaction.atomic():
                write(rows)
        except (DataError, IntegrityError) as error:
            if len(rows) == 1:
                if rows[0].payload is None:
                    raise
                return self._in_batches(
                    [rows[0].refused_as(Problem("cannot_be_stored", "", _first_line(error)))], write
                )
            middle = len(rows) // 2
            return self._in_batches(rows[:middle], write) + self._in_batches(rows[middle:], write)
        return list(rows)

    def _insert_batch(self, rows: Sequence[ReadRow]) -> None:
        now = timezone.now()
        submissions, revisions = _reserve(KoboSubmission, len(rows)), _reserve(SubmissionRevision, len(rows))
        head = (self.form.server_id, self.form.pk, now)
        _copy(
            KoboSubmission,
            _SUBMISSION,
            (_submission(row, pk, rev, *head) for row, pk, rev in zip(rows, submissions, revisions, strict=True)),
        )
        self._write_revisions(
            [(row, rev, pk, 1) for row, pk, rev in zip(rows, submissions, revisions, strict=True)], now
        )
        self._mark_held(rows)

    def _update_batch(self, rows: Sequence[ReadRow]) -> None:
        now = timezone.now()
        by_id = {row.kobo_id: row for row in rows}
        current = list(
            KoboSubmission.objects.select_for_update(of=("self",))
            .filter(server_id=self.form.server_id, kobo_id__in=by_id)
            .select_related("current_revision")
            .order_by("pk")
        )
        revisions = _reserve(SubmissionRevision, len(current))
        written = []
        for submission, revision in zip(current, revisions, strict=True):
            number = submission.current_revision.number + 1 if submission.current_revision else 1
            written.append((by_id[submission.kobo_id], revision, submission.pk, number))
        self._write_revisions(written, now)
        for submission, revision in zip(current, revisions, strict=True):
            self._take_over(submission, by_id[submission.kobo_id], revision)

    def _take_over(self, submission: KoboSubmission, row: ReadRow, revision: int) -> None:
        submission.current_revision_id = revision
        submission.uuid = row.uuid
        submission.is_refused = row.is_refused
        submission.deleted_at = None
        if submission.approved_revision_id is None:
            match = row.match
            submission.match_state, submission.is_trial = match.state, row.is_trial
            submission.target_id, submission.focus_group_id = match.target, match.focus_group
            submission.enumerator_id, submission.unit_id = match.enumerator, match.unit
        submission.save(
            update_fields=[
                "current_revision", "uuid", "is_refused", "deleted_at", "match_state", "is_trial", "target",
                "focus_group", "enumerator", "unit",
            ]
        )  # fmt: skip
        if submission.review_status in _REOPENED_BY_EDIT:
            reopen_review(submission)

    def _write_revisions(self, rows: list[tuple[ReadRow, int, int, int]], now: datetime) -> None:
        self._learn_versions((row for row, *_keys in rows), now)
        _copy(
            SubmissionRevision,
            ("id", "submission_id", "number", "uuid", "raw", "fingerprint", "form_version_id", "seen_at", "problems"),
            (
                (
                    revision,
                    submission,
                    number,
                    row.uuid,
                    row.raw,
                    row.payload.fingerprint if row.payload else "",
                    self.versions.get(row.payload.version_uid[:64]) if row.payload else None,
                    now,
                    json.dumps([{"code": p.code, "path": p.path, "value": p.value} for p in row.problems]),
                )
                for row, revision, submission, number in rows
            ),
        )
        flags = [(revision, flag) for row, revision, *_keys in rows for flag in row.flags]
        if flags:
            _copy(
                QualityFlag,
                ("revision_id", "check_code", "check_version", "severity", "params"),
                ((revision, flag.code, 1, flag.severity, json.dumps(flag.params)) for revision, flag in flags),
            )

    def _learn_versions(self, rows: Iterable[ReadRow], now: datetime) -> None:
        unknown = {row.payload.version_uid[:64] for row in rows if row.payload} - self.versions.keys() - {""}
        for uid in sorted(unknown):
            version, _made = KoboFormVersion.objects.get_or_create(
                form=self.form, uid=uid, defaults={"first_seen_at": now}
            )
            self.versions[uid] = version.pk

    def _mark_held(self, rows: Sequence[ReadRow]) -> None:
        """A form that came from a planned focus group tells that it took place."""
        keys = {row.match.focus_group for row in rows if row.match.focus_group and not row.is_trial}
        for focus_group in FocusGroupSession.objects.filter(pk__in=keys, status=FocusGroupStatus.PLANNED):
            try:
                hold_focus_group(focus_group, by=None)
            except Refused:
                # Without a date, or filled before it began: the form counts all the same, the plan stays as it is.
                continue


_SUBMISSION = (
    "id", "server_id", "form_id", "kobo_id", "root_uuid", "uuid", "submitted_at", "submitted_by", "first_seen_at",
    "current_revision_id", "review_status", "covers_alone", "match_state", "target_id", "focus_group_id",
    "enumerator_id", "unit_id", "is_trial", "is_refused",
)  # fmt: skip


def _submission(row: ReadRow, pk: int, revision: int, server: int, form: int, now: datetime) -> tuple[Any, ...]:
    payload, match = row.payload, row.match
    return (
        pk, server, form, row.kobo_id, payload.root_uuid if payload else "", row.uuid,
        payload.submitted_at if payload else None, ((payload.submitted_by or "") if payload else "")[:150], now,
        revision, ReviewStatus.RECEIVED.value, False, str(match.state), match.target, match.focus_group,
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
    with connection.cursor() as cursor, cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _first_line(error: DatabaseError) -> str:
    return str(error).partition("\n")[0][:200]
