"""``/api/v2/assets/`` and what hangs on a project but its data: detail, versions, deployment, counts, rights."""

import hashlib
import json
import sqlite3
from datetime import timedelta
from typing import Any

from assessments.kobo.practice import accounts, forms, permission_views, projects
from assessments.kobo.practice.accounts import Access
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import (
    Response,
    as_json,
    detail,
    envelope,
    forbidden,
    not_found,
    nothing,
    page_links,
    server_error,
)
from assessments.kobo.practice.identifiers import make_uid
from assessments.kobo.practice.media_views import describe_media

Json = dict[str, Any]

_DETAIL_ONLY = [
    "files",
    "report_styles",
    "report_custom",
    "advanced_features",
    "map_styles",
    "map_custom",
    "content",
    "embeds",
    "analysis_form_json",
    "xform_link",
    "hooks_link",
    "xls_link",
    "assignable_permissions",
    "effective_permissions",
    "exports",
    "paired_data",
    "project_ownership",
    "version__content_hash",
    "version_count",
    "deployed_versions",
    "deployment__links",
    "deployment__data_download_links",
]
_MAX_ASSETS = 1000


def list_assets(context: Context) -> Response:
    """List what the user may see; anonymous: nothing, with 200. ``q`` knows type, deployment status, name and uid."""
    request = context.request
    rows = [
        (row, access)
        for row in context.db.execute("SELECT * FROM project ORDER BY modified_at DESC").fetchall()
        if (access := accounts.access_of(context.db, row, context.username)).allows("view_asset")
        and _fits(row, request.parameter("q") or "")
    ]
    limit = min(_number(request.parameter("limit"), 100) or 100, _MAX_ASSETS)
    start = _number(request.parameter("start") or request.parameter("offset"), 0)
    following, previous = page_links(request, count=len(rows), start=start, limit=limit)
    excluded = {*_DETAIL_ONLY, *_excluded(context)}
    shown = [describe(context, row, access, without=excluded) for row, access in rows[start : start + limit]]
    body: Json = {"count": len(rows), "next": following, "previous": previous, "results": shown}
    if request.parameter("metadata") == "on":
        languages = sorted({name for item in shown for name in item["summary"]["languages"] if name})
        body["metadata"] = {"languages": languages, "countries": [], "sectors": [], "organizations": []}
    return as_json(body)


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default


def _excluded(context: Context) -> list[str]:
    return (context.request.parameter("exclude") or "").split(",")


def _fits(row: sqlite3.Row, question: str) -> bool:
    for term in question.replace("(", " ").replace(")", " ").split(" AND "):
        name, _, value = term.strip().partition(":")
        value = value.strip('"')
        known = {
            "asset_type": row["asset_type"],
            "_deployment_status": deployment_status(row),
            "uid": row["uid"],
            "name": row["name"],
        }
        if value and name in known and known[name] != value:
            return False
    return True


def deployment_status(row: sqlite3.Row) -> str:
    if row["deployed_version_uid"] is None:
        return "draft"
    return "deployed" if row["active"] else "archived"


def get_hash(context: Context) -> Response:
    rows = context.db.execute("SELECT * FROM project ORDER BY uid").fetchall()
    seen = [
        row["version_uid"] for row in rows if accounts.access_of(context.db, row, context.username).allows("view_asset")
    ]
    return as_json({"hash": hashlib.md5("".join(seen).encode(), usedforsecurity=False).hexdigest()})


def get_asset(context: Context, uid: str) -> Response:
    row, access = context.project(uid)
    return as_json(describe(context, row, access, without=set(_excluded(context))))


def describe(context: Context, row: sqlite3.Row, access: Access, *, without: set[str]) -> Json:
    """Return an asset; in a list the fields of the detail are left out."""
    shown = _identity(context, row) | _deployment(context, row, access) | _links(context, row)
    permissions = permission_views.list_permissions(context, row["uid"])
    if not access.allows("manage_asset"):
        own = {f"{context.request.base_url}/api/v2/users/{name}/" for name in (row["owner"], context.username)}
        shown["permissions"] = [entry for entry in permissions if entry["user"] in own]
    else:
        shown["permissions"] = permissions
    users = {entry["user"] for entry in permissions}
    shown["status"] = "shared" if len(users) > 1 else "private"
    if not {"files", "content"} <= without:
        shown |= _detail(context, row, access)
    return {name: value for name, value in shown.items() if name not in without}


def _identity(context: Context, row: sqlite3.Row) -> Json:
    content = json.loads(row["content"])
    settings = {"sector": {}, "country": [], "description": "", "organization": "", "country_codes": []}
    return {
        "url": context.asset_url(row["uid"]),
        "owner": f"{context.request.base_url}/api/v2/users/{row['owner']}/",
        "owner__username": row["owner"],
        "parent": None,
        "settings": settings | json.loads(row["settings"]),
        "asset_type": row["asset_type"],
        "summary": forms.summarize(content),
        "date_created": row["created_at"],
        "date_modified": row["modified_at"],
        "date_deployed": row["deployed_at"],
        "version_id": row["version_uid"],
        "tag_string": "",
        "uid": row["uid"],
        "kind": "asset",
        "name": row["name"],
        "export_settings": [],
        "children": {"count": 0},
        "subscribers_count": 0,
        "access_types": None,
        "data_sharing": {},
        "owner_label": row["owner"],
        "last_modified_by": None,
        "created_by": None,
    }


def _deployment(context: Context, row: sqlite3.Row, access: Access) -> Json:
    counted = _count(context, row["uid"]) if access.allows("view_submissions") else None
    return {
        "has_deployment": row["deployed_version_uid"] is not None,
        "deployed_version_id": row["deployed_version_uid"],
        "deployment__active": bool(row["active"]),
        "deployment__submission_count": counted,
        "deployment__last_submission_time": row["last_submission_at"],
        "deployment__encrypted": False,
        "deployment__uuid": row["deployment_uuid"],
        "deployment_status": deployment_status(row),
    }


def _count(context: Context, uid: str) -> int:
    sql = "SELECT COUNT(*) FROM submission WHERE project_uid = ? AND ghost = 0"
    return int(context.db.execute(sql, (uid,)).fetchone()[0])


def _links(context: Context, row: sqlite3.Row) -> Json:
    url = context.asset_url(row["uid"])
    bare = url.removesuffix("/")
    return {
        "data": f"{url}data/",
        "downloads": [{"format": name, "url": f"{bare}.{name}"} for name in ("xls", "xml")],
        "embeds": [{"format": "xls", "url": f"{url}xls/"}, {"format": "xform", "url": f"{url}xform/"}],
        **{f"{name}_link": f"{url}{name}/" for name in ("xform", "hooks", "xls")},
        "exports": f"{url}exports/",
        "paired_data": f"{url}paired-data/",
    }


def _detail(context: Context, row: sqlite3.Row, access: Access) -> Json:
    content = json.loads(row["content"])
    versions = _versions(context, row["uid"])
    media = context.db.execute("SELECT * FROM media WHERE project_uid = ? ORDER BY pk", (row["uid"],)).fetchall()
    permission = f"{context.request.base_url}/api/v2/permissions/"
    return {
        "files": [describe_media(context, entry) for entry in media],
        "version__content_hash": forms.content_hash(content),
        "version_count": max(1, len(versions) + (projects.find_version(context.db, row["version_uid"]) is None)),
        "deployed_versions": envelope(versions),
        "deployment__links": _form_links(context, row) if row["active"] else {},
        "deployment__data_download_links": {},
        "report_styles": {"default": {}, "specified": {}, "kuid_names": {}},
        "report_custom": {},
        "advanced_features": {"_version": "20250820"},
        "map_styles": {},
        "map_custom": {},
        "content": content,
        "analysis_form_json": {"additional_fields": []},
        "assignable_permissions": [
            {"url": f"{permission}{name}/", "label": label} for name, label in accounts.LABELS.items()
        ],
        "effective_permissions": [{"codename": name} for name in sorted(_effective(context, row, access))],
        "project_ownership": None,
    }


def _effective(context: Context, row: sqlite3.Row, access: Access) -> set[str]:
    return {*access.codenames, "delete_asset"} if row["owner"] == context.username else set(access.codenames)


def _form_links(context: Context, row: sqlite3.Row) -> Json:
    """Return the addresses of the web form: here this server's own page, whatever the kind of link."""
    page = f"{context.request.base_url}/x/{row['uid']}"
    names = "url single_url single_once_url offline_url preview_url iframe_url single_iframe_url single_once_iframe_url"
    return dict.fromkeys(names.split(), page)


# Versions and deployment


def _versions(context: Context, uid: str) -> list[Json]:
    rows = context.db.execute("SELECT * FROM version WHERE project_uid = ? ORDER BY number DESC", (uid,)).fetchall()
    return [_describe_version(context, row) for row in rows]


def _describe_version(context: Context, row: sqlite3.Row) -> Json:
    return {
        "uid": row["uid"],
        "url": f"{context.asset_url(row['project_uid'])}versions/{row['uid']}/",
        "content_hash": row["content_hash"],
        "date_deployed": row["deployed_at"],
        "date_modified": row["modified_at"],
        "version_number": str(row["number"]),
    }


def get_valid_content(context: Context, uid: str) -> Response:
    row, _ = context.project(uid)
    return as_json({"kind": "asset.valid_content", "uid_asset": uid, "data": json.loads(row["content"])})


def list_versions(context: Context, uid: str) -> Response:
    context.project(uid)
    return as_json(envelope(_versions(context, uid)))


def get_version(context: Context, uid: str, version: str) -> Response:
    context.project(uid)
    row = projects.find_version(context.db, version)
    if row is None or row["project_uid"] != uid:
        return not_found()
    return as_json(_describe_version(context, row) | {"content": json.loads(row["content"])})


def get_deployment(context: Context, uid: str) -> Response:
    row, access = context.project(uid)
    if row["deployed_version_uid"] is None:
        return not_found()
    return as_json(_describe_deployment(context, row, access))


def _describe_deployment(context: Context, row: sqlite3.Row, access: Access) -> Json:
    return {
        "backend": "openrosa",
        "active": bool(row["active"]),
        "version_id": row["deployed_version_uid"],
        "asset": describe(context, row, access, without=set()),
    }


def deploy_first(context: Context, uid: str) -> Response:
    """Deploy for the first time. ``active`` is false where the body does not say true, as in Kobo."""
    row, access = context.project(uid, needs="change_asset")
    if row["deployed_version_uid"] is not None:
        return detail(405, "Use PATCH to update an existing deployment")
    active = context.request.payload.get("active") in (True, "true", "True")
    projects.deploy(context.db, uid, now=context.kobo.clock(), active=active)
    return as_json(_describe_deployment(context, context.project(uid)[0], access))


def redeploy(context: Context, uid: str) -> Response:
    """Deploy again, or only open and close the form. Any version but the current one crashes Kobo (10/004)."""
    row, access = context.project(uid, needs="change_asset")
    if row["deployed_version_uid"] is None:
        return detail(405, "Use POST to create a new deployment")
    payload = context.request.payload
    active = payload["active"] in (True, "true", "True") if "active" in payload else bool(row["active"])
    if "version_id" not in payload:
        context.db.execute("UPDATE project SET active = ? WHERE uid = ?", (int(active), uid))
    elif payload["version_id"] != row["version_uid"]:
        return server_error()
    else:
        projects.deploy(context.db, uid, now=context.kobo.clock(), active=active)
    return as_json(_describe_deployment(context, context.project(uid)[0], access))


def create_asset(context: Context) -> Response:
    """Create a draft, empty or with the content given."""
    if context.username is None:
        return detail(401, "Authentication credentials were not provided.")
    payload = context.request.payload
    content = payload.get("content") or {
        "schema": "1",
        "survey": [],
        "choices": [],
        "settings": {},
        "translations": [None],
    }
    uid = make_uid("a")
    name = str(payload.get("name") or "")
    projects.create(context.db, uid, name, context.username, content, now=context.kobo.clock())
    row, access = context.project(uid)
    return as_json(describe(context, row, access, without=set()), status=201)


def change_asset(context: Context, uid: str) -> Response:
    """Change name, settings or content (a new draft)."""
    row, access = context.project(uid, needs="change_asset")
    payload = context.request.payload
    content = payload.get("content")
    if isinstance(content, dict):
        projects.change_content(context.db, uid, content, now=context.kobo.clock())
    settings = json.loads(row["settings"]) | (payload["settings"] if isinstance(payload.get("settings"), dict) else {})
    context.db.execute(
        "UPDATE project SET name = ?, settings = ?, modified_at = ? WHERE uid = ?",
        (str(payload.get("name") or row["name"]), json.dumps(settings), projects.stamp(context.kobo.clock()), uid),
    )
    return as_json(describe(context, context.project(uid)[0], access, without=set()))


def delete_asset(context: Context, uid: str) -> Response:
    row, _ = context.project(uid, needs="manage_asset")
    if row["owner"] != context.username:
        return forbidden()
    projects.delete(context.db, uid)
    return nothing()


def get_counts(context: Context, uid: str) -> Response:
    """Answer receipts a UTC day over the last ``days`` (30) and in all."""
    context.data(uid)
    days = _number(context.request.parameter("days"), 30)
    since = (context.kobo.clock() - timedelta(days=days)).strftime("%Y-%m-%d")
    rows = context.db.execute(
        "SELECT substr(submission_time, 1, 10) AS day, COUNT(*) AS number FROM submission "
        "WHERE project_uid = ? AND ghost = 0 AND submission_time >= ? GROUP BY day ORDER BY day",
        (uid, since),
    )
    daily = {row["day"]: row["number"] for row in rows}
    return as_json({"daily_submission_counts": daily, "total_submission_count": _count(context, uid)})
