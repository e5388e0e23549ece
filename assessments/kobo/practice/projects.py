"""Projects (Kobo's assets), their versions and media files."""

import json
import sqlite3
from datetime import datetime
from typing import Any

from assessments.kobo.practice import accounts, forms
from assessments.kobo.practice.exchange import dumps
from assessments.kobo.practice.identifiers import make_uid, make_uuid

Content = dict[str, Any]


def stamp(moment: datetime) -> str:
    """Write a time as Kobo's assets do: UTC, microseconds, ``Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def find(db: sqlite3.Connection, uid: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute("SELECT * FROM project WHERE uid = ?", (uid,)).fetchone()
    return found


def find_version(db: sqlite3.Connection, uid: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute("SELECT * FROM version WHERE uid = ?", (uid,)).fetchone()
    return found


def create(
    db: sqlite3.Connection,
    uid: str,
    name: str,
    owner: str,
    content: Content,
    *,
    now: datetime,
    version_uid: str | None = None,
) -> str:
    """Add a draft and return its version uid."""
    version = version_uid or make_uid("v")
    at = stamp(now)
    db.execute(
        "INSERT INTO project (uid, name, owner, asset_type, content, version_uid, created_at, modified_at) "
        "VALUES (?, ?, ?, 'survey', ?, ?, ?, ?)",
        (uid, name, owner, dumps(content), version, at, at),
    )
    for codename in accounts.OWNED:
        accounts.grant(db, uid, owner, codename)
    return version


def change_content(
    db: sqlite3.Connection,
    uid: str,
    content: Content,
    *,
    now: datetime,
    name: str | None = None,
    version_uid: str | None = None,
) -> str:
    """Save new content as a draft; the deployed version stays what phones get. Same content makes no new version."""
    project = db.execute("SELECT content, version_uid, name FROM project WHERE uid = ?", (uid,)).fetchone()
    same = forms.content_hash(json.loads(project["content"])) == forms.content_hash(content)
    version = str(project["version_uid"]) if same else (version_uid or make_uid("v"))
    db.execute(
        "UPDATE project SET content = ?, version_uid = ?, name = ?, modified_at = ? WHERE uid = ?",
        (dumps(content), version, name or project["name"], stamp(now), uid),
    )
    return version


def deploy(
    db: sqlite3.Connection, uid: str, *, now: datetime, active: bool = True, deployment_uuid: str | None = None
) -> str:
    """Deploy the current content; media reach phones only now. The same content again makes no new version."""
    project = db.execute("SELECT * FROM project WHERE uid = ?", (uid,)).fetchone()
    version, at = str(project["version_uid"]), stamp(now)
    if find_version(db, version) is None:
        number = db.execute("SELECT COUNT(*) FROM version WHERE project_uid = ?", (uid,)).fetchone()[0] + 1
        row = (version, uid, number, project["content"], forms.content_hash(json.loads(project["content"])), at, at)
        db.execute("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    db.execute(
        "UPDATE project SET deployed_version_uid = ?, deployment_uuid = COALESCE(deployment_uuid, ?), active = ?, "
        "deployed_at = ?, modified_at = ? WHERE uid = ?",
        (version, deployment_uuid or make_uuid().replace("-", ""), int(active), at, at, uid),
    )
    _publish_media(db, uid)
    return version


def _publish_media(db: sqlite3.Connection, uid: str) -> None:
    """Give each new file the number under which phones fetch it."""
    number = int(db.execute("SELECT COALESCE(MAX(deployed), 0) FROM media").fetchone()[0])
    new = db.execute("SELECT pk FROM media WHERE project_uid = ? AND deployed = 0 ORDER BY pk", (uid,)).fetchall()
    for place, row in enumerate(new, start=number + 1):
        db.execute("UPDATE media SET deployed = ? WHERE pk = ?", (place, row["pk"]))


def delete(db: sqlite3.Connection, uid: str) -> None:
    db.execute("DELETE FROM attachment WHERE kobo_id IN (SELECT kobo_id FROM submission WHERE project_uid = ?)", (uid,))
    db.execute("DELETE FROM hook_log WHERE hook_uid IN (SELECT uid FROM hook WHERE project_uid = ?)", (uid,))
    for table in ("submission", "version", "permission", "media", "old_instance", "hook"):
        db.execute(f"DELETE FROM {table} WHERE project_uid = ?", (uid,))  # noqa: S608 - names from the line above
    db.execute("DELETE FROM project WHERE uid = ?", (uid,))


def deployed_content(db: sqlite3.Connection, project: sqlite3.Row) -> Content:
    """Return what phones have; the draft where nothing is deployed."""
    version = find_version(db, project["deployed_version_uid"]) if project["deployed_version_uid"] else None
    content: Content = json.loads(version["content"] if version else project["content"])
    return content


def all_repeat_paths(db: sqlite3.Connection, project_uid: str) -> set[str]:
    """Return repeats of every version: a phone with an old form is accepted too."""
    rows = db.execute("SELECT content FROM version WHERE project_uid = ?", (project_uid,)).fetchall()
    return {path for row in rows for path in forms.repeat_paths(json.loads(row["content"]))}


def add_media(
    db: sqlite3.Connection,
    project_uid: str,
    username: str,
    *,
    filename: str,
    mimetype: str,
    content: bytes,
    now: datetime,
    description: str = "default",
    file_type: str = "form_media",
) -> str:
    uid = make_uid("af")
    db.execute(
        "INSERT INTO media "
        "(uid, project_uid, username, file_type, description, filename, mimetype, content, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (uid, project_uid, username, file_type, description, filename, mimetype, content, stamp(now)),
    )
    return uid
