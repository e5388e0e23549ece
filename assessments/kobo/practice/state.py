"""The practice Kobo's state as the seed, tests and chaos use it; the HTTP side is built on the same object."""

import hmac
import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assessments.kobo.practice import accounts, faults, forms, projects, submissions
from assessments.kobo.practice.answers import Answers, flatten
from assessments.kobo.practice.database import Database
from assessments.kobo.practice.exchange import clean_filename
from assessments.kobo.practice.hooks import HookSender
from assessments.kobo.practice.identifiers import make_uuid, with_prefix
from assessments.kobo.practice.submissions import FormFacts, NewSubmission

# A page of ids only took 0.10 s where a full page took 0.27 s (recordings, 15_paging_large/001).
IDS_SHARE_OF_PACE = 0.37


class UnknownProject(LookupError):
    """No project of that uid."""


class UnknownSubmission(LookupError):
    """No row of that ``_id``."""


def now_in_utc() -> datetime:
    return datetime.now(UTC)


class PracticeKobo:
    """A practice server's whole state in one SQLite file; safe with threads and across processes.

    Nothing is kept in memory: a second object on the same file, also in another process, sees and changes the same.
    ``hooks`` tells the REST Services of what has arrived.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], datetime] = now_in_utc) -> None:
        self.database = Database(path)
        self.clock = clock
        self.hooks = HookSender(self.database, lambda: self.clock())
        self._form_cache: dict[tuple[str, str], tuple[list[str], set[str]]] = {}
        self._cache_lock = threading.Lock()

    def close(self) -> None:
        self.hooks.close()
        self.database.close()

    # People and projects

    def create_user(self, username: str, password: str | None = None, *, token: str | None = None) -> str:
        """Add a user, or find it, and return its token. Without a password only the token lets it in."""
        with self.database.writing() as db:
            return accounts.create_user(db, username, password=password, token=token, now=self.clock())

    def token_of(self, username: str) -> str | None:
        with self.database.reading() as db:
            found = db.execute("SELECT token FROM account WHERE username = ?", (username,)).fetchone()
            return str(found["token"]) if found else None

    def create_asset(
        self,
        uid: str,
        name: str,
        owner: str,
        content: dict[str, Any],
        *,
        deployed: bool = True,
        version_uid: str | None = None,
    ) -> str:
        """Add a project of an existing user and return its version uid; ValueError when the uid is taken."""
        with self.database.writing() as db:
            if projects.find(db, uid) is not None:
                raise ValueError(f"project {uid} exists")
            version = projects.create(db, uid, name, owner, content, now=self.clock(), version_uid=version_uid)
            if deployed:
                projects.deploy(db, uid, now=self.clock())
        return version

    def has_asset(self, uid: str) -> bool:
        with self.database.reading() as db:
            return projects.find(db, uid) is not None

    def deploy_version(
        self, uid: str, content: dict[str, Any], *, name: str | None = None, version_uid: str | None = None
    ) -> str:
        """Put new content in the field; the same content again keeps its version, as in Kobo."""
        with self.database.writing() as db:
            self._project(db, uid)
            projects.change_content(db, uid, content, now=self.clock(), name=name, version_uid=version_uid)
            return projects.deploy(db, uid, now=self.clock())

    def delete_asset(self, uid: str) -> None:
        with self.database.writing() as db:
            projects.delete(db, uid)

    def grant(self, uid: str, username: str, codename: str, *, filters: list[dict[str, Any]] | None = None) -> None:
        """Give a right to a project. ``filters`` (with ``partial_submissions``) let only matching rows be seen."""
        partial = None if filters is None else [{"url": "/api/v2/permissions/view_submissions/", "filters": filters}]
        with self.database.writing() as db:
            self._project(db, uid)
            accounts.grant(db, uid, username, codename, partial=partial)

    def revoke(self, uid: str, username: str, *, codename: str | None = None) -> None:
        with self.database.writing() as db:
            accounts.revoke(db, uid, username, codename=codename)

    # Submissions

    def submit(
        self,
        asset_uid: str,
        answers: Answers,
        *,
        submitted_by: str | None,
        submission_time: datetime | None = None,
        uuid: str | None = None,
        version_uid: str | None = None,
        kobo_id: int | None = None,
        attachments: Collection[tuple[str, str, bytes]] = (),
        hidden: bool = False,
    ) -> int:
        """Store a submission as if a phone had sent it, return its ``_id``. Attachments are (name, type, content).

        A taken ``kobo_id`` raises ``sqlite3.IntegrityError``.
        """
        fields = {
            "answers": answers,
            "submitted_by": submitted_by,
            "submission_time": submission_time,
            "uuid": uuid,
            "version_uid": version_uid,
            "kobo_id": kobo_id,
            "hidden": hidden,
        }
        with self.database.writing() as db:
            project = self._project(db, asset_uid)
            form = self.form_facts(db, project)
            kept = submissions.insert(db, form, [self._prepare(project, fields)])[0]
            if attachments:
                files = [(clean_filename(name), kind, content) for name, kind, content in attachments]
                submissions.attach(db, form, self._submission(db, kept), files)
            self._note_arrival(db, asset_uid)
        self.hooks.wake()
        return kept

    def submit_many(self, asset_uid: str, rows: Iterable[Mapping[str, Any]]) -> list[int]:
        """Store many submissions in one transaction; each a mapping of ``submit``'s arguments but attachments."""
        with self.database.writing() as db:
            project = self._project(db, asset_uid)
            form = self.form_facts(db, project)
            ids = submissions.insert(db, form, [self._prepare(project, row) for row in rows])
            self._note_arrival(db, asset_uid)
        self.hooks.wake()
        return ids

    def _prepare(self, project: sqlite3.Row, fields: Mapping[str, Any]) -> NewSubmission:
        version = fields.get("version_uid") or project["deployed_version_uid"]
        instance_id = with_prefix(fields.get("uuid") or make_uuid())
        answers = {
            **({"formhub/uuid": project["deployment_uuid"]} if project["deployment_uuid"] else {}),
            **flatten(fields["answers"]),
            **({"__version__": version} if version else {}),
            "meta/instanceID": instance_id,
        }
        moment = fields.get("submission_time") or self.clock()
        if moment.tzinfo is None:
            raise ValueError("submission_time needs a time zone")
        return NewSubmission(
            answers=answers,
            submitted_by=fields.get("submitted_by"),
            received_at=moment.astimezone(UTC),
            kobo_id=fields.get("kobo_id"),
            hidden=bool(fields.get("hidden")),
        )

    def _note_arrival(self, db: sqlite3.Connection, asset_uid: str) -> None:
        moment = projects.stamp(self.clock())
        db.execute("UPDATE project SET last_submission_at = ? WHERE uid = ?", (moment, asset_uid))

    def edit(
        self, kobo_id: int, answers: Answers, *, uuid: str | None = None, replace: bool = False, by: str = ""
    ) -> str:
        """Change answers of a row as an edit does and return the new ``_uuid``.

        Given keys replace the row's, a blank value removes one; ``replace`` drops all other answers. ``by``: the
        project's owner where nobody is named.
        """
        with self.database.writing() as db:
            row = self._submission(db, kobo_id)
            project = self._project(db, row["project_uid"])
            new_uuid = uuid or make_uuid()
            new = _merge(row, answers, new_uuid, replace=replace)
            submissions.edit(db, self.form_facts(db, project), row, new, by=by or project["owner"], now=self.clock())
        return new_uuid

    def attach(self, kobo_id: int, attachments: Collection[tuple[str, str, bytes]]) -> None:
        """Files (name, type, content) that come after their form, as phones send them in several posts."""
        with self.database.writing() as db:
            row = self._submission(db, kobo_id)
            files = [(clean_filename(name), kind, content) for name, kind, content in attachments]
            submissions.attach(db, self.form_facts(db, self._project(db, row["project_uid"])), row, files)

    def delete(self, kobo_id: int) -> None:
        """Delete a row; UnknownSubmission when there is none."""
        with self.database.writing() as db:
            self._submission(db, kobo_id)
            submissions.delete(db, [kobo_id])

    def set_validation(self, kobo_id: int, uid: str | None, *, by: str) -> None:
        """Set one of Kobo's three statuses, None clears; ValueError for another uid."""
        if uid is not None and uid not in submissions.VALIDATION_LABELS:
            raise ValueError(f"unknown validation status {uid!r}")
        with self.database.writing() as db:
            submissions.set_validation(db, [self._submission(db, kobo_id)], uid, by=by, now=self.clock())

    def row(self, kobo_id: int) -> dict[str, Any]:
        """Return the row as ``/data/{id}/`` lists it, hidden or not, attachment addresses without a host."""
        with self.database.reading() as db:
            return submissions.parse_body(self._submission(db, kobo_id)["body"])

    def ids(self, asset_uid: str) -> list[int]:
        """Return the ``_id`` of every visible row, ascending."""
        with self.database.reading() as db:
            found = db.execute(
                "SELECT kobo_id FROM submission WHERE project_uid = ? AND hidden = 0 ORDER BY kobo_id", (asset_uid,)
            )
            return [row["kobo_id"] for row in found]

    def count(self, asset_uid: str) -> int:
        return len(self.ids(asset_uid))

    # A bad day

    def hide(self, kobo_id: int) -> None:
        """Take a row from the list as if its attachments were still being stored; ``show`` lets it appear late."""
        self._set_hidden(kobo_id, hidden=True)

    def show(self, kobo_id: int) -> None:
        self._set_hidden(kobo_id, hidden=False)

    def _set_hidden(self, kobo_id: int, *, hidden: bool) -> None:
        with self.database.writing() as db:
            self._submission(db, kobo_id)
            db.execute("UPDATE submission SET hidden = ? WHERE kobo_id = ?", (int(hidden), kobo_id))

    def make_ghost(self, kobo_id: int) -> None:
        """Leave the row in the list only: no XML, it cannot be deleted, and its uuid may be posted again."""
        with self.database.writing() as db:
            self._submission(db, kobo_id)
            db.execute("UPDATE submission SET ghost = 1 WHERE kobo_id = ?", (kobo_id,))

    def add_ghost(self, kobo_id: int, *, ghost_id: int | None = None) -> int:
        """List the row a second time under another ``_id``, as after a deadlock; returns that id."""
        with self.database.writing() as db:
            row = self._submission(db, kobo_id)
            form = self.form_facts(db, self._project(db, row["project_uid"]))
            ghost = NewSubmission(
                answers=submissions.answers_of(row),
                submitted_by=row["submitted_by"],
                root_uuid=row["root_uuid"],
                received_at=datetime.fromisoformat(row["received_at"]),
                kobo_id=ghost_id,
                ghost=True,
            )
            return submissions.insert(db, form, [ghost])[0]

    def misbehave(
        self,
        kind: str,
        *,
        times: int = 1,
        skip: int = 0,
        path: str = "",
        retry_after: int | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Answer the next ``times`` requests wrongly, after ``skip`` right ones, where ``path`` occurs in the address.

        Kinds: bad_gateway (502 HTML), unavailable (503 HTML), gateway_timeout (504 HTML), too_many (429), server_error
        (500), html (200, a log-in page), cut (half a body), slow (the body over ``seconds``), wrong_json. The last
        three come after the work of the request is done, the others instead of it. A running server obeys at once.
        """
        with self.database.writing() as db:
            faults.order(db, kind, times=times, skip=skip, path=path, retry_after=retry_after, seconds=seconds)

    def behave(self) -> None:
        """Forget every fault ordered; hidden rows, ghosts and the pace stay."""
        with self.database.writing() as db:
            faults.clear(db)

    def pace(self, seconds_per_1000_rows: float, *, ids_seconds_per_1000_rows: float | None = None) -> None:
        """Let pages of the data list take at least so long, in proportion to their rows; 0 is as fast as it can.

        A real server: 0.27 s for 1,000 full rows, 0.10 s for ids only.
        """
        ids = (
            seconds_per_1000_rows * IDS_SHARE_OF_PACE
            if ids_seconds_per_1000_rows is None
            else ids_seconds_per_1000_rows
        )
        with self.database.writing() as db:
            self._write_setting(db, "pace", json.dumps([seconds_per_1000_rows, ids]))

    def read_pace(self, db: sqlite3.Connection) -> tuple[float, float]:
        full, ids = json.loads(self.read_setting(db, "pace") or "[0, 0]")
        return float(full), float(ids)

    def take_fault(self, path: str) -> sqlite3.Row | None:
        """Return the fault that this request has to meet. The common case, none ordered, costs one read."""
        with self.database.reading() as db:
            if db.execute("SELECT 1 FROM fault LIMIT 1").fetchone() is None:
                return None
        with self.database.writing() as db:
            return faults.take(db, path)

    # Edit links

    def edit_path(self, db: sqlite3.Connection, row: sqlite3.Row, *, page: str = "edit") -> str:
        """Return the address of the page that edits a row. Its key is all that is needed, as with Enketo's links."""
        key = self.edit_key(db, row["kobo_id"])
        return f"/x/{row['project_uid']}/{page}/{row['kobo_id']}?instance_id={row['uuid']}&key={key}"

    def edit_key(self, db: sqlite3.Connection, kobo_id: int) -> str:
        secret = self.read_setting(db, "secret") or ""
        return hmac.new(secret.encode(), str(kobo_id).encode(), "sha256").hexdigest()[:32]

    def ensure_secret(self) -> None:
        with self.database.writing() as db:
            db.execute(
                "INSERT INTO setting VALUES ('secret', ?) ON CONFLICT (name) DO NOTHING", (secrets.token_hex(16),)
            )

    # Shared with the HTTP side

    def form_facts(self, db: sqlite3.Connection, project: sqlite3.Row) -> FormFacts:
        return FormFacts(project["uid"], project["owner"], project["deployment_uuid"] or "", self._form(db, project)[0])

    def repeats(self, db: sqlite3.Connection, project: sqlite3.Row) -> set[str]:
        return self._form(db, project)[1]

    def _form(self, db: sqlite3.Connection, project: sqlite3.Row) -> tuple[list[str], set[str]]:
        """Return (geopoints, repeats); parsed once for each deployed version, versions never change."""
        key = (project["uid"], project["deployed_version_uid"] or "")
        with self._cache_lock:
            found = self._form_cache.get(key)
        if found is None:
            content = projects.deployed_content(db, project)
            repeats = projects.all_repeat_paths(db, project["uid"]) | forms.repeat_paths(content)
            found = (forms.geopoint_paths(content), repeats)
            if key[1]:
                with self._cache_lock:
                    self._form_cache[key] = found
        return found

    def read_setting(self, db: sqlite3.Connection, name: str) -> str | None:
        found = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(found["value"]) if found else None

    @staticmethod
    def _write_setting(db: sqlite3.Connection, name: str, value: str) -> None:
        db.execute(
            "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    @staticmethod
    def _project(db: sqlite3.Connection, uid: str) -> sqlite3.Row:
        found = projects.find(db, uid)
        if found is None:
            raise UnknownProject(uid)
        return found

    @staticmethod
    def _submission(db: sqlite3.Connection, kobo_id: int) -> sqlite3.Row:
        found: sqlite3.Row | None = db.execute("SELECT * FROM submission WHERE kobo_id = ?", (kobo_id,)).fetchone()
        if found is None:
            raise UnknownSubmission(kobo_id)
        return found


def _merge(row: sqlite3.Row, changes: Answers, uuid: str, *, replace: bool) -> Answers:
    present = submissions.answers_of(row)
    kept = {key: value for key, value in present.items() if not replace or key in {"formhub/uuid", "__version__"}}
    flat = flatten(changes)
    merged = {key: value for key, value in kept.items() if key not in changes or key in flat}
    return {**merged, **flat, "meta/instanceID": with_prefix(uuid)}
