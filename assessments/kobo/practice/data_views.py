"""``/api/v2/assets/{uid}/data/…`` but the list: rows, bulk calls, validation statuses, attachments, edit links."""

import re
import sqlite3
from typing import Any

from assessments.kobo.practice import accounts, projects, submissions
from assessments.kobo.practice.accounts import Access
from assessments.kobo.practice.answers import flatten
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import (
    HttpError,
    Response,
    as_json,
    detail,
    forbidden,
    not_found,
    nothing,
    server_error,
)
from assessments.kobo.practice.identifiers import make_uuid, with_prefix, without_prefix
from assessments.kobo.practice.listing import build_row_filter, select_rows, submission_xml
from assessments.kobo.practice.submissions import VALIDATION_LABELS, NewSubmission, parse_body

_XML_NOT_FOUND = b'<?xml version="1.0" encoding="utf-8"?><root><detail>Not found.</detail></root>'


def get_row(context: Context, uid: str, key: str) -> Response:
    project, row = _visible_row(context, uid, key)
    if context.request.parameter("format") == "xml":
        if row["ghost"]:
            return Response(404, _XML_NOT_FOUND, "application/xml; charset=utf-8")
        return Response(
            body=submission_xml(project, row).encode("utf-8", "replace"), content_type="application/xml; charset=utf-8"
        )
    return as_json(parse_body(row["body"], base_url=context.request.base_url))


def _visible_row(
    context: Context, uid: str, key: str, *, needs: str = "view_submissions"
) -> tuple[sqlite3.Row, sqlite3.Row]:
    project, access = context.data(uid, needs=needs)
    row = context.submission(project, key)
    if access.filters is not None and not build_row_filter({}, access).matches(parse_body(row["body"])):
        raise HttpError(not_found())
    return project, row


def delete_row(context: Context, uid: str, key: str) -> Response:
    _, row = _visible_row(context, uid, key, needs="delete_submissions")
    if row["ghost"]:
        return detail(404, "Submission not found")
    submissions.delete(context.db, [row["kobo_id"]])
    return nothing()


def duplicate_row(context: Context, uid: str, key: str) -> Response:
    """Copy a row: new ids, ``start`` and ``end`` now, no status."""
    project, row = _visible_row(context, uid, key, needs="change_submissions")
    now = context.kobo.clock()
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}+00:00"
    answers = {name: value for name, value in submissions.answers_of(row).items() if name != "meta/deprecatedID"}
    answers |= {name: moment for name in ("start", "end") if name in answers}
    answers["meta/instanceID"] = with_prefix(make_uuid())
    form = context.kobo.form_facts(context.db, project)
    copy = NewSubmission(answers=answers, submitted_by=context.username, received_at=now)
    kobo_id = submissions.insert(context.db, form, [copy])[0]
    stored = context.db.execute("SELECT * FROM submission WHERE kobo_id = ?", (kobo_id,)).fetchone()
    files = context.db.execute("SELECT name, mimetype, content FROM attachment WHERE kobo_id = ?", (row["kobo_id"],))
    submissions.attach(context.db, form, stored, [tuple(file) for file in files.fetchall()])
    body = context.db.execute("SELECT body FROM submission WHERE kobo_id = ?", (kobo_id,)).fetchone()["body"]
    return as_json(parse_body(body, base_url=context.request.base_url), status=201)


# Validation statuses


def get_status(context: Context, uid: str, key: str) -> Response:
    _, row = _visible_row(context, uid, key)
    return Response(body=row["validation"].encode())


def patch_status(context: Context, uid: str, key: str) -> Response:
    _, row = _visible_row(context, uid, key, needs="validate_submissions")
    wanted = context.request.payload.get("validation_status.uid")
    if wanted not in VALIDATION_LABELS:
        return detail(400, f"Invalid validation status: `{wanted}`")
    written = submissions.set_validation(context.db, [row], wanted, by=context.username or "", now=context.kobo.clock())
    return Response(body=written.encode())


def delete_status(context: Context, uid: str, key: str) -> Response:
    _, row = _visible_row(context, uid, key, needs="validate_submissions")
    submissions.set_validation(context.db, [row], None, by=context.username or "", now=context.kobo.clock())
    return nothing()


def change_statuses(context: Context, uid: str) -> Response:
    """Bulk PATCH and DELETE run the same code in Kobo: an unknown uid clears, a known one sets, whatever the method."""
    project, access = context.data(uid, needs="validate_submissions")
    payload = _read_payload(context)
    if "validation_status.uid" not in payload:
        raise HttpError(_payload_error("`validation_status.uid` is required"))
    rows = _chosen_rows(context, project, access, payload, refuse_missing=True)
    wanted = payload["validation_status.uid"]
    submissions.set_validation(context.db, rows, wanted, by=context.username or "", now=context.kobo.clock())
    return detail(200, f"{len(rows)} submissions have been updated")


# Bulk


def _read_payload(context: Context) -> dict[str, Any]:
    payload = context.request.payload.get("payload")
    if not isinstance(payload, dict):
        raise HttpError(_payload_error("This field is required."))
    return payload


def _payload_error(text: str) -> Response:
    return as_json({"payload": [text]}, status=400)


def _chosen_rows(
    context: Context, project: sqlite3.Row, access: Access, payload: dict[str, Any], *, refuse_missing: bool
) -> list[sqlite3.Row]:
    """Return the rows that a bulk call names by ids, by query or, confirmed, all of them."""
    if "submission_ids" in payload and "query" in payload:
        raise HttpError(server_error())
    if "submission_ids" in payload:
        ids = _read_ids(payload["submission_ids"])
        rows = select_rows(context, project, access, {"_id": {"$in": ids}})
        if refuse_missing and len(rows) != len(set(ids)):
            raise HttpError(detail(400, "One or more submission ids are invalid"))
        return rows
    if "query" in payload:
        return select_rows(context, project, access, payload["query"])
    if not payload.get("confirm"):
        raise HttpError(_payload_error("Confirmation is required"))
    return select_rows(context, project, access, {})


def _read_ids(value: Any) -> list[int]:
    if not value or not isinstance(value, list):
        raise HttpError(_payload_error("`submission_ids` must contain at least one value"))
    try:
        return [int(item) for item in value]
    except (TypeError, ValueError):
        raise HttpError(_payload_error("`submission_ids` must only contain integers")) from None


def delete_many(context: Context, uid: str) -> Response:
    project, access = context.data(uid, needs="delete_submissions")
    rows = _chosen_rows(context, project, access, _read_payload(context), refuse_missing=True)
    submissions.delete(context.db, [row["kobo_id"] for row in rows])
    return detail(200, f"{len(rows)} submissions have been deleted")


def edit_many(context: Context, uid: str) -> Response:
    """Change the same answers of many rows. Unlike the other bulk calls it skips ids that are not there."""
    project, access = context.data(uid, needs="change_submissions")
    payload = _read_payload(context)
    data = payload.get("data")
    if not isinstance(data, dict):
        raise HttpError(_payload_error("`data` is required"))
    rows = _chosen_rows(context, project, access, payload, refuse_missing=False)
    if not rows:
        return as_json(["No submissions match the given `submission_ids`"], status=400)
    results = [_edit_one(context, project, row, data) for row in rows]
    return as_json({"count": len(rows), "successes": len(rows), "failures": 0, "results": results})


def _edit_one(context: Context, project: sqlite3.Row, row: sqlite3.Row, data: dict[str, Any]) -> dict[str, Any]:
    protected = ("meta/", "formhub/", "__version__", "_")
    changes = {key: value for key, value in data.items() if not key.startswith(protected)}
    answers = {key: value for key, value in submissions.answers_of(row).items() if key not in changes}
    new_uuid = make_uuid()
    answers |= {**flatten(changes), "meta/instanceID": with_prefix(new_uuid)}
    form = context.kobo.form_facts(context.db, project)
    submissions.edit(context.db, form, row, answers, by=context.username or "", now=context.kobo.clock())
    return {
        "uuid": new_uuid,
        "root_uuid": without_prefix(row["root_uuid"]),
        "status_code": 201,
        "message": "Successful submission",
    }


# Links and attachments


def get_enketo_link(context: Context, uid: str, key: str, page: str) -> Response:
    """Answer the address of this server's own page: with the key in it nobody needs to log in, as with Enketo."""
    needs = "change_submissions" if page == "edit" else "view_submissions"
    project, row = _visible_row(context, uid, key, needs=needs)
    path = context.kobo.edit_path(context.db, row, page=page)
    return as_json({"url": context.request.base_url + path, "version_uid": project["deployed_version_uid"]})


def get_attachment(context: Context, uid: str, key: str, attachment: str, size: str = "") -> Response:
    """Answer the file. Sizes of pictures are answered with the picture itself: nothing here scales."""
    _, row = _visible_row(context, uid, key)
    found = context.db.execute(
        "SELECT * FROM attachment WHERE uid = ? AND kobo_id = ? AND deleted = 0", (attachment, row["kobo_id"])
    ).fetchone()
    return not_found() if found is None else _send_file(found)


def get_attachment_by_path(context: Context, uid: str, key: str) -> Response:
    _, row = _visible_row(context, uid, key)
    path = context.request.parameter("xpath")
    if not path:
        return detail(400, "`xpath` query parameter is required")
    for entry in parse_body(row["body"])["_attachments"]:
        if entry["question_xpath"] == path and not entry["is_deleted"]:
            return _send_file(context.db.execute("SELECT * FROM attachment WHERE uid = ?", (entry["uid"],)).fetchone())
    return detail(400, "The path could not be found in the submission")


def _send_file(row: sqlite3.Row) -> Response:
    name = row["name"].encode("ascii", "replace").decode().replace('"', "")
    return Response(
        body=row["content"],
        content_type=row["mimetype"],
        headers=[("Content-Disposition", f"inline; filename={name}"), ("X-Content-Type-Options", "nosniff")],
    )


def delete_attachment(context: Context, uid: str, attachment: str) -> Response:
    """Mark a file as deleted: it stays in the row's list with ``is_deleted``, its download is 404."""
    project, access = context.data(uid)
    if not access.allows("change_submissions"):
        return forbidden()
    found = context.db.execute(
        "SELECT s.* FROM attachment a JOIN submission s ON s.kobo_id = a.kobo_id WHERE a.uid = ? AND s.project_uid = ?",
        (attachment, uid),
    ).fetchone()
    if found is None:
        return not_found()
    context.db.execute("UPDATE attachment SET deleted = 1 WHERE uid = ?", (attachment,))
    form = context.kobo.form_facts(context.db, project)
    submissions.rewrite(context.db, form, found, submissions.answers_of(found))
    return Response(204)


def get_history(context: Context, uid: str) -> Response:
    """Project history needs ``manage_asset`` and answers 403 even to strangers. Of its entries only changes of
    submissions are kept here, newest first; of its queries ``date_created__gte`` is understood.
    """
    found = projects.find(context.db, uid)
    if found is None:
        return not_found()
    if not accounts.access_of(context.db, found, context.username).allows("manage_asset"):
        return forbidden()
    since = _SINCE.search(context.request.parameter("q") or "")
    rows = context.db.execute(
        "SELECT * FROM history WHERE project_uid = ? AND at >= ? ORDER BY pk DESC",
        (uid, since[1].replace(" ", "T") if since else ""),
    ).fetchall()
    start, limit = (int(context.request.parameter(name) or default) for name, default in (("start", 0), ("limit", 100)))
    shown = [_describe_change(context, found, row) for row in rows[start : start + limit]]
    following = f"{context.asset_url(uid)}history/?start={start + limit}&limit={limit}"
    return as_json(
        {"count": len(rows), "next": following if len(rows) > start + limit else None, "previous": None,
         "results": shown}
    )  # fmt: skip


def _describe_change(context: Context, project: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    status = {} if row["status"] is None else {"status": row["status"]}
    account = context.db.execute("SELECT uid FROM account WHERE username = ?", (row["username"],)).fetchone()
    return {
        "user": f"{context.request.base_url}/api/v2/users/{row['username']}/",
        "user_uid": account["uid"] if account else None,
        "username": row["username"],
        "action": "modify-submission",
        "metadata": {
            "source": "Practice",
            "asset_uid": project["uid"],
            "ip_address": "127.0.0.1",
            "submission": {**status, "root_uuid": row["root_uuid"], "submitted_by": row["submitted_by"]},
            "log_subtype": "project",
            "project_owner": project["owner"],
        },
        "date_created": row["at"],
    }


_SINCE = re.compile(r'date_created__gte:"([^"]+)"')
