"""Media files of a form (lists that phones look things up in): what is at Kobo, and replacing one.

A file cannot be replaced at Kobo: it is deleted, then sent again under the same name, and phones get it with the next
deployment only. In between the form has no such file; whoever replaces it looks again until Kobo has what was sent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from assessments.kobo.connection import KoboConnection
from assessments.kobo.deployment import asset_path, read_moment
from assessments.kobo.errors import KoboRejected, KoboUnavailable

# Somebody who replaces the same file at the same time is met so often, then it is left to the next run.
ATTEMPTS = 4
_MOST_FILES = "1000"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """``md5`` is Kobo's, "" where it tells none (a file that lies on another server)."""

    uid: str
    name: str
    md5: str
    created_at: datetime | None


def md5_of(content: bytes) -> str:
    """As Kobo names a file's content; no secret hangs on it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def list_media(connection: KoboConnection, asset_uid: str) -> list[MediaFile]:
    params = {"file_type": "form_media", "limit": _MOST_FILES}
    answer = connection.get_object(f"{asset_path(asset_uid)}files/", params, asset_uid=asset_uid)
    rows = answer.get("results")
    if not isinstance(rows, list):
        raise KoboUnavailable("bad_answer", host=connection.host, what="list of files")
    return [_read_file(row) for row in rows if isinstance(row, dict)]


def find_media(connection: KoboConnection, asset_uid: str, name: str) -> list[MediaFile]:
    return [file for file in list_media(connection, asset_uid) if file.name == name]


def put_media(connection: KoboConnection, asset_uid: str, name: str, content: bytes) -> tuple[MediaFile, bool]:
    """Make the file at Kobo have this content. Return it as read back, and whether anything was sent.

    A file that has it already is left alone. Does not deploy. Whatever a run that was cut off left (deleted and not
    sent) or somebody else puts in its place meanwhile is made good here, or raises ``media_contended``.
    """
    wanted, sent = md5_of(content), False
    for _ in range(ATTEMPTS):
        present = find_media(connection, asset_uid, name)
        if len(present) == 1 and present[0].md5 == wanted:
            return present[0], sent
        for file in present:
            _delete(connection, asset_uid, file)
        sent = _upload(connection, asset_uid, name, content) or sent
    raise KoboUnavailable("media_contended", host=connection.host, asset_uid=asset_uid, file=name)


def _delete(connection: KoboConnection, asset_uid: str, file: MediaFile) -> None:
    path = f"{asset_path(asset_uid)}files/{quote(file.uid, safe='')}/"
    try:
        connection.send_object("DELETE", path, expected=(200, 204), missing="no_file", asset_uid=asset_uid)
    except KoboRejected as error:
        # Somebody else's deletion came first, or our own whose answer was lost. Were it the right that is gone, the
        # next listing says so.
        if error.code not in ("no_file", "no_project") or error.params.get("status") != 404:
            raise


def _upload(connection: KoboConnection, asset_uid: str, name: str, content: bytes) -> bool:
    """Send the file. False: the name was taken meanwhile."""
    # `description` is demanded, `metadata` too (without it Kobo fails), though the stored name is that of the upload.
    form = {"description": "default", "file_type": "form_media", "metadata": json.dumps({"filename": name})}
    try:
        connection.send_object(
            "POST", f"{asset_path(asset_uid)}files/", form=form, files={"content": (name, content, "text/csv")},
            expected=(200, 201), asset_uid=asset_uid,
        )  # fmt: skip
    except KoboRejected as error:
        if error.code == "bad_request" and "already exists" in str(error.params.get("excerpt")):
            return False
        raise
    return True


def _read_file(row: Mapping[str, Any]) -> MediaFile:
    metadata = row.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    digest = metadata.get("hash")
    return MediaFile(
        uid=str(row.get("uid") or ""),
        name=str(metadata.get("filename") or ""),
        md5=digest.removeprefix("md5:") if isinstance(digest, str) else "",
        created_at=read_moment(row.get("date_created")),
    )
