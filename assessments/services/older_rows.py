"""Rows of an installation that was there before the sync kept day, device, typed words and files of a form.

They are read anew from what was received, once, without asking Kobo: the queues, the pages of people and a full run
would else take them for blank or for edited.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from django.db import transaction
from django.db.utils import DataError
from django.utils import timezone

from assessments.enums import MatchState
from assessments.kobo.payloads import Attachment
from assessments.models import KoboForm, KoboSubmission, SubmissionAttachment, SubmissionRevision
from assessments.querysets import KoboSubmissionQuerySet
from assessments.services.attachments import note_attachments
from assessments.services.kobo_rows import ReadRow, RowReader
from assessments.services.kobo_store import DEVICE_LENGTH

logger = logging.getLogger(__name__)

AT_ONCE = 500
_Held = tuple[int, int, str]


def has_older_rows(form: KoboForm) -> bool:
    return _older_rows(form).exists()


def complete_older_rows(form: KoboForm, *, reader: RowReader) -> Iterator[int]:
    """Yields after each batch how many were completed. After a kill the next call goes on with the rest.

    Review, match, figures and what counts stay as they are: only what is said nowhere yet is filled in, and the
    fingerprint is renewed, which was once made of other parts. Safe beside reviewers: a row that got another content
    since it was read is left to the next call.
    """
    columns = _older_rows(form).order_by("pk").values_list("pk", "current_revision_id", "current_revision__raw")
    held = columns.iterator(chunk_size=AT_ONCE)
    while part := list(islice(held, AT_ONCE)):
        yield _complete(part, reader)


def _older_rows(form: KoboForm) -> KoboSubmissionQuerySet:
    """Every row has a day, if only that of its arrival; except the few of which nothing but the id can be read."""
    return KoboSubmission.objects.filter(form=form, day=None, current_revision__isnull=False)


def _complete(part: Sequence[_Held], reader: RowReader) -> int:
    """What the database refuses of one row holds no other back."""
    try:
        return _complete_batch(part, reader)
    except DataError as error:
        if len(part) > 1:
            middle = len(part) // 2
            return _complete(part[:middle], reader) + _complete(part[middle:], reader)
        logger.warning("Submission %s stays as it was stored: %s", part[0][0], error)
        return 0


@transaction.atomic
def _complete_batch(part: Sequence[_Held], reader: RowReader) -> int:
    read = {pk: (revision, row) for pk, revision, raw in part if (row := reader.read(json.loads(raw))) is not None}
    locked = KoboSubmission.objects.select_for_update(of=("self",)).filter(pk__in=read).order_by("pk")
    current = [one for one in locked if one.current_revision_id == read[one.pk][0]]
    revisions, listed = [], []
    for submission in current:
        revision, row = read[submission.pk]
        _fill(submission, row)
        revisions.append(SubmissionRevision(pk=revision, fingerprint=row.fingerprint))
        if row.payload is not None and row.payload.attachments:
            listed.append((submission.pk, row.payload.attachments))
    KoboSubmission.objects.bulk_create(
        current, update_conflicts=True, unique_fields=["pk"], update_fields=list(_FILLED)
    )
    SubmissionRevision.objects.bulk_update(revisions, ["fingerprint"], batch_size=AT_ONCE)
    _note_files(listed)
    return len(current)


_FILLED = (
    "day", "typed_person", "typed_place", "typed_focus_group", "started_at", "ended_at", "device_id", "match_problem",
)  # fmt: skip


def _fill(submission: KoboSubmission, row: ReadRow) -> None:
    submission.day = row.day
    submission.typed_person, submission.typed_place, submission.typed_focus_group = row.typed
    if submission.match_state == MatchState.UNMATCHED:
        submission.match_problem = row.match.problem
    if row.payload is not None:
        submission.started_at, submission.ended_at = row.payload.started_at, row.payload.ended_at
        submission.device_id = row.payload.device_id[:DEVICE_LENGTH]


def _note_files(listed: Sequence[tuple[int, Sequence[Attachment]]]) -> None:
    """Not where files are known already: what was received first says nothing of those that came later."""
    keys = [pk for pk, _files in listed]
    known = set(SubmissionAttachment.objects.filter(submission__in=keys).values_list("submission", flat=True))
    note_attachments([one for one in listed if one[0] not in known], now=timezone.now())
