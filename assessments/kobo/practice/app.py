"""The practice Kobo as a WSGI application: who asks, which handler answers, and what goes wrong on purpose."""

import base64
import binascii
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assessments.kobo.practice import (
    accounts,
    data_views,
    faults,
    hook_views,
    import_views,
    listing,
    media_views,
    openrosa,
    pages,
    permission_views,
    project_views,
)
from assessments.kobo.practice.context import Context, Handler
from assessments.kobo.practice.drawing import escape
from assessments.kobo.practice.exchange import (
    HttpError,
    Request,
    Response,
    as_json,
    detail,
    iterate_body,
    not_allowed,
    not_found,
)
from assessments.kobo.practice.state import PracticeKobo

_GONE = "The V1 API has been removed. Please read the migration article at https://support.kobotoolbox.org/migrating_api.html"
_SAFE = frozenset({"GET", "HEAD"})
_STYLESHEET = Path(__file__).with_name("practice.css")


def get_token(context: Context) -> Response:
    if context.username is None:
        return _refuse_login("Authentication credentials were not provided.")
    row = context.db.execute("SELECT token FROM account WHERE username = ?", (context.username,)).fetchone()
    return as_json({"token": row["token"]})


def get_me(context: Context) -> Response:
    if context.username is None:
        return _refuse_login("Authentication credentials were not provided.")
    row = context.db.execute("SELECT * FROM account WHERE username = ?", (context.username,)).fetchone()
    base = context.request.base_url
    return as_json(
        {
            "username": row["username"],
            "first_name": "",
            "last_name": "",
            "email": f"{row['username']}@example.org",
            "is_superuser": False,
            "server_time": context.kobo.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "date_joined": row["created_at"][:19] + "Z",
            "projects_url": f"{base}/{row['username']}",
            "gravatar": "https://www.gravatar.com/avatar/0?s=40",
            "last_login": None,
            "extra_details": {"name": row["username"]},
            "git_rev": False,
            "social_accounts": [],
            "validated_password": True,
            "accepted_tos": False,
            "organization": {},
            "extra_details__uid": row["uid"],
        }
    )


def get_health(context: Context) -> Response:
    return Response(body=b"OK KPI\n\nPractice Kobo: OK in 0.000001 seconds\n", content_type="text/plain")


def get_stylesheet(context: Context) -> Response:
    return Response(
        body=_STYLESHEET.read_bytes(), content_type="text/css; charset=utf-8", headers=[("Cache-Control", "max-age=60")]
    )


def answer_gone(context: Context) -> Response:
    return detail(410, _GONE)


def _refuse_login(text: str) -> Response:
    return as_json({"detail": text}, status=401, headers=[("WWW-Authenticate", "Session")])


_ASSET = r"/api/v2/assets/(?P<uid>\w+)"
_DATA = rf"{_ASSET}/data"
_ROW = rf"{_DATA}/(?P<key>[^/]+)"

_ROUTES: list[tuple[re.Pattern[str], dict[str, Handler]]] = [
    (re.compile(pattern), handlers)
    for pattern, handlers in (
        (r"/token/", {"GET": get_token, "POST": get_token}),
        (r"/me/", {"GET": get_me}),
        (r"/service_health/", {"GET": get_health}),
        (r"/api/v2/permissions/", {"GET": permission_views.get_catalogue}),
        (r"/api/v2/imports/", {"GET": import_views.list_imports, "POST": import_views.create_import}),
        (r"/api/v2/imports/(?P<uid>\w+)/", {"GET": import_views.get_import}),
        (r"/api/v2/assets/", {"GET": project_views.list_assets, "POST": project_views.create_asset}),
        (r"/api/v2/assets/hash/", {"GET": project_views.get_hash}),
        (
            rf"{_ASSET}/",
            {
                "GET": project_views.get_asset,
                "PATCH": project_views.change_asset,
                "DELETE": project_views.delete_asset,
            },
        ),
        (rf"{_ASSET}/valid_content/", {"GET": project_views.get_valid_content}),
        (rf"{_ASSET}/versions/", {"GET": project_views.list_versions}),
        (rf"{_ASSET}/versions/(?P<version>\w+)/", {"GET": project_views.get_version}),
        (
            rf"{_ASSET}/deployment/",
            {
                "GET": project_views.get_deployment,
                "POST": project_views.deploy_first,
                "PATCH": project_views.redeploy,
            },
        ),
        (rf"{_ASSET}/counts/", {"GET": project_views.get_counts}),
        (rf"{_ASSET}/history/", {"GET": data_views.get_history}),
        (rf"{_ASSET}/hooks/", {"GET": hook_views.list_hooks, "POST": hook_views.create_hook}),
        (
            rf"{_ASSET}/hooks/(?P<hook>\w+)/",
            {"GET": hook_views.get_hook, "PATCH": hook_views.change_hook, "DELETE": hook_views.delete_hook},
        ),
        (rf"{_ASSET}/hooks/(?P<hook>\w+)/logs/", {"GET": hook_views.list_logs}),
        (rf"{_ASSET}/files/", {"GET": media_views.list_media, "POST": media_views.upload_media}),
        (rf"{_ASSET}/files/(?P<media>\w+)/", {"GET": media_views.get_media, "DELETE": media_views.delete_media}),
        (rf"{_ASSET}/files/(?P<media>\w+)/content/", {"GET": media_views.download_media}),
        (
            rf"{_ASSET}/permission-assignments/",
            {"GET": permission_views.get_permissions, "POST": permission_views.add_permission},
        ),
        (rf"{_ASSET}/permission-assignments/bulk/", {"POST": permission_views.replace_permissions}),
        (rf"{_ASSET}/permission-assignments/(?P<assignment>\w+)/", {"DELETE": permission_views.remove_permission}),
        (rf"{_ASSET}/attachments/(?P<attachment>\w+)/", {"DELETE": data_views.delete_attachment}),
        (rf"{_DATA}/", {"GET": listing.get_list}),
        (rf"{_DATA}\.json", {"GET": listing.get_list}),
        (rf"{_DATA}/bulk/", {"PATCH": data_views.edit_many, "DELETE": data_views.delete_many}),
        (
            rf"{_DATA}/validation_statuses/",
            {"PATCH": data_views.change_statuses, "DELETE": data_views.change_statuses},
        ),
        (rf"{_ROW}/", {"GET": data_views.get_row, "DELETE": data_views.delete_row}),
        (
            rf"{_ROW}/validation_status/",
            {
                "GET": data_views.get_status,
                "PATCH": data_views.patch_status,
                "DELETE": data_views.delete_status,
            },
        ),
        (rf"{_ROW}/duplicate/", {"POST": data_views.duplicate_row}),
        (rf"{_ROW}/enketo/(?P<page>edit|view)/", {"GET": data_views.get_enketo_link}),
        (rf"{_ROW}/attachments/", {"GET": data_views.get_attachment_by_path}),
        (rf"{_ROW}/attachments/(?P<attachment>\w+)/", {"GET": data_views.get_attachment}),
        (
            rf"{_ROW}/attachments/(?P<attachment>\w+)/(?P<size>small|medium|large|original)/",
            {"GET": data_views.get_attachment},
        ),
        (r"/submission", {"HEAD": openrosa.head_submission, "POST": openrosa.receive}),
        (r"/(?P<owner>[\w.\-]+)/submission", {"HEAD": openrosa.head_submission, "POST": openrosa.receive}),
        (r"/formList", {"GET": openrosa.list_forms}),
        (r"/xformsManifest/(?P<pk>\d{1,15})", {"GET": media_views.get_manifest}),
        (r"/xformsMedia/(?P<pk>\d{1,15})/(?P<media>\d{1,15})\.\w+", {"GET": media_views.get_phone_media}),
        (r"/", {"GET": pages.show_projects}),
        (r"/static/practice\.css", {"GET": get_stylesheet}),
        (r"/x/(?P<uid>\w+)/?", {"GET": pages.show_form, "POST": pages.take_form}),
        (r"/x/(?P<uid>\w+)/thanks/", {"GET": pages.show_thanks}),
        (r"/x/(?P<uid>\w+)/(?:edit|view)/(?P<key>\d{1,18})/?", {"GET": pages.show_edit, "POST": pages.take_edit}),
    )
]
_PHONE_PATHS = re.compile(r"/(?:[\w.\-]+/)?submission|/formList|/xformsM\w+/.*")
_GONE_PATHS = re.compile(r"/api/v1(?:/.*)?|/(?:assets|environment|imports)/.*")


class Application:
    """The WSGI callable. Every answer is complete before the first byte leaves, unless a fault says otherwise."""

    def __init__(self, kobo: PracticeKobo, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.kobo = kobo
        self.pause = pause
        kobo.ensure_secret()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        response = self.answer(request)
        length = len(response.body)
        kind = [("Content-Type", response.content_type)] if response.content_type else []
        headers = [*kind, *response.headers]
        if request.username and response.names_user:
            headers.append(("X-Kobonaut", request.username))
        if response.status != 204:
            headers.append(("Content-Length", str(length)))
        start_response(response.status_line, headers)
        if request.method == "HEAD" or response.status in {204, 304}:
            return [b""]
        return iterate_body(response, pause=self.pause)

    def answer(self, request: Request) -> Response:
        fault = self.kobo.take_fault(request.path)
        if fault is not None and faults.is_refusal(fault):
            return faults.refuse(fault)
        try:
            response = self._route(request)
        except HttpError as stop:
            response = stop.response
        return response if fault is None else faults.spoil(fault, response)

    def _route(self, request: Request) -> Response:
        if _GONE_PATHS.fullmatch(request.path):
            return detail(410, _GONE)
        self._authenticate(request)
        for pattern, handlers in _ROUTES:
            found = pattern.fullmatch(request.path)
            if found:
                return self._run(request, handlers, found.groupdict())
        slashed = request.path + "/"
        if any(pattern.fullmatch(slashed) for pattern, _ in _ROUTES):
            query = f"?{request.query_string}" if request.query_string else ""
            location = [("Location", slashed + query)]
            return Response(301, content_type="text/html; charset=utf-8", headers=location, names_user=False)
        return not_found()

    def _run(self, request: Request, handlers: dict[str, Handler], parameters: dict[str, str]) -> Response:
        handler = handlers.get(request.method)
        if handler is None and request.method == "HEAD":
            handler = handlers.get("GET")
        if handler is None:
            return not_allowed(request.method)
        if request.method in _SAFE:
            transaction = self.kobo.database.reading()
        else:
            _ = request.body  # read before the write lock is held: a slow client must not stop the others
            transaction = self.kobo.database.writing()
        with transaction as db:
            response = handler(Context(self.kobo, request, db), **parameters)
        if request.method not in _SAFE:
            self.kobo.hooks.wake()
        return _as_page(request, response) if _wants_page(request) else response

    def _authenticate(self, request: Request) -> None:
        """Find out who asks; wrong credentials stop here with 401, none at all go on as anonymous."""
        scheme, _, credentials = request.header("Authorization").partition(" ")
        if scheme.lower() not in {"token", "basic"}:
            return
        with self.kobo.database.reading() as db:
            if scheme.lower() == "token":
                request.username, refusal = accounts.user_of_token(db, credentials.strip()), "Invalid token."
            else:
                request.username, refusal = _user_of_password(db, credentials), "Invalid username/password."
        if request.username is None:
            phone = _PHONE_PATHS.fullmatch(request.path)
            raise HttpError(openrosa.refuse_login(refusal) if phone else _refuse_login(refusal))


def _user_of_password(db: sqlite3.Connection, credentials: str) -> str | None:
    try:
        username, _, password = base64.b64decode(credentials).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return username if accounts.password_fits(db, username, password) else None


def _wants_page(request: Request) -> bool:
    """A browser gets the browsable API as HTML; so does a client that sends a browser's Accept header."""
    accept = request.header("Accept")
    return (
        request.path.startswith("/api/v2/")
        and accept.startswith(("text/html", "application/xhtml"))
        and request.parameter("format") is None
    )


def _as_page(request: Request, response: Response) -> Response:
    if response.content_type != "application/json":
        return response
    shown = escape(response.body.decode())
    body = pages.frame("KoboToolbox API", f"<h1>KoboToolbox API</h1><pre>{shown}</pre>", language="en")
    return Response(response.status, body.encode(), "text/html; charset=utf-8", response.headers)
