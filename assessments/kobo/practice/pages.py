"""Pages for people who practise: the list of forms, a form to fill in, a form to correct."""

import hmac
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from assessments.kobo.practice import forms, projects, submissions
from assessments.kobo.practice.answers import flatten
from assessments.kobo.practice.context import Context
from assessments.kobo.practice.drawing import FormDrawing, escape
from assessments.kobo.practice.exchange import HttpError, Request, Response
from assessments.kobo.practice.filling import (
    Filling,
    check,
    collect,
    read_choices,
    read_typed,
    typed_from_answers,
    typed_from_defaults,
)
from assessments.kobo.practice.identifiers import make_uuid, with_prefix
from assessments.kobo.practice.submissions import NewSubmission
from assessments.kobo.practice.wording import LANGUAGES, say

_POLICY = "default-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_MAX_NAME = 150


def frame(title: str, body: str, *, language: str, switch: str = "") -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/static/practice.css"></head><body>'
        f'<p class="banner"><a href="/?lang={escape(language)}">{say("banner", language)}</a></p>{switch}'
        f"<main>{body}</main></body></html>\n"
    )


def _page(title: str, body: str, *, language: str, switch: str = "", status: int = 200) -> Response:
    text = frame(title, body, language=language, switch=switch)
    headers = [("Content-Security-Policy", _POLICY), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]
    return Response(status, text.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)


def _stop(key: str, language: str, *, status: int) -> HttpError:
    body = f'<p>{say(key, language)}</p><p><a href="/?lang={escape(language)}">{say("back", language)}</a></p>'
    return HttpError(_page(say(key, language), body, language=language, status=status))


def _switch(request: Request, languages: list[tuple[str, str]], current: str) -> str:
    links = []
    for code, name in languages:
        query = urlencode({**request.query, "lang": code}, doseq=True)
        here = ' aria-current="true"' if code == current else ""
        links.append(f'<a href="{escape(request.path)}?{escape(query)}" lang="{escape(code)}"{here}>{escape(name)}</a>')
    return f'<nav class="languages">{" ".join(links)}</nav>' if len(links) > 1 else ""


def show_projects(context: Context) -> Response:
    language = context.request.parameter("lang") or "en"
    language = language if language in LANGUAGES else "en"
    rows = context.db.execute(
        "SELECT uid, name, active, "
        "(SELECT COUNT(*) FROM submission WHERE project_uid = project.uid AND hidden = 0) AS received "
        "FROM project WHERE deployed_version_uid IS NOT NULL ORDER BY name"
    ).fetchall()
    lines = "".join(
        f'<tr><td><a href="/x/{escape(row["uid"])}?lang={language}">{escape(row["name"] or row["uid"])}</a></td>'
        f'<td class="number">{row["received"]}</td></tr>'
        for row in rows
    )
    heads = f'<th>{say("form", language)}</th><th class="number">{say("received", language)}</th>'
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    body = f"<h1>{say('projects', language)}</h1><p>{say('projects_intro', language)}</p>"
    body += table if rows else f"<p>{say('no_projects', language)}</p>"
    switch = _switch(context.request, list(LANGUAGES.items()), language)
    return _page(say("banner", language), body, language=language, switch=switch)


class _OpenForm:
    """A deployed form in the language asked for; stops with a page where there is none."""

    def __init__(self, context: Context, uid: str) -> None:
        wanted = context.request.parameter("lang") or ""
        found = projects.find(context.db, uid)
        if found is None or found["deployed_version_uid"] is None:
            raise _stop("not_found", wanted, status=404)
        self.project: sqlite3.Row = found
        self.content = projects.deployed_content(context.db, found)
        self.language, self.index = forms.choose_language(self.content, wanted)
        self.filling = Filling(forms.read_questions(self.content), read_choices(context.db, uid, self.content))
        self.switch = _switch(context.request, forms.language_codes(self.content), self.language)

    def page(
        self, context: Context, *, button: str, heading: str = "", status: int = 200, frozen: bool = False
    ) -> Response:
        drawing = FormDrawing(self.filling, language=self.language, index=self.index)
        address = f"{context.request.path}?{urlencode(_carried(context.request, self.language))}"
        wrong = f'<p class="error" role="alert">{say("errors", self.language)}</p>' if self.filling.errors else ""
        questions = drawing.draw()
        send = f'<p><button type="submit">{say(button, self.language)}</button></p>' if button else ""
        sender = _sender(context.request)
        as_whom = f'<p class="hint">{say("sent_as", self.language)}: {escape(sender)}</p>' if sender else ""
        body = (
            f"<h1>{escape(self.project['name'])}</h1>{heading}{wrong}{as_whom}"
            f'<form method="post" action="{escape(address)}" novalidate>'
            f'<fieldset class="all"{" disabled" if frozen else ""}>{questions}{drawing.lists()}</fieldset>{send}</form>'
        )
        return _page(self.project["name"], body, language=self.language, switch=self.switch, status=status)


def _carried(request: Request, language: str) -> dict[str, str]:
    """Return what has to stay in the address: language, sender, key."""
    values = {name: request.parameter(name) or "" for name in ("as", "key")}
    return {"lang": language, **{name: value for name, value in values.items() if value}}


def _sender(request: Request) -> str | None:
    return (request.parameter("as") or "").strip()[:_MAX_NAME] or None


def show_form(context: Context, uid: str) -> Response:
    opened = _OpenForm(context, uid)
    if not opened.project["active"]:
        raise _stop("closed", opened.language, status=403)
    opened.filling.typed = typed_from_defaults(context.request.query)
    now = context.kobo.clock().isoformat(timespec="milliseconds")
    for question in forms.walk(opened.filling.questions):
        if question.kind == "start":
            opened.filling.typed[question.path] = [now]
    return opened.page(context, button="send")


def take_form(context: Context, uid: str) -> Response:
    """Store what was filled in as Kobo would, or show it again with what is wrong beside the questions."""
    opened = _OpenForm(context, uid)
    if not opened.project["active"]:
        raise _stop("closed", opened.language, status=403)
    opened.filling.typed = read_typed(context.request.field_lists)
    check(opened.filling)
    if opened.filling.errors:
        return opened.page(context, button="send", status=422)
    now, sender = context.kobo.clock(), _sender(context.request)
    answers = {
        "formhub/uuid": opened.project["deployment_uuid"],
        **flatten(collect(opened.filling) | _device_answers(opened, now, sender)),
        "__version__": opened.project["deployed_version_uid"],
        "meta/instanceID": with_prefix(make_uuid()),
    }
    form = context.kobo.form_facts(context.db, opened.project)
    arrived = NewSubmission(answers=answers, submitted_by=sender, received_at=now)
    kobo_id = submissions.insert(context.db, form, [arrived])[0]
    context.db.execute("UPDATE project SET last_submission_at = ? WHERE uid = ?", (projects.stamp(now), uid))
    return _redirect_to_thanks(context, opened, kobo_id)


def _device_answers(opened: _OpenForm, now: datetime, sender: str | None) -> dict[str, Any]:
    """Return what a phone adds by itself, where the form asks for it."""
    known = {
        "end": now.isoformat(timespec="milliseconds"),
        "today": now.strftime("%Y-%m-%d"),
        "deviceid": "practice:web",
        "username": sender or "",
    }
    return {
        question.path: known[question.kind]
        for question in forms.walk(opened.filling.questions)
        if question.kind in known
    }


def _redirect_to_thanks(context: Context, opened: _OpenForm, kobo_id: int, *, edited: bool = False) -> Response:
    carried = {name: value for name, value in _carried(context.request, opened.language).items() if name != "key"}
    query = urlencode({**carried, "number": kobo_id, **({"edited": 1} if edited else {})})
    return Response(
        303, content_type="text/html", headers=[("Location", f"/x/{opened.project['uid']}/thanks/?{query}")]
    )


def show_thanks(context: Context, uid: str) -> Response:
    opened = _OpenForm(context, uid)
    number = context.request.parameter("number") or ""
    edited = context.request.parameter("edited") is not None
    again = f"/x/{uid}?{urlencode(_carried(context.request, opened.language))}"
    words = say("thanks_edit" if edited else "thanks", opened.language)
    shown = f"<p>{say('number', opened.language)}: {escape(number)}</p>" if number.isdecimal() else ""
    link = "" if edited else f'<p><a href="{escape(again)}">{say("another", opened.language)}</a></p>'
    body = f"<h1>{words}</h1>{shown}{link}"
    return _page(words, body, language=opened.language)


def _open_row(context: Context, opened: _OpenForm, key: str) -> sqlite3.Row:
    """Return the row to edit; the key in the link stands for a log-in."""
    right = context.kobo.edit_key(context.db, int(key))
    if not hmac.compare_digest(right, (context.request.parameter("key") or "").encode("ascii", "replace").decode()):
        raise _stop("no_key", opened.language, status=403)
    row: sqlite3.Row | None = context.db.execute(
        "SELECT * FROM submission WHERE project_uid = ? AND kobo_id = ? AND hidden = 0 AND ghost = 0",
        (opened.project["uid"], int(key)),
    ).fetchone()
    if row is None:
        raise _stop("row_not_found", opened.language, status=404)
    return row


def show_edit(context: Context, uid: str, key: str) -> Response:
    opened = _OpenForm(context, uid)
    row = _open_row(context, opened, key)
    opened.filling.typed = typed_from_answers(submissions.answers_of(row))
    frozen = "/view/" in context.request.path
    heading = f"<p>{say('viewing' if frozen else 'editing', opened.language)} {row['kobo_id']}</p>"
    return opened.page(context, button="" if frozen else "save", heading=heading, frozen=frozen)


def take_edit(context: Context, uid: str, key: str) -> Response:
    """Save a correction as an edit of the row: new instance id, the rest of its identity stays.

    As in Kobo the form of today decides: answers to questions that it no longer has are lost.
    """
    opened = _OpenForm(context, uid)
    row = _open_row(context, opened, key)
    opened.filling.typed = read_typed(context.request.field_lists)
    check(opened.filling)
    if opened.filling.errors:
        heading = f"<p>{say('editing', opened.language)} {row['kobo_id']}</p>"
        return opened.page(context, button="save", heading=heading, status=422)
    present = submissions.answers_of(row)
    answers = {
        **{name: present[name] for name in ("formhub/uuid",) if name in present},
        **flatten(collect(opened.filling)),
        "__version__": opened.project["deployed_version_uid"],
        "meta/instanceID": with_prefix(make_uuid()),
    }
    for question in forms.walk(opened.filling.questions):
        if question.kind == "end":
            answers[question.path] = context.kobo.clock().astimezone(UTC).isoformat(timespec="milliseconds")
    form, by = context.kobo.form_facts(context.db, opened.project), context.username or "AnonymousUser"
    submissions.edit(context.db, form, row, answers, by=by, now=context.kobo.clock())
    return _redirect_to_thanks(context, opened, row["kobo_id"], edited=True)
