"""``/submission`` as phones and web forms use it: new ones, duplicates, edits, in XML or JSON (recordings 03, 05)."""

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from assessments.kobo.practice import accounts, projects, submissions
from assessments.kobo.practice.answers import Answers, XmlError, flatten, meta_value, parse_xml, read_xml
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import HttpError, Response, as_json, clean_filename, dumps
from assessments.kobo.practice.identifiers import make_uuid, with_prefix, without_prefix
from assessments.kobo.practice.submissions import NewSubmission

XML = "text/xml; charset=utf-8"
CHALLENGE = 'Digest realm="DJANGO", qop="auth", nonce="{nonce}", opaque="{nonce}", algorithm="MD5", stale="false"'
_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class Arrival:
    """A submission as it came in, before it is known whether it is new, a duplicate or an edit."""

    form_id: str
    answers: Answers
    instance_id: str
    deprecated_id: str
    content_hash: str
    xml: str | None


def head_submission(context: Context) -> Response:
    if context.username is None:
        return refuse_login()
    return Response(204, content_type=XML, headers=_headers(context))


def refuse_login(text: str = "Authentication credentials were not provided.") -> Response:
    response = _root(401, text)
    response.headers.append(("WWW-Authenticate", CHALLENGE.format(nonce=make_uuid())))
    return response


def _headers(context: Context) -> list[tuple[str, str]]:
    return [
        ("Location", f"{context.request.base_url}/submission"),
        ("X-OpenRosa-Version", "1.0"),
        ("X-OpenRosa-Accept-Content-Length", "10000000"),
    ]


def _root(status: int, text: str) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<root><detail>{text}</detail></root>'
    return Response(status, body.encode(), XML)


def receive(context: Context, owner: str = "") -> Response:
    """Take a submission. All answers but the log-in and the unknown form are OpenRosa messages, JSON for JSON."""
    if context.username is None:
        return refuse_login()
    is_json = context.request.media_type == "application/json"
    arrival = _read_json(context) if is_json else _read_xml(context)
    project = projects.find(context.db, arrival.form_id)
    if project is None or project["deployed_version_uid"] is None:
        return _root(404, "Not found.")
    _check_right(context, project, editing=bool(arrival.deprecated_id))
    if not arrival.instance_id:
        return _message(context, 400, "Instance ID is required")
    if not project["active"]:
        return _message(context, 405, "Form is not active")
    return _store(context, project, arrival)


def _check_right(context: Context, project: sqlite3.Row, *, editing: bool) -> None:
    needed = "change_submissions" if editing else "add_submissions"
    if not accounts.access_of(context.db, project, context.username).allows(needed):
        raise HttpError(_message(context, 403, "Access denied"))


def _message(context: Context, status: int, text: str, *, located: bool = False) -> Response:
    headers = _headers(context) if located else []
    if context.request.media_type == "application/json":
        return as_json({"error": text}, status=status, headers=headers)
    body = (
        "<?xml version='1.0' encoding='UTF-8' ?>\n<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\">\n"
        f'        <message nature="">{text}</message>\n</OpenRosaResponse>'
    )
    return Response(status, body.encode(), XML, headers)


def _read_xml(context: Context) -> Arrival:
    request = context.request
    part = next((file for file in request.files if file.name == "xml_submission_file"), None)
    raw = part.content if part else request.fields.get("xml_submission_file", "").encode()
    if not raw.strip():
        raise HttpError(_message(context, 400, "Received empty submission. No instance was created"))
    try:
        root = parse_xml(raw)
    except XmlError:
        raise HttpError(_message(context, 400, "Improperly formatted XML.")) from None
    form_id = root.get("id") or ""
    project = projects.find(context.db, form_id)
    repeats = context.kobo.repeats(context.db, project) if project is not None else set()
    return Arrival(
        form_id=form_id,
        answers=flatten(read_xml(root, repeats=repeats)),
        instance_id=root.get("instanceID") or meta_value(root, "instanceID"),
        deprecated_id=meta_value(root, "deprecatedID"),
        content_hash=submissions.hash_content(raw),
        xml=raw.decode("utf-8", "replace"),
    )


def _read_json(context: Context) -> Arrival:
    payload = context.request.payload
    nested = payload.get("submission")
    if not isinstance(nested, dict):
        raise HttpError(_message(context, 400, "Received empty submission. No instance was created"))
    meta: Any = nested.get("meta")
    ids = meta if isinstance(meta, dict) else {}
    return Arrival(
        form_id=str(payload.get("id", "")),
        answers=flatten(nested),
        instance_id=str(ids.get("instanceID", "")),
        deprecated_id=str(ids.get("deprecatedID", "")),
        content_hash=submissions.hash_content(json.dumps(nested, sort_keys=True).encode()),
        xml=None,
    )


def _store(context: Context, project: sqlite3.Row, arrival: Arrival) -> Response:
    uuid = without_prefix(arrival.instance_id)
    present = context.db.execute(
        "SELECT * FROM submission WHERE project_uid = ? AND uuid = ? AND ghost = 0", (project["uid"], uuid)
    ).fetchone()
    if present is not None:
        return _store_again(context, project, arrival, present)
    if arrival.deprecated_id:
        return _store_edit(context, project, arrival)
    now = context.kobo.clock()
    form = context.kobo.form_facts(context.db, project)
    new = NewSubmission(
        answers=_with_instance_id(arrival),
        submitted_by=context.username,
        received_at=now,
        root_uuid=str(arrival.answers.get("meta/rootUuid", "")),
        content_hash=arrival.content_hash,
        xml=arrival.xml,
    )
    kobo_id = submissions.insert(context.db, form, [new])[0]
    row = _row(context, kobo_id)
    if files := _files(context):
        submissions.attach(context.db, form, row, files)
    context.db.execute("UPDATE project SET last_submission_at = ? WHERE uid = ?", (projects.stamp(now), project["uid"]))
    return _success(context, arrival, row)


def _with_instance_id(arrival: Arrival) -> Answers:
    return {**arrival.answers, "meta/instanceID": with_prefix(arrival.instance_id)}


def _row(context: Context, kobo_id: int) -> sqlite3.Row:
    row: sqlite3.Row = context.db.execute("SELECT * FROM submission WHERE kobo_id = ?", (kobo_id,)).fetchone()
    return row


def _files(context: Context) -> list[tuple[str, str, bytes]]:
    return [
        (clean_filename(file.filename), file.content_type, file.content)
        for file in context.request.files
        if file.name != "xml_submission_file"
    ]


def _store_again(context: Context, project: sqlite3.Row, arrival: Arrival, present: sqlite3.Row) -> Response:
    """Meet an instance id that is there: the rest of the media (201), an exact duplicate (202) or a conflict (409)."""
    if present["content_hash"] != arrival.content_hash:
        submissions.next_id(
            context.db
        )  # the refused row has already taken an _id in Kobo: 26 is missing in recording 03
        return _message(context, 409, "Submission with this instance ID already exists", located=True)
    held = {
        row["name"]
        for row in context.db.execute("SELECT name FROM attachment WHERE kobo_id = ?", (present["kobo_id"],))
    }
    rest = [file for file in _files(context) if file[0] not in held]
    if not rest:
        return _message(context, 202, "Duplicate Instance", located=True)
    submissions.attach(context.db, context.kobo.form_facts(context.db, project), present, rest)
    return _success(context, arrival, present)


def _store_edit(context: Context, project: sqlite3.Row, arrival: Arrival) -> Response:
    old = without_prefix(arrival.deprecated_id)
    row = context.db.execute(
        "SELECT * FROM submission WHERE project_uid = ? AND uuid = ? AND ghost = 0", (project["uid"], old)
    ).fetchone()
    if row is None:
        known = "SELECT 1 FROM old_instance WHERE project_uid = ? AND uuid = ?"
        if context.db.execute(known, (project["uid"], old)).fetchone():
            return _message(context, 410, "Invalid submission - deprecatedID refers to an old version")
        return _message(context, 404, "Invalid submission - deprecatedID not found")
    form = context.kobo.form_facts(context.db, project)
    submissions.edit(
        context.db, form, row, _with_instance_id(arrival), xml=arrival.xml, content_hash=arrival.content_hash,
        by=context.username or "AnonymousUser", now=context.kobo.clock(),
    )  # fmt: skip
    if files := _files(context):
        submissions.attach(context.db, form, _row(context, row["kobo_id"]), files)
    return _success(context, arrival, row)


def _success(context: Context, arrival: Arrival, row: sqlite3.Row) -> Response:
    completed = context.kobo.clock().strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    instance_id = with_prefix(arrival.instance_id)
    if context.request.media_type == "application/json":
        body = dumps(
            {
                "message": "Successful submission.",
                "formid": arrival.form_id,
                "encrypted": False,
                "instanceID": instance_id,
                "submissionDate": row["received_at"],
                "markedAsCompleteDate": completed,
            }
        )
        return Response(201, body.encode("utf-8", "replace"), headers=_headers(context))
    shown = _CONTROL.sub("", instance_id).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    text = (
        '<OpenRosaResponse xmlns="http://openrosa.org/http/response">\n    <message>Successful submission.</message>\n'
        f'    <submissionMetadata xmlns="http://www.opendatakit.org/xforms" id="{arrival.form_id}"  '
        f'instanceID="{shown}" submissionDate="{row["received_at"]}" isComplete="true" '
        f'markedAsCompleteDate="{completed}"/>\n</OpenRosaResponse>\n'
    )
    return Response(201, text.encode("utf-8", "replace"), XML, _headers(context))


def list_forms(context: Context) -> Response:
    """Answer the forms that the user may fill in. Their XForms are not served: this server has no phones."""
    if context.username is None:
        return refuse_login()
    rows = context.db.execute("SELECT * FROM project WHERE deployed_version_uid IS NOT NULL AND active = 1").fetchall()
    base = context.request.base_url
    listed = "".join(
        f"<xform><formID>{row['uid']}</formID><name>{_escape(row['name'])}</name>"
        f"<manifestUrl>{base}/xformsManifest/{row['pk']}</manifestUrl></xform>"
        for row in rows
        if accounts.access_of(context.db, row, context.username).allows("add_submissions")
    )
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<xforms xmlns="http://openrosa.org/xforms/xformsList">{listed}</xforms>'
    return Response(body=text.encode(), content_type=XML, headers=_headers(context)[1:])


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
