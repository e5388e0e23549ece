"""Users of the practice Kobo, their tokens, and who may do what with a project."""

import hashlib
import hmac
import json
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assessments.kobo.practice.identifiers import make_token, make_uid

LABELS = {
    "add_submissions": "Add submissions",
    "change_asset": "Edit form",
    "change_submissions": "Edit submissions",
    "delete_submissions": "Delete submissions",
    "discover_asset": "Discover project",
    "manage_asset": "Manage project",
    "partial_submissions": "Act on submissions only from specific users",
    "validate_submissions": "Validate submissions",
    "view_asset": "View form",
    "view_submissions": "View submissions",
}
# What a permission brings with it, and Kobo's sentence for it (recording 11_permissions/001).
IMPLIED: dict[str, tuple[str, ...]] = {
    "add_submissions": (),
    "change_asset": ("view_asset",),
    "change_submissions": ("add_submissions", "view_submissions", "view_asset"),
    "delete_submissions": ("view_submissions", "view_asset"),
    "discover_asset": ("view_asset",),
    "manage_asset": (
        "add_submissions",
        "delete_submissions",
        "change_asset",
        "view_submissions",
        "discover_asset",
        "view_asset",
        "validate_submissions",
        "change_submissions",
    ),
    "partial_submissions": ("view_asset",),
    "validate_submissions": ("view_submissions", "view_asset"),
    "view_asset": (),
    "view_submissions": ("view_asset",),
}
SENTENCES = {
    "add_submissions": "Can submit data to asset",
    "change_asset": "Can change asset",
    "change_submissions": "Can modify submitted data for asset",
    "delete_submissions": "Can delete submitted data for asset",
    "discover_asset": "Can discover asset in public lists",
    "manage_asset": "Can manage all aspects of asset",
    "partial_submissions": "Can make partial actions on submitted data for asset for specific users",
    "validate_submissions": "Can validate submitted data asset",
    "view_asset": "Can view asset",
    "view_submissions": "Can view submitted data for asset",
}
_AGAINST_PARTIAL = ("view_submissions", "change_submissions", "delete_submissions", "validate_submissions")
CONTRADICTORY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_AGAINST_PARTIAL, ("partial_submissions",)),
    "partial_submissions": (*_AGAINST_PARTIAL, "manage_asset"),
}
OWNED = tuple(name for name in LABELS if name not in {"partial_submissions", "discover_asset"})


@dataclass(frozen=True)
class Access:
    """What one user may do with one project. ``filters`` narrow the rows of a partial permission; None: all rows."""

    codenames: frozenset[str]
    filters: list[dict[str, Any]] | None = None

    def allows(self, codename: str) -> bool:
        return codename in self.codenames

    @property
    def sees_rows(self) -> bool:
        return "view_submissions" in self.codenames or self.filters is not None


def create_user(
    db: sqlite3.Connection, username: str, *, password: str | None, token: str | None, now: datetime
) -> str:
    """Add a user and return the token. An existing user keeps the token; a given password replaces the old one."""
    found = db.execute("SELECT token FROM account WHERE username = ?", (username,)).fetchone()
    salt = secrets.token_hex(8)
    hashed = _hash(password or secrets.token_urlsafe(16), salt)
    if found:
        if password is not None:
            db.execute("UPDATE account SET salt = ?, password = ? WHERE username = ?", (salt, hashed, username))
        if token is not None:
            db.execute("UPDATE account SET token = ? WHERE username = ?", (token, username))
        return token or str(found["token"])
    token = token or make_token()
    row = (username, make_uid("u"), salt, hashed, token, now.isoformat())
    db.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)", row)
    return token


def _hash(password: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


def user_of_token(db: sqlite3.Connection, token: str) -> str | None:
    found = db.execute("SELECT username FROM account WHERE token = ?", (token,)).fetchone()
    return str(found["username"]) if found else None


def password_fits(db: sqlite3.Connection, username: str, password: str) -> bool:
    found = db.execute("SELECT salt, password FROM account WHERE username = ?", (username,)).fetchone()
    return found is not None and hmac.compare_digest(found["password"], _hash(password, found["salt"]))


def access_of(db: sqlite3.Connection, project: sqlite3.Row, username: str | None) -> Access:
    if username is not None and username == project["owner"]:
        return Access(frozenset(OWNED))
    rows = db.execute(
        "SELECT codename, partial FROM permission WHERE project_uid = ? AND username = ?", (project["uid"], username)
    ).fetchall()
    codenames = {name for row in rows for name in (row["codename"], *IMPLIED[row["codename"]])}
    filters: list[dict[str, Any]] = []
    for row in rows:
        if row["partial"]:
            filters.extend(_view_filters(json.loads(row["partial"])))
    if not filters or "view_submissions" in codenames:
        return Access(frozenset(codenames))
    return Access(frozenset(codenames), filters)


def _view_filters(partial: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        item for entry in partial if "/view_submissions/" in entry.get("url", "") for item in entry.get("filters", [])
    ]


def grant(
    db: sqlite3.Connection,
    project_uid: str,
    username: str,
    codename: str,
    *,
    partial: list[dict[str, Any]] | None = None,
) -> str:
    """Give a permission and what it brings with it; returns the uid of the assignment, the old one if it was there."""
    for name in IMPLIED[codename]:
        if name != "discover_asset":  # for public lists only: Kobo does not write it down
            _insert(db, project_uid, username, name, None)
    return _insert(db, project_uid, username, codename, partial)


def _insert(
    db: sqlite3.Connection, project_uid: str, username: str, codename: str, partial: list[dict[str, Any]] | None
) -> str:
    text = None if partial is None else json.dumps(partial)
    db.execute(
        "INSERT INTO permission VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (project_uid, username, codename) DO UPDATE SET partial = excluded.partial",
        (make_uid("p"), project_uid, username, codename, text),
    )
    found = db.execute(
        "SELECT uid FROM permission WHERE project_uid = ? AND username = ? AND codename = ?",
        (project_uid, username, codename),
    ).fetchone()
    return str(found["uid"])


def revoke(db: sqlite3.Connection, project_uid: str, username: str, *, codename: str | None = None) -> None:
    """Take one permission and those that need it, or all of a user."""
    names = [name for name, brings in IMPLIED.items() if codename is None or name == codename or codename in brings]
    db.executemany(
        "DELETE FROM permission WHERE project_uid = ? AND username = ? AND codename = ?",
        [(project_uid, username, name) for name in names],
    )
