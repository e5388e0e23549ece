"""Writing a form to KoboToolbox: create or import, deploy, say who may send forms.

What is at Kobo is read before and after each step; nothing is taken as done because a request was answered.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from assessments.kobo.connection import KoboConnection
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.kobo.payloads import clean_text

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ADD_SUBMISSIONS = "add_submissions"
# An import is a task of Kobo's own queue: seconds usually, minutes on a busy server.
POLL_SECONDS = (0.2, 0.5, 1.0, 2.0, 3.0)
IMPORT_DEADLINE = 180.0

_DETAIL_EXCLUDE = (
    "deployment__links,deployment__data_download_links,deployed_versions,assignable_permissions,effective_permissions,"
    "files,report_styles,report_custom,map_styles,map_custom,export_settings,summary,analysis_form_json,downloads,"
    "embeds,children,paired_data"
)
_PAGE = 100
_MOST_PROJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Project:
    """A project as somebody who changes it has to know it.

    ``draft`` is what the next deployment brings to phones, deployed or not. ``status``: draft, deployed, archived.
    ``rights``: (user name, permission) of everybody, complete only for an account that may manage the project.
    """

    uid: str
    name: str
    owner: str
    status: str
    version_id: str
    deployed_version_id: str
    deployed_at: datetime | None
    draft: Mapping[str, Any] = field(default_factory=dict)
    rights: frozenset[tuple[str, str]] = frozenset()

    @property
    def has_undeployed_changes(self) -> bool:
        return self.version_id != self.deployed_version_id


def read_project(connection: KoboConnection, asset_uid: str) -> Project:
    found = connection.get_object(asset_path(asset_uid), {"exclude": _DETAIL_EXCLUDE}, asset_uid=asset_uid)
    return _read_project(found)


def find_projects(connection: KoboConnection, name: str, *, owner: str) -> list[Project]:
    """Surveys of exactly this name that the account owns, the oldest first.

    The list is asked for by kind only: its search knows words, not names, and refuses short ones.
    """
    found: list[Project] = []
    for start in range(0, _MOST_PROJECTS, _PAGE):
        params = {"q": "asset_type:survey", "limit": str(_PAGE), "start": str(start), "ordering": "date_created"}
        answer = connection.get_object("/api/v2/assets/", params)
        rows = answer.get("results")
        if not isinstance(rows, list):
            raise KoboUnavailable("bad_answer", host=connection.host, what="list of projects")
        found += [_read_project(row) for row in rows if isinstance(row, dict) and row.get("name") == name]
        if len(rows) < _PAGE:
            break
    return [project for project in found if project.owner == owner]


def import_form(
    connection: KoboConnection,
    workbook: bytes,
    *,
    filename: str,
    asset_uid: str = "",
    pause: Callable[[float], None] = time.sleep,
    deadline: float = IMPORT_DEADLINE,
) -> str:
    """Give Kobo an XLSForm: a new project, or the draft of the one named. Return the project's uid.

    Never sent twice by itself: a second import would be a second project. A form that Kobo cannot read raises
    KoboRejected ``import_failed`` with Kobo's own words.
    """
    # Form data, since Kobo reads nothing else here; without library=false a form lands among the library's blocks.
    form = {"library": "false", "name": filename.rpartition(".")[0]}
    if asset_uid:
        form |= {"destination": f"{connection.base_url}{asset_path(asset_uid)}", "assetUid": asset_uid}
    task = connection.send_object(
        "POST", "/api/v2/imports/", form=form, files={"file": (filename, workbook, XLSX)}, expected=(200, 201),
        again=False, asset_uid=asset_uid,
    )  # fmt: skip
    uid = _take_text(task, "uid")
    if not uid:
        raise KoboUnavailable("bad_answer", host=connection.host, what="import without uid")
    done = _await_import(connection, uid, pause, deadline)
    entries = [entry for name in ("created", "updated") for entry in done.get(name) or [] if isinstance(entry, dict)]
    made = [_take_text(entry, "uid") for entry in entries if entry.get("kind", "asset") == "asset"]
    if not made or (asset_uid and asset_uid not in made):
        raise KoboUnavailable("bad_answer", host=connection.host, what="import without a project")
    return asset_uid or made[0]


def _await_import(
    connection: KoboConnection, uid: str, pause: Callable[[float], None], deadline: float
) -> dict[str, Any]:
    started, turn = time.monotonic(), 0
    while True:
        task = connection.get_object(f"/api/v2/imports/{quote(uid, safe='')}/", missing="no_import")
        messages = task.get("messages")
        messages = messages if isinstance(messages, dict) else {}
        if task.get("status") == "complete":
            return messages
        if task.get("status") == "error":
            reason = clean_text(str(messages.get("error") or messages.get("error_type") or "?"))[:200]
            raise KoboRejected("import_failed", host=connection.host, reason=reason)
        if time.monotonic() - started > deadline:
            raise KoboUnavailable("import_slow", host=connection.host)
        pause(POLL_SECONDS[min(turn, len(POLL_SECONDS) - 1)])
        turn += 1


def deploy(connection: KoboConnection, asset_uid: str, *, version_id: str) -> Project:
    """Bring the draft ``version_id`` to phones, with the media files, and read back what Kobo has deployed.

    Another draft than that is not deployed (KoboRejected ``changed_meanwhile``): somebody saved in between, and Kobo
    would answer a plain failure. The same version again makes no new one; it renews the media.
    """
    project = read_project(connection, asset_uid)
    if project.version_id != version_id:
        raise KoboRejected("changed_meanwhile", host=connection.host, asset_uid=asset_uid)
    path = f"{asset_path(asset_uid)}deployment/"
    try:
        if project.deployed_version_id:
            # For a deployed form PATCH, for any other POST; the wrong one is 405.
            body = {"active": True, "version_id": version_id}
            connection.send_object("PATCH", path, json_body=body, expected=(200, 201), asset_uid=asset_uid)
        else:
            # Without active=true the form is deployed and archived at once: phones never see it.
            connection.send_object("POST", path, json_body={"active": True}, expected=(200, 201), asset_uid=asset_uid)
    except KoboRejected as error:
        # After an answer that was lost, the second POST is told that there is a deployment already.
        if error.params.get("status") != 405:
            raise
    except KoboUnavailable as error:
        if error.code == "server_error" and read_project(connection, asset_uid).version_id != version_id:
            raise KoboRejected("changed_meanwhile", host=connection.host, asset_uid=asset_uid) from None
        raise
    after = read_project(connection, asset_uid)
    if after.deployed_version_id != version_id or after.status != "deployed":
        raise KoboUnavailable("not_taken", host=connection.host, asset_uid=asset_uid)
    return after


def grant(connection: KoboConnection, asset_uid: str, username: str, permission: str = ADD_SUBMISSIONS) -> None:
    """Add one permission of one user. Kobo's way to send many at once takes away everybody else's: it is never used.

    An unknown user raises KoboRejected ``no_account``.
    """
    body = {
        "user": f"{connection.base_url}/api/v2/users/{quote(username, safe='')}/",
        "permission": f"{connection.base_url}/api/v2/permissions/{permission}/",
    }
    path = f"{asset_path(asset_uid)}permission-assignments/"
    try:
        connection.send_object("POST", path, json_body=body, expected=(200, 201), asset_uid=asset_uid)
    except KoboRejected as error:
        if error.code == "bad_request" and '"user"' in str(error.params.get("excerpt")):
            raise KoboRejected("no_account", host=connection.host, username=username) from None
        raise


def asset_path(asset_uid: str) -> str:
    return f"/api/v2/assets/{quote(asset_uid, safe='')}/"


def _read_project(found: Mapping[str, Any]) -> Project:
    deployed = _take_text(found, "deployed_version_id")
    status = _take_text(found, "deployment_status")
    content = found.get("content")
    rights = found.get("permissions")
    return Project(
        uid=_take_text(found, "uid"),
        name=_take_text(found, "name"),
        owner=_take_text(found, "owner__username"),
        # servers before 2023 do not send deployment_status
        status=status or ("draft" if not deployed else "deployed" if found.get("deployment__active") else "archived"),
        version_id=_take_text(found, "version_id"),
        deployed_version_id=deployed,
        deployed_at=read_moment(found.get("date_deployed")),
        draft=content if isinstance(content, dict) else {},
        rights=frozenset(
            (_last_part(entry.get("user")), _last_part(entry.get("permission")))
            for entry in (rights if isinstance(rights, list) else [])
            if isinstance(entry, dict)
        ),
    )


def read_moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _last_part(address: object) -> str:
    return urlsplit(str(address)).path.rstrip("/").rpartition("/")[2]


def _take_text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return clean_text(value) if isinstance(value, str) else ""
