"""Submissions as they are stored: one row each, with the text that ``/data/`` answers ready made.

A full page of 1,000 rows is then a join of texts. Two things of that text change outside edits: the validation status,
replaced in place, and the host in attachment addresses, which stands as ``HOST_MARK`` until it is answered. JSON never
holds that character unescaped, so no answer can be taken for it.
"""

import hashlib
import json
import mimetypes
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assessments.kobo.practice import hooks
from assessments.kobo.practice.answers import RESERVED, Answers, file_paths, geolocation
from assessments.kobo.practice.exchange import dumps
from assessments.kobo.practice.identifiers import make_uid, with_prefix, without_prefix

HOST_MARK = "\x01"
VALIDATION_LABELS = {
    "validation_status_approved": "Approved",
    "validation_status_not_approved": "Not Approved",
    "validation_status_on_hold": "On Hold",
}
_VALIDATION_KEY = '"_validation_status":'
_COLUMNS = (
    "kobo_id, project_uid, uuid, root_uuid, instance_id, deprecated_id, submission_time, submitted_by, version_uid, "
    "validation_uid, validation_timestamp, validation, hidden, ghost, received_at, content_hash, xml, body"
)
_INSERT = f"INSERT INTO submission ({_COLUMNS}) VALUES ({', '.join('?' * 18)})"  # noqa: S608 - constant names


@dataclass
class NewSubmission:
    """What arrives: flat answers with ``meta/instanceID`` inside, and who sent it when."""

    answers: Answers
    submitted_by: str | None
    received_at: datetime
    root_uuid: str = ""
    kobo_id: int | None = None
    hidden: bool = False
    ghost: bool = False
    content_hash: str | None = None
    xml: str | None = None


@dataclass(frozen=True)
class FormFacts:
    """What a row needs to know of its project; read once for many rows."""

    project_uid: str
    owner: str
    deployment_uuid: str
    geopoints: Collection[str] = field(default_factory=tuple)


def next_id(db: sqlite3.Connection) -> int:
    """Return and use up the next ``_id``: one series for the whole server, gaps are normal."""
    db.execute("INSERT INTO setting VALUES ('last_id', '0') ON CONFLICT (name) DO NOTHING")
    db.execute("UPDATE setting SET value = CAST(value AS INTEGER) + 1 WHERE name = 'last_id'")
    return int(db.execute("SELECT value FROM setting WHERE name = 'last_id'").fetchone()[0])


def raise_last_id(db: sqlite3.Connection, kobo_id: int) -> None:
    db.execute("INSERT INTO setting VALUES ('last_id', '0') ON CONFLICT (name) DO NOTHING")
    db.execute(
        "UPDATE setting SET value = ? WHERE name = 'last_id' AND CAST(value AS INTEGER) < ?", (str(kobo_id), kobo_id)
    )


def insert(db: sqlite3.Connection, form: FormFacts, rows: Collection[NewSubmission]) -> list[int]:
    """Store submissions with their own or the next ids; returns the ids in order."""
    ids: list[int] = []
    values: list[tuple[Any, ...]] = []
    last = int((db.execute("SELECT value FROM setting WHERE name = 'last_id'").fetchone() or ["0"])[0])
    for row in rows:
        kobo_id = last + 1 if row.kobo_id is None else row.kobo_id
        last = max(last, kobo_id)
        ids.append(kobo_id)
        values.append(_as_columns(form, row, kobo_id))
    db.executemany(_INSERT, values)
    raise_last_id(db, last)
    arrived = [kobo_id for kobo_id, row in zip(ids, rows, strict=True) if not row.ghost]
    hooks.note_arrivals(db, form.project_uid, arrived)
    return ids


def _as_columns(form: FormFacts, row: NewSubmission, kobo_id: int) -> tuple[Any, ...]:
    instance_id = str(row.answers.get("meta/instanceID", ""))
    root = row.root_uuid or with_prefix(instance_id)
    seconds = row.received_at.strftime("%Y-%m-%dT%H:%M:%S")
    fixed = {"root_uuid": root, "submission_time": seconds, "submitted_by": row.submitted_by, "validation": "{}"}
    body = render_body(form, kobo_id, row.answers, fixed, attachments=[])
    uuid = without_prefix(instance_id)
    return (
        kobo_id,
        form.project_uid,
        uuid,
        root,
        instance_id,
        row.answers.get("meta/deprecatedID"),
        seconds,
        row.submitted_by,
        row.answers.get("__version__"),
        None,
        None,
        "{}",
        int(row.hidden),
        int(row.ghost),
        row.received_at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
        row.content_hash,
        row.xml,
        body,
    )


def render_body(
    form: FormFacts, kobo_id: int, answers: Answers, fixed: Any, *, attachments: list[dict[str, Any]]
) -> str:
    """Write the row as ``/data/`` lists it; ``fixed`` holds root_uuid, submission_time, submitted_by, validation."""
    row = {
        "_id": kobo_id,
        **{key: value for key, value in answers.items() if key not in RESERVED},
        "_xform_id_string": form.project_uid,
        "_uuid": without_prefix(str(answers.get("meta/instanceID", ""))),
        "meta/rootUuid": fixed["root_uuid"],
        "_attachments": [],
        "_status": "submitted_via_web",
        "_geolocation": geolocation(answers, form.geopoints),
        "_submission_time": fixed["submission_time"],
    }
    head = dumps(row)[:-1]
    if attachments:
        # Inside a JSON text quotes are escaped, so this pair can only be the key above.
        written = dumps(attachments).replace("\\u0001", HOST_MARK)
        head = head.replace('"_attachments":[]', f'"_attachments":{written}', 1)
    return f'{head},{_VALIDATION_KEY}{fixed["validation"]},"_submitted_by":{dumps(fixed["submitted_by"])}}}'


def parse_body(body: str, *, base_url: str = "") -> dict[str, Any]:
    row: dict[str, Any] = json.loads(body.replace(HOST_MARK, base_url))
    return row


def answers_of(row: sqlite3.Row) -> Answers:
    """Return the answers of a stored row, Kobo's own keys left out."""
    return {key: value for key, value in parse_body(row["body"]).items() if key not in RESERVED}


def attach(
    db: sqlite3.Connection, form: FormFacts, row: sqlite3.Row, files: Collection[tuple[str, str, bytes]]
) -> None:
    """Store files (name, type, content) and write the row's body anew with every attachment that an answer names."""
    for name, mimetype, content in files:
        kind = mimetype if "/" in mimetype else mimetypes.guess_type(name)[0] or "application/octet-stream"
        db.execute(
            "INSERT INTO attachment (uid, kobo_id, name, mimetype, content) VALUES (?, ?, ?, ?, ?)",
            (make_uid("att"), row["kobo_id"], name, kind, content),
        )
    rewrite(db, form, row, answers_of(row))


def rewrite(db: sqlite3.Connection, form: FormFacts, row: sqlite3.Row, answers: Answers) -> None:
    """Write the body of a row for these answers. A file that no answer names any more leaves the row, as in Kobo."""
    kobo_id = row["kobo_id"]
    paths = dict(reversed(list(file_paths(answers))))
    stored = db.execute(
        "SELECT uid, name, mimetype, deleted FROM attachment WHERE kobo_id = ? ORDER BY rowid", (kobo_id,)
    )
    listed = []
    for entry in stored.fetchall():
        if entry["name"] in paths:
            listed.append(_describe_attachment(form, row, entry, paths[entry["name"]]))
        else:
            db.execute("DELETE FROM attachment WHERE uid = ?", (entry["uid"],))
    body = render_body(form, kobo_id, answers, row, attachments=listed)
    db.execute("UPDATE submission SET body = ? WHERE kobo_id = ?", (body, kobo_id))


def _describe_attachment(form: FormFacts, row: sqlite3.Row, entry: sqlite3.Row, path: str) -> dict[str, Any]:
    url = f"{HOST_MARK}/api/v2/assets/{form.project_uid}/data/{row['kobo_id']}/attachments/{entry['uid']}/"
    folder = f"{form.owner}/attachments/{form.deployment_uuid}/{without_prefix(row['root_uuid'])}"
    described = {
        "download_url": url,
        "mimetype": entry["mimetype"],
        "filename": f"{folder}/{entry['name']}",
        "media_file_basename": entry["name"],
        "uid": entry["uid"],
        "is_deleted": bool(entry["deleted"]),
    }
    if entry["mimetype"].startswith("image/"):
        described |= {f"download_{size}_url": f"{url}{size}/" for size in ("large", "medium", "small")}
    return described | {"question_xpath": path}


def edit(
    db: sqlite3.Connection,
    form: FormFacts,
    row: sqlite3.Row,
    answers: Answers,
    *,
    by: str,
    now: datetime,
    xml: str | None = None,
    content_hash: str | None = None,
) -> None:
    """Replace the answers: ``_id``, root, time, sender and validation status stay, the instance id moves on."""
    instance_id = str(answers["meta/instanceID"])
    answers = {**answers, "meta/deprecatedID": row["instance_id"]}
    db.execute("INSERT OR IGNORE INTO old_instance VALUES (?, ?, ?)", (row["project_uid"], row["uuid"], row["kobo_id"]))
    db.execute(
        "UPDATE submission SET uuid = ?, instance_id = ?, deprecated_id = ?, version_uid = ?, xml = ?, "
        "content_hash = ? WHERE kobo_id = ?",
        (
            without_prefix(instance_id),
            instance_id,
            row["instance_id"],
            answers.get("__version__"),
            xml,
            content_hash,
            row["kobo_id"],
        ),
    )
    rewrite(db, form, row, answers)
    note_change(db, [row], by=by, now=now)


def note_change(
    db: sqlite3.Connection, rows: Collection[sqlite3.Row], *, by: str, now: datetime, status: str | None = None
) -> None:
    """An entry of the project's history for each row: an edit, or with ``status`` (a label) a validation."""
    db.executemany(
        "INSERT INTO history (project_uid, username, root_uuid, submitted_by, status, at) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (row["project_uid"], by, without_prefix(row["root_uuid"]), row["submitted_by"], status,
             now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            for row in rows
        ],
    )  # fmt: skip


def set_validation(
    db: sqlite3.Connection, rows: Collection[sqlite3.Row], uid: str | None, *, by: str, now: datetime
) -> str:
    """Set or clear the status; an unknown uid clears, as Kobo's bulk call does. Returns the status as JSON text."""
    known = uid if uid in VALIDATION_LABELS else None
    timestamp = int(now.timestamp()) if known else None
    status: dict[str, Any] = {}
    if known:
        status = {"timestamp": timestamp, "uid": known, "by_whom": by, "label": VALIDATION_LABELS[known]}
    written = dumps(status)
    changes = []
    for row in rows:
        head, _, tail = row["body"].rpartition(_VALIDATION_KEY)
        body = head + _VALIDATION_KEY + written + tail.removeprefix(row["validation"])
        changes.append((known, timestamp, written, body, row["kobo_id"]))
    db.executemany(
        "UPDATE submission SET validation_uid = ?, validation_timestamp = ?, validation = ?, body = ? "
        "WHERE kobo_id = ?",
        changes,
    )
    note_change(db, rows, by=by, now=now, status=VALIDATION_LABELS[known] if known else "None")
    return written


def delete(db: sqlite3.Connection, kobo_ids: Collection[int]) -> None:
    """Remove rows without a trace; a phone may post them again."""
    for table in ("submission", "attachment", "old_instance"):
        db.executemany(f"DELETE FROM {table} WHERE kobo_id = ?", [(kobo_id,) for kobo_id in kobo_ids])  # noqa: S608


def hash_content(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
