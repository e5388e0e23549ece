"""``/api/v2/imports/``: an XLSForm becomes a project or the draft of one. Finished when the request returns."""

import base64
import binascii
import json

from assessments.kobo.practice import forms, projects
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.exchange import Response, as_json, detail, not_found, server_error
from assessments.kobo.practice.identifiers import make_uid
from assessments.kobo.practice.xlsforms import XlsFormError, read_xlsform


def create_import(context: Context) -> Response:
    """Read the form at once; the answer still says ``processing`` and the outcome is polled, as with Kobo."""
    if context.username is None:
        return detail(401, "Authentication credentials were not provided.")
    uid = make_uid("i")
    try:
        status, messages = "complete", _import(context)
    except XlsFormError as error:
        status, messages = "error", {"error": str(error), "error_type": "XlsFormatException"}
    row = (uid, context.username, status, json.dumps(messages), projects.stamp(context.kobo.clock()))
    context.db.execute("INSERT INTO import_task VALUES (?, ?, ?, ?, ?)", row)
    url = f"{context.request.base_url}/api/v2/imports/{uid}/"
    return as_json({"uid": uid, "url": url, "status": "processing"}, status=201)


def _import(context: Context) -> dict[str, object]:
    title, content = read_xlsform(_read_upload(context))
    fields = context.request.fields
    destination = fields.get("destination", "").rstrip("/").rpartition("/")[2]
    name = title or fields.get("name") or "Untitled"
    now = context.kobo.clock()
    if destination:
        context.project(destination, needs="change_asset")
        projects.change_content(context.db, destination, content, now=now, name=name)
    else:
        destination_uid = make_uid("a")
        projects.create(context.db, destination_uid, name, context.username or "", content, now=now)
    entry = {
        "uid": destination or destination_uid,
        "kind": "asset",
        "summary": forms.summarize(content),
        "owner__username": context.username,
    }
    return {"updated": [entry], "audit_logs": []} if destination else {"created": [entry]}


def _read_upload(context: Context) -> bytes:
    for file in context.request.files:
        if file.name == "file":
            return file.content
    encoded = context.request.fields.get("base64Encoded", "").partition("base64")[2][1:]
    try:
        return base64.b64decode(encoded)
    except binascii.Error:
        return b""


def list_imports(context: Context) -> Response:
    """Crash, as recorded (02/003): a defect of that Kobo which a client has to live with."""
    return server_error()


def get_import(context: Context, uid: str) -> Response:
    sql = "SELECT * FROM import_task WHERE uid = ? AND username = ?"
    row = context.db.execute(sql, (uid, context.username)).fetchone()
    if row is None:
        return not_found()
    messages = json.loads(row["messages"])
    return as_json({"status": row["status"], "uid": uid, "messages": messages, "date_created": row["created_at"]})
