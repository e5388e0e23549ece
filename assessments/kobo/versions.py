"""Versions of a form at KoboToolbox: what each one asks, and since when it is deployed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from assessments.kobo.connection import KoboConnection
from assessments.kobo.errors import KoboUnavailable


@dataclass(frozen=True, slots=True)
class FormVersion:
    """``content``: survey, choices, settings, translations. ``deployed_at``: UTC; None where Kobo does not say."""

    uid: str
    content: dict[str, Any]
    deployed_at: datetime | None


def read_version(connection: KoboConnection, asset_uid: str, version_uid: str) -> FormVersion:
    """One version as it was saved. KoboRejected ``no_version`` also where the whole project is gone."""
    path = f"/api/v2/assets/{quote(asset_uid, safe='')}/versions/{quote(version_uid, safe='')}/"
    found = connection.get_object(path, asset_uid=asset_uid, missing="no_version", version_uid=version_uid)
    content = found.get("content")
    if not isinstance(content, dict):
        raise KoboUnavailable("bad_answer", host=connection.host, what="version without content")
    return FormVersion(version_uid, content, _read_moment(found.get("date_deployed")))


def _read_moment(value: object) -> datetime | None:
    """``false`` for a version that never was deployed."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
