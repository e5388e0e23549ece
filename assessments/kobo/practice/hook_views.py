"""``/api/v2/assets/{uid}/hooks/``: REST Services and their logs (recordings 09_hooks)."""

import json
import sqlite3
from typing import Any

from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import HttpError, Response, as_json, not_found, nothing, page_links
from assessments.kobo.practice.hooks import FAILED, PENDING, PROCESSING, SUCCESS, stamp
from assessments.kobo.practice.identifiers import make_uid

_WORDS = {FAILED: "failed", PENDING: "pending", SUCCESS: "success", PROCESSING: "processing"}
_PAGE = 100
_MOST = 1000
# Column, what it is when nothing was said, whether it is kept as JSON.
_FIELDS: tuple[tuple[str, Any, bool], ...] = (
    ("name", "", False),
    ("endpoint", "", False),
    ("active", True, False),
    ("export_type", "json", False),
    ("auth_level", "no_auth", False),
    ("email_notification", True, False),
    ("payload_template", None, False),
    ("subset_fields", [], True),
    ("settings", {}, True),
)


def _project(context: Context, uid: str) -> sqlite3.Row:
    """Unlike elsewhere, who sees the project and may not change it is told 404 as well (recording 11, 018)."""
    project, access = context.project(uid)
    if not access.allows("change_asset"):
        raise HttpError(not_found())
    return project


def list_hooks(context: Context, uid: str) -> Response:
    project = _project(context, uid)
    rows = context.db.execute("SELECT * FROM hook WHERE project_uid = ? ORDER BY pk", (uid,)).fetchall()
    return _page(context, [_describe(context, project, row) for row in rows])


def create_hook(context: Context, uid: str) -> Response:
    """Any address is stored; one that may not be reached fails when it is told (surprise 39)."""
    project = _project(context, uid)
    values = _read(context.request.payload, {name: default for name, default, _ in _FIELDS})
    made = make_uid("h")
    names = ", ".join(values)
    context.db.execute(
        f"INSERT INTO hook (uid, project_uid, modified_at, {names}) VALUES (?, ?, ?, {', '.join('?' * len(values))})",  # noqa: S608 - constant names
        (made, uid, stamp(context.kobo.clock()), *values.values()),
    )
    shown = _describe(context, project, _find(context, uid, made))
    return as_json(shown, status=201, headers=[("Location", shown["url"])])


def get_hook(context: Context, uid: str, hook: str) -> Response:
    project = _project(context, uid)
    return as_json(_describe(context, project, _find(context, uid, hook)))


def change_hook(context: Context, uid: str, hook: str) -> Response:
    project = _project(context, uid)
    _find(context, uid, hook)
    values = _read(context.request.payload, {})
    for name, value in {**values, "modified_at": stamp(context.kobo.clock())}.items():
        context.db.execute(f"UPDATE hook SET {name} = ? WHERE uid = ?", (value, hook))  # noqa: S608 - constant names
    return as_json(_describe(context, project, _find(context, uid, hook)))


def delete_hook(context: Context, uid: str, hook: str) -> Response:
    _project(context, uid)
    _find(context, uid, hook)
    context.db.execute("DELETE FROM hook_log WHERE hook_uid = ?", (hook,))
    context.db.execute("DELETE FROM hook WHERE uid = ?", (hook,))
    return nothing()


def list_logs(context: Context, uid: str, hook: str) -> Response:
    """Newest first. ``status``: 0 failed, 1 pending, 2 success, 3 processing."""
    _project(context, uid)
    address = f"{context.asset_url(uid)}hooks/{_find(context, uid, hook)['uid']}/logs/"
    wanted = context.request.parameter("status")
    rows = context.db.execute("SELECT * FROM hook_log WHERE hook_uid = ? ORDER BY pk DESC", (hook,)).fetchall()
    logs = [_describe_log(address, row) for row in rows if wanted in (None, "", str(row["status"]))]
    return _page(context, logs)


def _page(context: Context, rows: list[Any]) -> Response:
    asked = {name: context.request.parameter(name) or "" for name in ("limit", "start")}
    limit = min(int(asked["limit"]), _MOST) if asked["limit"].isdecimal() and int(asked["limit"]) else _PAGE
    start = int(asked["start"]) if asked["start"].isdecimal() else 0
    following, previous = page_links(context.request, count=len(rows), start=start, limit=limit)
    return as_json(
        {"count": len(rows), "next": following, "previous": previous, "results": rows[start : start + limit]}
    )


def _find(context: Context, uid: str, hook: str) -> sqlite3.Row:
    sql = "SELECT * FROM hook WHERE uid = ? AND project_uid = ?"
    row: sqlite3.Row | None = context.db.execute(sql, (hook, uid)).fetchone()
    if row is None:
        raise HttpError(not_found())
    return row


def _read(payload: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Columns to write: what was sent, over what is ``known``."""
    sent = known | {name: payload[name] for name, _, _ in _FIELDS if name in payload}
    for name in ("name", "endpoint"):
        if name in sent and not sent[name]:
            raise HttpError(as_json({name: ["This field is required."]}, status=400))
    if "endpoint" in sent and not str(sent["endpoint"]).startswith(("http://", "https://")):
        raise HttpError(as_json({"endpoint": ["Invalid scheme"]}, status=400))
    as_text = {name for name, _, is_json in _FIELDS if is_json}
    return {name: json.dumps(value) if name in as_text else value for name, value in sent.items()}


def _describe(context: Context, project: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    url = f"{context.asset_url(project['uid'])}hooks/{row['uid']}/"
    counts = dict.fromkeys(_WORDS, 0)
    for found in context.db.execute(
        "SELECT status, count(*) AS rows FROM hook_log WHERE hook_uid = ? GROUP BY status", (row["uid"],)
    ):
        counts[found["status"]] = found["rows"]
    return {
        "url": url,
        "logs_url": f"{url}logs/",
        "asset": project["pk"],
        "uid": row["uid"],
        "name": row["name"],
        "endpoint": row["endpoint"],
        "active": bool(row["active"]),
        "export_type": row["export_type"],
        "auth_level": row["auth_level"],
        "success_count": counts[SUCCESS],
        "failed_count": counts[FAILED],
        "pending_count": counts[PENDING] + counts[PROCESSING],
        "settings": json.loads(row["settings"]),
        "date_modified": row["modified_at"],
        "email_notification": bool(row["email_notification"]),
        "subset_fields": json.loads(row["subset_fields"]),
        "payload_template": row["payload_template"],
    }


def _describe_log(address: str, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "url": f"{address}{row['uid']}/",
        "uid": row["uid"],
        "submission_id": row["kobo_id"],
        "tries": row["tries"],
        "status": row["status"],
        "status_str": _WORDS[row["status"]],
        "status_code": row["status_code"],
        "message": row["message"],
        "date_modified": row["modified_at"],
    }
