"""Media files of a form: upload through the API, manifest and download as phones get them."""

import base64
import binascii
import hashlib
import json
import sqlite3
from typing import Any
from xml.sax.saxutils import escape

from assessments.kobo.practice import projects
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import (
    HttpError,
    Response,
    as_json,
    clean_filename,
    envelope,
    not_found,
    nothing,
)

_ALLOWED = ("image/", "audio/", "video/", "text/csv", "application/xml", "application/zip", "application/geo+json")
_ALLOWED_TEXT = (
    "Only `image`, `audio`, `video`, `text/csv`, `application/xml`, `application/zip`, `application/geo+json` "
    "MIME types are allowed"
)


def describe_media(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    asset = context.asset_url(row["project_uid"])
    return {
        "uid": row["uid"],
        "url": f"{asset}files/{row['uid']}/",
        "asset": asset,
        "user": f"{context.request.base_url}/api/v2/users/{row['username']}/",
        "user__username": row["username"],
        "file_type": row["file_type"],
        "description": row["description"],
        "date_created": row["created_at"],
        "content": f"{asset}files/{row['uid']}/content/",
        "metadata": {"filename": row["filename"], "hash": _md5(row["content"]), "mimetype": row["mimetype"]},
    }


def _md5(content: bytes) -> str:
    return "md5:" + hashlib.md5(content, usedforsecurity=False).hexdigest()


def _find(context: Context, uid: str, media: str) -> sqlite3.Row:
    sql = "SELECT * FROM media WHERE uid = ? AND project_uid = ?"
    row: sqlite3.Row | None = context.db.execute(sql, (media, uid)).fetchone()
    if row is None:
        raise HttpError(not_found())
    return row


def list_media(context: Context, uid: str) -> Response:
    context.project(uid)
    kind = context.request.parameter("file_type")
    rows = context.db.execute("SELECT * FROM media WHERE project_uid = ? ORDER BY pk", (uid,)).fetchall()
    return as_json(envelope([describe_media(context, row) for row in rows if kind in (None, row["file_type"])]))


def get_media(context: Context, uid: str, media: str) -> Response:
    context.project(uid)
    return as_json(describe_media(context, _find(context, uid, media)))


def download_media(context: Context, uid: str, media: str) -> Response:
    context.project(uid)
    row = _find(context, uid, media)
    return _send(row, f"attachment; filename*=UTF-8''{_ascii(row['filename'])}")


def _send(row: sqlite3.Row, disposition: str) -> Response:
    return Response(body=row["content"], content_type=row["mimetype"], headers=[("Content-Disposition", disposition)])


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace('"', "").replace(";", "")


def delete_media(context: Context, uid: str, media: str) -> Response:
    context.project(uid, needs="change_asset")
    context.db.execute("DELETE FROM media WHERE uid = ?", (_find(context, uid, media)["uid"],))
    return nothing()


def upload_media(context: Context, uid: str) -> Response:
    """Store a file under a name that is still free: Kobo replaces nothing, one deletes first."""
    context.project(uid, needs="change_asset")
    payload = context.request.payload
    source, content, mimetype, uploaded_name = _read_upload(context, payload)
    if not payload.get("description"):
        raise HttpError(_refuse("description", "This field is required."))
    filename = uploaded_name or _metadata_name(payload)
    if not mimetype.startswith(_ALLOWED):
        raise HttpError(_refuse(source, _ALLOWED_TEXT))
    taken = "SELECT 1 FROM media WHERE project_uid = ? AND filename = ?"
    if context.db.execute(taken, (uid, filename)).fetchone():
        raise HttpError(_refuse(source, "File already exists"))
    stored = projects.add_media(
        context.db,
        uid,
        context.username or "",
        filename=filename,
        mimetype=mimetype,
        content=content,
        now=context.kobo.clock(),
        description=str(payload["description"]),
        file_type=str(payload.get("file_type", "form_media")),
    )
    shown = describe_media(context, _find(context, uid, stored))
    return as_json(shown, status=201, headers=[("Location", shown["url"])])


def _read_upload(context: Context, payload: dict[str, Any]) -> tuple[str, bytes, str, str]:
    """Return (field, content, type, name) of a multipart file or of base64 text, whose name is in the metadata."""
    for file in context.request.files:
        if file.name == "content":
            return "content", file.content, file.content_type, file.filename
    head, _, encoded = str(payload.get("base64Encoded", "")).partition(",")
    if not encoded:
        raise HttpError(_refuse("detail", "No files have been submitted"))
    try:
        content = base64.b64decode(encoded)
    except binascii.Error:
        raise HttpError(_refuse("base64Encoded", "Invalid content")) from None
    return "base64Encoded", content, head.removeprefix("data:").partition(";")[0], ""


def _metadata_name(payload: dict[str, Any]) -> str:
    metadata = payload.get("metadata")
    try:
        read = json.loads(metadata) if isinstance(metadata, str) else metadata
    except ValueError:
        read = None
    if not isinstance(read, dict) or not read.get("filename"):
        raise HttpError(_refuse("metadata", "This field is required"))
    return clean_filename(str(read["filename"]))


def _refuse(name: str, text: str) -> Response:
    return as_json({name: [text]}, status=400)


# As phones see them: only what was there at the last deployment


def get_manifest(context: Context, pk: str) -> Response:
    project = _project_by_pk(context, pk)
    rows = context.db.execute(
        "SELECT * FROM media WHERE project_uid = ? AND deployed > 0 ORDER BY pk", (project["uid"],)
    )
    base = context.request.base_url
    files = "".join(
        f"<mediaFile><filename>{escape(row['filename'])}</filename><hash>{_md5(row['content'])}</hash>"
        f"<downloadUrl>{base}/xformsMedia/{pk}/{row['deployed']}.{_suffix(row)}</downloadUrl></mediaFile>"
        for row in rows
    )
    text = f'<manifest xmlns="http://openrosa.org/xforms/xformsManifest">{files}</manifest>'
    body = f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()
    return Response(body=body, content_type="text/xml; charset=utf-8")


def _suffix(row: sqlite3.Row) -> str:
    return str(row["filename"]).rpartition(".")[2]


def _project_by_pk(context: Context, pk: str) -> sqlite3.Row:
    row = context.db.execute("SELECT uid FROM project WHERE pk = ?", (int(pk),)).fetchone()
    if row is None:
        raise HttpError(not_found())
    return context.project(row["uid"])[0]


def get_phone_media(context: Context, pk: str, media: str) -> Response:
    project = _project_by_pk(context, pk)
    row = context.db.execute(
        "SELECT * FROM media WHERE project_uid = ? AND deployed = ?", (project["uid"], int(media))
    ).fetchone()
    return not_found() if row is None else _send(row, f"attachment; filename={_ascii(row['filename'])}")
