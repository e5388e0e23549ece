"""One submission of Kobo's data listing, read once: the only place that knows the names of Kobo's keys.

Kobo stores every answer as text, leaves blank answers out, keeps `_id` and `meta/rootUuid` through edits and changes
`_uuid` at each of them. The head of a submission is read leniently (an unreadable time, a missing key or an odd type
gives None or ""), because the row as received is kept beside it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from assessments.kobo.errors import KoboPayloadError, Problem

MAX_KOBO_ID = 2**63 - 1
MAX_UUID_LENGTH = 249  # kpi's own limit for root_uuid; instance ids may be any text, not only uuids
MAX_STATUS_LENGTH, MAX_NAME_LENGTH = 64, 150
MAX_HEAD_LENGTH = 255  # longer user names, device ids, instance names are cut; the row keeps them whole

_IDENTITY_KEYS = frozenset({"meta/instanceID", "meta/deprecatedID", "meta/rootUuid", "formhub/uuid"})
# old forms carry the version under other names: kpi kobo/apps/reports/constants.py
_VERSION_KEY = re.compile(r"__?version__?(\d{3})?", re.ASCII)

# orjson refuses what is no Unicode (lone surrogates), what is nested deeply and numbers beyond 64 bits: those few rows
# are written by the slow way. What came out of JSON has no circles.
_encode_ascii = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_encode_unicode = json.JSONEncoder(check_circular=False, ensure_ascii=False, separators=(",", ":")).encode
_encode_canonical = json.JSONEncoder(check_circular=False, sort_keys=True, separators=(",", ":")).encode


class Validation(NamedTuple):
    """Kobo's validation status. ``uid`` "": none; then the rest is blank. ``at`` is UTC."""

    uid: str
    by: str
    at: datetime | None


_NONE = Validation("", "", None)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A media file of a submission. `xpath` counts repeats from 1 (`rep[2]/photo`) and may be "".

    `uid` is "" on servers before 2025-04. `url` needs the token and is not checked to be on the same host.
    """

    uid: str
    name: str
    mimetype: str
    xpath: str
    url: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class SubmissionPayload:
    """The head and the answers of a row.

    Times are UTC; None where absent, unreadable or (start, end) without an offset. `day` is the device's date.
    `validation_uid`: "" = no status; None = the row does not say (a partial row must not clear a stored status).
    `answers`: question path -> value as received, nested lists for repeats; without Kobo's own keys (those that start
    with "_", so also without root questions that somebody named that way) and without the ids of the instance.
    `fingerprint` is equal for two rows exactly if their answers are equal: files come late and go without an edit.
    `validation_by` and `validation_at` (UTC) tell who set the status, where the row says it.
    """

    kobo_id: int
    uuid: str
    root_uuid: str
    deprecated_uuid: str
    submitted_at: datetime | None
    submitted_by: str | None
    version_uid: str
    instance_name: str
    started_at: datetime | None
    ended_at: datetime | None
    day: date | None
    username: str
    device_id: str
    validation_uid: str | None
    validation_by: str
    validation_at: datetime | None
    attachments: tuple[Attachment, ...]
    answers: dict[str, Any]
    fingerprint: str


def parse_submission(raw: object) -> SubmissionPayload:
    """Read one row; raises KoboPayloadError with all its problems if the row cannot be stored under an identity."""
    if not isinstance(raw, dict):
        raise KoboPayloadError(Problem("not_an_object", "", _show(raw)))
    kobo_id, uuid, root_uuid = _read_identity(raw)
    attachments = read_attachments(raw.get("_attachments"))
    validation = read_validation(raw)
    answers = {key: value for key, value in raw.items() if key[:1] != "_" and key not in _IDENTITY_KEYS}
    return SubmissionPayload(
        kobo_id=kobo_id,
        uuid=uuid,
        root_uuid=root_uuid,
        deprecated_uuid=_read_uuid(raw.get("meta/deprecatedID"))[:MAX_UUID_LENGTH],
        submitted_at=_read_time(raw.get("_submission_time"), naive_is_utc=True),
        submitted_by=_read_head(raw.get("_submitted_by")) or None,
        version_uid=_read_version(raw),
        instance_name=_read_head(raw.get("meta/instanceName")),
        started_at=_read_time(raw.get("start")),
        ended_at=_read_time(raw.get("end")),
        day=_read_day(raw.get("today")),
        username=_read_head(raw.get("username")),
        device_id=_read_head(raw.get("deviceid")),
        validation_uid=validation.uid if validation else None,
        validation_by=validation.by if validation else "",
        validation_at=validation.at if validation else None,
        attachments=attachments,
        answers=answers,
        fingerprint=_compute_fingerprint(answers),
    )


def raw_text(row: object) -> str:
    """The row as JSON text that a PostgreSQL `text` column holds without loss.

    NUL stays the escape \\u0000 (so a cast to jsonb fails for such a row); lone surrogates make the whole text ASCII.
    """
    try:
        return orjson.dumps(row).decode()
    except orjson.JSONEncodeError:
        text = _encode_unicode(row)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _encode_ascii(row)
    return text


def clean_text(text: str) -> str:
    """The text without what PostgreSQL refuses: NUL is removed, each lone surrogate becomes U+FFFD."""
    text = text.replace("\x00", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _read_identity(raw: Mapping[str, Any]) -> tuple[int, str, str]:
    kobo_id = raw.get("_id")
    uuid = _read_uuid(raw.get("_uuid")) or _read_uuid(raw.get("meta/instanceID"))
    root_uuid = _read_uuid(raw.get("meta/rootUuid")) or uuid
    problems = []
    if "_id" not in raw:
        problems.append(Problem("missing", "_id", ""))
    elif type(kobo_id) is not int:
        problems.append(Problem("wrong_type", "_id", _show(kobo_id)))
    elif not 0 < kobo_id <= MAX_KOBO_ID:
        problems.append(Problem("out_of_range", "_id", _show(kobo_id)))
    if not uuid:
        problems.append(Problem("missing", "_uuid", _show(raw.get("_uuid"))))
    if len(uuid) > MAX_UUID_LENGTH:
        problems.append(Problem("too_long", "_uuid", _show(uuid)))
    elif len(root_uuid) > MAX_UUID_LENGTH:
        problems.append(Problem("too_long", "meta/rootUuid", _show(root_uuid)))
    if problems or type(kobo_id) is not int:
        raise KoboPayloadError(*problems)
    return kobo_id, uuid, root_uuid


def _show(value: object) -> str:
    try:
        return clean_text(repr(value)[:200])
    except (ValueError, RecursionError):  # an integer of over 4,300 digits, or lists in lists without end
        return type(value).__name__


def _read_uuid(value: object) -> str:
    return clean_text(value).strip().removeprefix("uuid:") if isinstance(value, str) else ""


def _read_head(value: object) -> str:
    return clean_text(value)[:MAX_HEAD_LENGTH] if isinstance(value, str) else ""


def _read_time(value: object, *, naive_is_utc: bool = False) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC) if naive_is_utc else None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_moment(value: object) -> datetime | None:
    """A time of Kobo's own, UTC where it names no zone."""
    return _read_time(value, naive_is_utc=True)


def _read_day(value: object) -> date | None:
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def _read_version(raw: Mapping[str, Any]) -> str:
    value = raw.get("__version__")
    if value is None:
        keys = [key for key in raw if key[:1] == "_" and _VERSION_KEY.fullmatch(key)]
        value = raw[max(keys)] if keys else ""
    return _read_head(value)


def read_validation(raw: Mapping[str, Any]) -> Validation | None:
    """The status of a row, also of a partial one; None where the row does not say."""
    if "_validation_status" not in raw:
        return None
    status = raw["_validation_status"]
    if isinstance(status, dict):
        uid, by = _read_head(status.get("uid"))[:MAX_STATUS_LENGTH], _read_head(status.get("by_whom"))[:MAX_NAME_LENGTH]
        return Validation(uid, by, _read_epoch(status)) if uid else _NONE
    return _NONE if status is None else None


def _read_epoch(status: Mapping[str, Any]) -> datetime | None:
    seconds = status.get("timestamp")
    if type(seconds) is not int:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_attachments(value: object) -> tuple[Attachment, ...]:
    """Of the value of ``_attachments``; what is no file is left out."""
    if not value or not isinstance(value, list):
        return ()
    return tuple(_read_attachment(item) for item in value if isinstance(item, dict))


def _read_attachment(item: Mapping[str, Any]) -> Attachment:
    name = item.get("media_file_basename")
    if not isinstance(name, str) or not name:
        name = item.get("filename")  # servers before 2025-05 name only the stored path
    name = name.rpartition("/")[2] if isinstance(name, str) else ""
    url = item.get("download_url")
    return Attachment(
        uid=_read_head(item.get("uid")),
        name=_read_head(name),
        mimetype=_read_head(item.get("mimetype")),
        xpath=_read_head(item.get("question_xpath")),
        url=clean_text(url) if isinstance(url, str) else "",
        is_deleted=item.get("is_deleted") is True,
    )


def _compute_fingerprint(answers: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(answers, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        try:
            text = _encode_canonical(answers).encode("ascii")
        except RecursionError:
            raise KoboPayloadError(Problem("too_deep", "", "")) from None
    return sha256(text).hexdigest()
