"""REST Services of a project: where Kobo sends a notice of each new submission."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from assessments.kobo.connection import KoboConnection
from assessments.kobo.errors import KoboUnavailable

HOOK_HEADER = "X-DTM-Secret"
HOOK_NAME = "DTM Ops"
# Of the row Kobo sends these alone: a hint needs no answers.
HOOK_FIELDS = ("_id", "_uuid", "_xform_id_string")


@dataclass(frozen=True, slots=True)
class Hook:
    uid: str
    endpoint: str


def list_hooks(connection: KoboConnection, asset_uid: str) -> list[Hook]:
    """Needs the right to change the project; without it Kobo answers 404, also to who may read it (recording 11)."""
    answer = connection.get_object(_path(asset_uid), {"limit": "1000"}, missing="forbidden", asset_uid=asset_uid)
    results = answer.get("results")
    if not isinstance(results, list):
        raise KoboUnavailable("bad_answer", host=connection.host, what="results")
    return [_read(connection, found) for found in results]


def set_up_hook(connection: KoboConnection, asset_uid: str, *, endpoint: str, secret: str) -> Hook:
    """One service that sends to ``endpoint``. Ours is known by the path of its address and brought up to date, also
    after the site has moved to another host; if there are two of it, one is left.
    """
    present = _find_ours(connection, asset_uid, endpoint)
    wanted = {
        "name": HOOK_NAME,
        "endpoint": endpoint,
        "active": True,
        "export_type": "json",
        "auth_level": "no_auth",
        "subset_fields": list(HOOK_FIELDS),
        "payload_template": "",
        "email_notification": True,
        "settings": {"custom_headers": {HOOK_HEADER: secret}},
    }
    if not present:
        # Not sent twice: an answer that was lost may have made one.
        made = connection.send_object(
            "POST", _path(asset_uid), json_body=wanted, expected=(201,), again=False, asset_uid=asset_uid
        )
        return _read(connection, made)
    first, *doubles = present
    for double in doubles:
        _delete(connection, asset_uid, double)
    path = _path(asset_uid, first)
    return _read(connection, connection.send_object("PATCH", path, json_body=wanted, asset_uid=asset_uid))


def remove_hook(connection: KoboConnection, asset_uid: str, *, endpoint: str) -> int:
    """Delete what sends to that address. Returns how many there were."""
    present = _find_ours(connection, asset_uid, endpoint)
    for hook in present:
        _delete(connection, asset_uid, hook)
    return len(present)


def _find_ours(connection: KoboConnection, asset_uid: str, endpoint: str) -> list[Hook]:
    path = urlsplit(endpoint).path
    return [hook for hook in list_hooks(connection, asset_uid) if _path_of(hook.endpoint) == path]


def _path_of(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).path
    except ValueError:
        return ""


def _delete(connection: KoboConnection, asset_uid: str, hook: Hook) -> None:
    connection.send_object("DELETE", _path(asset_uid, hook), expected=(204,), asset_uid=asset_uid)


def _path(asset_uid: str, hook: Hook | None = None) -> str:
    hooks = f"/api/v2/assets/{quote(asset_uid, safe='')}/hooks/"
    return hooks if hook is None else f"{hooks}{quote(hook.uid, safe='')}/"


def _read(connection: KoboConnection, found: object) -> Hook:
    described: Mapping[str, Any] = found if isinstance(found, dict) else {}
    uid, endpoint = described.get("uid"), described.get("endpoint")
    if not isinstance(uid, str) or not uid or not isinstance(endpoint, str):
        raise KoboUnavailable("bad_answer", host=connection.host, what="hook")
    return Hook(uid, endpoint)
