"""What a handler gets: the state, the request, an open transaction; and the questions most handlers ask."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assessments.kobo.practice import accounts, projects
from assessments.kobo.practice.accounts import Access
from assessments.kobo.practice.exchange import HttpError, Request, Response, as_json, forbidden, not_found
from assessments.kobo.practice.identifiers import with_prefix, without_prefix
from assessments.kobo.practice.state import PracticeKobo


@dataclass(frozen=True)
class Context:
    """``db`` is a read snapshot for GET and HEAD, a write transaction otherwise; HttpError rolls it back."""

    kobo: PracticeKobo
    request: Request
    db: sqlite3.Connection

    @property
    def username(self) -> str | None:
        return self.request.username

    def asset_url(self, uid: str) -> str:
        return f"{self.request.base_url}/api/v2/assets/{uid}/"

    def project(self, uid: str, *, needs: str = "view_asset") -> tuple[sqlite3.Row, Access]:
        """Return a project that the user may see: 404 where not, 403 where seen but ``needs`` is missing."""
        found = projects.find(self.db, uid)
        if found is None:
            raise HttpError(not_found())
        access = accounts.access_of(self.db, found, self.username)
        if not access.allows("view_asset"):
            raise HttpError(not_found())
        if not access.allows(needs):
            raise HttpError(forbidden())
        return found, access

    def data(self, uid: str, *, needs: str = "view_submissions") -> tuple[sqlite3.Row, Access]:
        """Return a deployed project whose rows the user may see. An unknown project answers in plain text (04/072)."""
        found = projects.find(self.db, uid)
        if found is None:
            raise HttpError(Response(404, b"Resource not found (404)", "text/html; charset=utf-8", names_user=False))
        access = accounts.access_of(self.db, found, self.username)
        if not access.sees_rows:
            raise HttpError(not_found())
        if needs != "view_submissions" and not access.allows(needs):
            raise HttpError(forbidden())
        if found["deployed_version_uid"] is None:
            raise HttpError(as_json({"detail": "The specified asset has not been deployed"}, status=400))
        return found, access

    def submission(self, project: sqlite3.Row, key: str) -> sqlite3.Row:
        """Return a visible row by ``_id``, root uuid or current uuid, with or without ``uuid:``; 404 if none."""
        if key.isdecimal() and len(key) < 19:
            sql, values = "kobo_id = ?", [str(int(key))]
        else:
            bare = without_prefix(key)
            sql, values = "(root_uuid = ? OR uuid = ?)", [with_prefix(bare), bare]
        found: sqlite3.Row | None = self.db.execute(
            " ".join(
                ("SELECT * FROM submission WHERE project_uid = ? AND hidden = 0 AND", sql, "ORDER BY kobo_id LIMIT 1")
            ),
            [project["uid"], *values],
        ).fetchone()
        if found is None:
            raise HttpError(not_found())
        return found


Handler = Callable[..., Response]
Route = tuple[Any, dict[str, Handler]]
