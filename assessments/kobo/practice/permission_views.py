"""``/api/v2/assets/{uid}/permission-assignments/``: who may do what, as the owner gives and takes it."""

import json
import sqlite3
from typing import Any

from assessments.kobo.practice import accounts
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import HttpError, Response, as_json, detail, envelope, not_found, nothing

Json = dict[str, Any]


def get_catalogue(context: Context) -> Response:
    base = f"{context.request.base_url}/api/v2/permissions/"
    entries = [
        {
            "url": f"{base}{name}/",
            "codename": name,
            "implied": [f"{base}{item}/" for item in implied],
            "contradictory": [f"{base}{item}/" for item in accounts.CONTRADICTORY.get(name, ())],
            "name": accounts.SENTENCES[name],
        }
        for name, implied in accounts.IMPLIED.items()
    ]
    return as_json(envelope(entries))


def list_permissions(context: Context, uid: str) -> list[Json]:
    rows = context.db.execute(
        "SELECT * FROM permission WHERE project_uid = ? ORDER BY username, codename", (uid,)
    ).fetchall()
    return [_describe_permission(context, row) for row in rows]


def _describe_permission(context: Context, row: sqlite3.Row) -> Json:
    base = context.request.base_url
    shown: Json = {
        "url": f"{context.asset_url(row['project_uid'])}permission-assignments/{row['uid']}/",
        "user": f"{base}/api/v2/users/{row['username']}/",
        "permission": f"{base}/api/v2/permissions/{row['codename']}/",
        "label": accounts.LABELS[row["codename"]],
    }
    if row["partial"] is not None:
        shown["partial_permissions"] = json.loads(row["partial"])
        shown["label"] = {"default": accounts.LABELS["partial_submissions"]} | {
            name: f"{accounts.LABELS[name]} only from specific users"
            for name in ("view_submissions", "change_submissions", "delete_submissions", "validate_submissions")
        }
    return shown


def get_permissions(context: Context, uid: str) -> Response:
    context.project(uid)
    return as_json(list_permissions(context, uid))


def add_permission(context: Context, uid: str) -> Response:
    context.project(uid, needs="manage_asset")
    assigned = _assign(context, uid, context.request.payload)
    row = context.db.execute("SELECT * FROM permission WHERE uid = ?", (assigned,)).fetchone()
    shown = _describe_permission(context, row)
    return as_json(shown, status=201, headers=[("Location", shown["url"])])


def _assign(context: Context, uid: str, entry: Json) -> str:
    username = str(entry.get("user", "")).rstrip("/").rpartition("/")[2]
    codename = str(entry.get("permission", "")).rstrip("/").rpartition("/")[2]
    known = context.db.execute("SELECT 1 FROM account WHERE username = ?", (username,)).fetchone()
    for name, found in (("user", known), ("permission", codename in accounts.LABELS)):
        if not found:
            raise HttpError(as_json({name: ["Invalid hyperlink - Object does not exist."]}, status=400))
    partial = entry.get("partial_permissions") if codename == "partial_submissions" else None
    return accounts.grant(context.db, uid, username, codename, partial=partial)


def replace_permissions(context: Context, uid: str) -> Response:
    """Bulk assignment REPLACES: whoever is not in the list loses all rights, but for the owner."""
    row, _ = context.project(uid, needs="manage_asset")
    try:
        entries = json.loads(context.request.body or b"[]")
    except ValueError:
        return detail(400, "JSON parse error")
    context.db.execute("DELETE FROM permission WHERE project_uid = ? AND username != ?", (uid, row["owner"]))
    for entry in entries if isinstance(entries, list) else []:
        _assign(context, uid, entry)
    return as_json(list_permissions(context, uid))


def remove_permission(context: Context, uid: str, assignment: str) -> Response:
    context.project(uid, needs="manage_asset")
    row = context.db.execute("SELECT * FROM permission WHERE uid = ? AND project_uid = ?", (assignment, uid)).fetchone()
    if row is None:
        return not_found()
    accounts.revoke(context.db, uid, row["username"], codename=row["codename"])
    return nothing()
