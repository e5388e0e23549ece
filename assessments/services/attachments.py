"""Pictures and files of submissions: what Kobo lists, and fetching it when it is asked for or by the form's rule.

A file is written aside until it is whole and known to be one that we take; only then does it go into the storage, under
a name of ours, together with its row. Whatever goes wrong leaves the row as it was, with the reason.
"""

import errno
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import IO, Any, Final

import requests
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import AttachmentState, FetchMedia
from assessments.kobo.attachments import (
    HEAD,
    attachment_path,
    ending_of,
    is_page,
    may_be_taken,
    media_questions,
    named_files,
)
from assessments.kobo.client import KoboClient
from assessments.kobo.connection import iter_pieces
from assessments.kobo.errors import KoboError, KoboPayloadError, KoboRejected, KoboUnavailable
from assessments.kobo.payloads import Attachment, parse_submission
from assessments.models import KoboForm, KoboServer, KoboSubmission, SubmissionAttachment
from dtm_ops.common.errors import Refused

logger = logging.getLogger(__name__)

# Kobo's own limit for one request with files is 100 MB; a phone's picture has 2 to 8, a minute of film 100.
MOST_BYTES: Final = 50 * 1024 * 1024
# A whole file: on a weak line 50 MB take longer, and the next try has to begin anew.
MOST_SECONDS: Final = 600.0
# Somebody waits for the page: as in `kobo_editing`.
CONNECT_SECONDS, READ_SECONDS, SECONDS_FOR_A_READER = 5, 20, 60.0
# Kobo's own transfer tool waits as long between two files.
PAUSE: Final = 0.1
AT_ONCE: Final = 200
# Files that cannot be had one after the other, before the rest waits for the next time.
MOST_TROUBLES: Final = 3
# The first half of the advisory lock's key; the second is the form's.
LOCK_SPACE: Final = 0x4B6F6266
# Of another one the second is the file's.
WRITE_LOCK_SPACE: Final = 0x4B6F6277
_IN_MEMORY = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_Key = tuple[int, str, str]


# --- what is listed


def note_attachments(listed: Sequence[tuple[int, Sequence[Attachment]]], *, now: datetime) -> None:
    """Keep for each submission (by key) what its row lists now. The same list again writes nothing.

    What is no longer listed, or is marked as deleted at Kobo, is gone since ``now``; its file stays. What is listed
    again comes back. A file of the same name under another uid is another file: it will be fetched anew.
    """
    wanted = {key: one for pk, files in listed for key, one in _by_place(pk, files)}
    with transaction.atomic():
        rows = SubmissionAttachment.objects.select_for_update().filter(submission__in={pk for pk, _files in listed})
        known: dict[_Key, SubmissionAttachment] = {
            (row.submission_id, row.xpath, row.name): row for row in rows.order_by("pk")
        }
        new = [_make(key, one, now) for key, one in wanted.items() if key not in known]
        changed = [row for key, row in known.items() if _renew(row, wanted.get(key), now)]
        if new:
            SubmissionAttachment.objects.bulk_create(new, ignore_conflicts=True, batch_size=1000)
        if changed:
            columns = ["uid", "mimetype", "state", "error_code", "gone_at"]
            SubmissionAttachment.objects.bulk_update(changed, columns, batch_size=500)


def _by_place(pk: int, files: Iterable[Attachment]) -> Iterator[tuple[_Key, Attachment]]:
    """One for each question and name: of two, the one that is there counts."""
    for one in sorted(files, key=lambda one: not one.is_deleted):
        if one.name:
            yield (pk, one.xpath, one.name), one


def _make(key: _Key, one: Attachment, now: datetime) -> SubmissionAttachment:
    pk, xpath, name = key
    return SubmissionAttachment(
        submission_id=pk,
        xpath=xpath,
        name=name,
        uid=one.uid[:64],
        mimetype=one.mimetype[:100],
        seen_at=now,
        gone_at=now if one.is_deleted else None,
    )


def _renew(row: SubmissionAttachment, one: Attachment | None, now: datetime) -> bool:
    """Bring the row in line with what is listed; False where it is so already."""
    before = (row.uid, row.mimetype, row.state, row.gone_at)
    if one is None or one.is_deleted:
        row.gone_at = row.gone_at or now
        return before[3] is None
    uid, mimetype = one.uid[:64], one.mimetype[:100]
    is_another = bool(row.uid and uid and row.uid != uid)
    came_back = row.state == AttachmentState.MISSING and (row.gone_at is not None or (uid and not row.uid))
    if is_another or came_back:
        row.state, row.error_code = AttachmentState.LISTED, ""
    row.uid, row.mimetype, row.gone_at = uid or row.uid, mimetype, None
    return before != (row.uid, row.mimetype, row.state, row.gone_at)


# --- fetching


@dataclass(frozen=True, slots=True)
class _Whole:
    """A file that came in whole."""

    content: IO[bytes]
    ending: str
    size: int
    digest: str


class _NotTaken(Exception):
    """The file itself is refused: it would be so again. The only argument is the code."""


class _NotThere(Exception):
    """Kobo has no such file."""


def open_reader_client(server: KoboServer) -> KoboClient:
    """For a file that somebody waits for: short time-outs, no second try."""
    return KoboClient(
        server.base_url, server.token, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=0
    )


def fetch_attachment(
    attachment: SubmissionAttachment,
    *,
    client: KoboClient,
    most_bytes: int = MOST_BYTES,
    seconds: float = MOST_SECONDS,
) -> str:
    """Bring the file here and return the state in which it is then; one that is here already is left alone.

    ``refused``: too large, or of a type that we do not take. ``missing``: Kobo does not have it. A ``KoboError`` says
    why Kobo did not give it, a ``Refused`` (``no_room``, ``not_stored``) why it could not be kept: the file may be
    asked for again, and the row says what happened. Two at once end with one file.
    """
    if attachment.state == AttachmentState.FETCHED:
        return attachment.state
    try:
        if not may_be_taken(attachment.mimetype):
            raise _NotTaken("wrong_type")
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as aside:
            whole = _ask(attachment, client, aside, most_bytes=most_bytes, seconds=seconds)
            _keep(attachment, whole)
    except _NotTaken as refusal:
        _note_failure(attachment, AttachmentState.REFUSED, str(refusal))
    except _NotThere:
        _note_failure(attachment, AttachmentState.MISSING, "no_file")
    except KoboError as error:
        _note_failure(attachment, AttachmentState.LISTED, error.code)
        raise
    except OSError as error:
        code = "no_room" if error.errno in _NO_ROOM else "not_stored"
        logger.exception("Attachment %s could not be written", attachment.pk)
        _note_failure(attachment, AttachmentState.LISTED, code)
        raise Refused(_room_words(code), code=code) from None
    attachment.refresh_from_db()
    return attachment.state


def forget_file(attachment: SubmissionAttachment) -> None:
    """The storage has lost it: the row says again that it is at Kobo. Not for one that is gone there: its row is what
    a backup is searched by.
    """
    SubmissionAttachment.objects.filter(pk=attachment.pk, file=attachment.file.name, gone_at=None).update(
        state=AttachmentState.LISTED, file="", sha256="", size=None, fetched_at=None
    )
    attachment.refresh_from_db()


def _ask(
    attachment: SubmissionAttachment, client: KoboClient, aside: IO[bytes], *, most_bytes: int, seconds: float
) -> _Whole:
    try:
        return _download(attachment, client, aside, most_bytes=most_bytes, seconds=seconds)
    except KoboRejected as error:
        if not _is_without(attachment, client, error):
            raise
        raise _NotThere from None


def _download(
    attachment: SubmissionAttachment, client: KoboClient, aside: IO[bytes], *, most_bytes: int, seconds: float
) -> _Whole:
    submission = attachment.submission
    place = attachment.xpath if attachment.uid or attachment.xpath else _place_of(attachment)
    path = attachment_path(submission.form.asset_uid, submission.kobo_id, uid=attachment.uid, xpath=place)
    digest, size, start = sha256(), 0, b""
    with client.connection.open_file(path, asset_uid=submission.form.asset_uid) as response:
        told = response.headers.get("Content-Length", "")
        if told.isdecimal() and int(told) > most_bytes:
            raise _NotTaken("too_large")
        try:
            for piece in iter_pieces(response, seconds=seconds):
                size += len(piece)
                if size > most_bytes:
                    raise _NotTaken("too_large")
                start += piece[: HEAD - len(start)] if len(start) < HEAD else b""
                digest.update(piece)
                aside.write(piece)
        except requests.RequestException as error:
            raise client.connection.explain(error) from None
        if is_page(response.headers.get("Content-Type", ""), start):
            raise KoboUnavailable("not_json", host=client.host, status=response.status_code, excerpt="HTML")
    ending = ending_of(start, mimetype=attachment.mimetype)
    if not ending:
        raise _NotTaken("wrong_type" if size else "empty")
    aside.seek(0)
    return _Whole(aside, ending, size, digest.hexdigest())


def _keep(attachment: SubmissionAttachment, whole: _Whole) -> None:
    """Into the storage and the row, one writer at a time. A file that a killed worker left half written is replaced."""
    name = f"submissions/{attachment.pk // 1000}/{attachment.pk}-{whole.digest[:16]}.{whole.ending}"
    with transaction.atomic():
        _wait_for_turn(attachment)
        row = SubmissionAttachment.objects.get(pk=attachment.pk)
        if row.state == AttachmentState.FETCHED or row.uid != attachment.uid:
            return
        _store(name, whole.content)
        row = SubmissionAttachment.objects.select_for_update().get(pk=attachment.pk)
        if row.uid != attachment.uid:  # a sync has learned meanwhile of another file in its place
            transaction.on_commit(partial(_drop, name))
            return
        if row.file.name and row.file.name != name:
            transaction.on_commit(partial(_drop, row.file.name))
        row.file.name, row.size, row.sha256 = name, whole.size, whole.digest
        row.state, row.error_code, row.fetched_at = AttachmentState.FETCHED, "", timezone.now()
        row.save(update_fields=["file", "size", "sha256", "state", "error_code", "fetched_at"])


def _wait_for_turn(attachment: SubmissionAttachment) -> None:
    """Until the transaction ends. Not the row itself: an object store may take minutes, and the sync needs the row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [WRITE_LOCK_SPACE, attachment.pk % 2**31])


def _store(name: str, content: IO[bytes]) -> None:
    """Whole or not at all: Django's file storage leaves what it has written when the disk is full."""
    default_storage.delete(name)
    try:
        kept = default_storage.save(name, File(content))
        if kept != name:
            default_storage.delete(kept)
            raise OSError(f"the storage keeps {name} under another name")
    except OSError:
        _drop(name)
        raise
    except Exception as error:
        # What an object store objects to is known to its own library alone.
        _drop(name)
        raise OSError("the storage does not take the file") from error


def _drop(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError:
        logger.exception("The half-written file %s could not be removed; the next try replaces it", name)


def _note_failure(attachment: SubmissionAttachment, state: str, code: str) -> None:
    """Unless somebody else has fetched it meanwhile."""
    row = SubmissionAttachment.objects.filter(pk=attachment.pk, uid=attachment.uid)
    row.exclude(state=AttachmentState.FETCHED).update(state=state, error_code=code[:40])
    attachment.refresh_from_db()


def _is_without(attachment: SubmissionAttachment, client: KoboClient, error: KoboRejected) -> bool:
    """Whether Kobo has no such file. A 404 may also be a right that was taken away: then asking for the form says so.

    What its row lists now is noted on the way.
    """
    by_question = not attachment.uid and error.code == "bad_request"
    if error.code not in ("no_file", "no_project") and not by_question:
        return False
    submission = attachment.submission
    row = client.submission(submission.form.asset_uid, submission.kobo_id)
    if row is not None:
        try:
            files = parse_submission(row).attachments
            with transaction.atomic():
                # The submission before its files, as a sync locks them.
                KoboSubmission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
                note_attachments([(submission.pk, files)], now=timezone.now())
        except KoboPayloadError:
            logger.info("Submission %s cannot be read: its files stay as they are", submission.kobo_id)
    return True


def _place_of(attachment: SubmissionAttachment) -> str:
    """Old servers do not say which question a file answers; the answer that names it does."""
    revision = attachment.submission.current_revision
    named = named_files(revision.answers, None) if revision else []
    return next((place for place, name in named if name == attachment.name), "")


def _room_words(code: str) -> str:
    if code == "no_room":
        return _("The file could not be kept: there is no room left where files are kept. Tell your administrator.")
    return _("The file could not be kept: the place where files are kept does not take it. Tell your administrator.")


# --- by rule


def forms_with_due_attachments() -> list[int]:
    """Keys of the forms whose files are fetched with each sync, and that have some to fetch."""
    due = _due().filter(submission__form__is_active=True, submission__form__fetch_media=FetchMedia.ALWAYS)
    return sorted(due.order_by().values_list("submission__form", flat=True).distinct())


def fetch_due_attachments(
    form: KoboForm, *, client: KoboClient, limit: int = AT_ONCE, pause: float = PAUSE
) -> dict[str, int]:
    """Fetch files of a form that are not here yet; what failed before comes last. Returns how many ended in which
    state.

    Nothing unless the form's rule says so, nor while another worker is at it. Ends early when Kobo or the storage keeps
    refusing; a ``KoboRejected`` that a person has to act on is raised.
    """
    ended: dict[str, int] = {}
    with _one_at_a_time(form) as is_first:
        if not is_first or form.fetch_media != FetchMedia.ALWAYS:
            return ended
        due = _due().filter(submission__form=form).order_by("error_code", "pk")
        troubles = 0
        for attachment in due.select_related("submission__form", "submission__current_revision")[:limit]:
            try:
                state = fetch_attachment(attachment, client=client)
            except KoboUnavailable:
                state, troubles = "failed", troubles + 1
            except Refused:
                state, troubles = "failed", MOST_TROUBLES
            ended[state] = ended.get(state, 0) + 1
            if troubles >= MOST_TROUBLES:
                break
            time.sleep(pause)
    return ended


def _due() -> QuerySet[SubmissionAttachment]:
    return SubmissionAttachment.objects.there().filter(submission__deleted_at=None, state=AttachmentState.LISTED)


@contextmanager
def _one_at_a_time(form: KoboForm) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, form.pk])
        is_first = bool(cursor.fetchone()[0])
    try:
        yield is_first
    finally:
        if is_first:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, form.pk])


# --- what never came


def files_to_come(submission: KoboSubmission, *, content: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """(place, name) of the answers that name a file which Kobo does not list. ``content``: the form's, if known."""
    revision = submission.current_revision
    if revision is None:
        return []
    listed = set(submission.attachments.order_by().values_list("name", flat=True))
    return [one for one in named_files(revision.answers, media_questions(content)) if one[1] not in listed]
