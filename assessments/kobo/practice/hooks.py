"""REST Services of the practice Kobo: who is told of a new submission, and the telling (recordings 09).

A notice is a row that is written with the submission; whoever wrote it wakes a thread that sends after the commit. So
no trouble of a receiver reaches a submission, and what was not sent when a process ended waits for the next one.
"""

import contextlib
import ipaddress
import json
import re
import sqlite3
import threading
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import requests

from assessments.kobo.practice.database import Database
from assessments.kobo.practice.exchange import dumps
from assessments.kobo.practice.identifiers import make_uid

FAILED, PENDING, SUCCESS, PROCESSING = 0, 1, 2, 3
# The first POST and four more, after about 60, 120, 240 and 480 seconds; nothing but these answers is tried again.
MOST_TRIES = 5
PAUSE, MOST_PAUSE = 60.0, 1200.0
TRIED_AGAIN = frozenset({502, 503, 504})
TIMEOUT = 10.0
_AGENT = "KoboToolbox external service #{uid}"
_REFUSED = "Only this machine is reached from here"


def note_arrivals(db: sqlite3.Connection, project_uid: str, kobo_ids: Collection[int]) -> None:
    """For each service that is on, a notice of each new row. Edits, statuses and deletions come by no such way."""
    hooks = db.execute("SELECT uid FROM hook WHERE project_uid = ? AND active = 1", (project_uid,)).fetchall()
    db.executemany(
        "INSERT INTO hook_log (uid, hook_uid, kobo_id, status, due_at, modified_at) VALUES (?, ?, ?, ?, 0, '')",
        [(make_uid("hl"), hook["uid"], kobo_id, PENDING) for hook in hooks for kobo_id in kobo_ids],
    )


class HookSender:
    """Sends what waits, in a thread of its own that ends when nothing does. ``pause``: seconds before the second try,
    twice as long before each one after.
    """

    def __init__(self, database: Database, clock: Any, *, pause: float = PAUSE) -> None:
        self.pause = pause
        self._database, self._clock = database, clock
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # Set while nothing waits.
        self._idle = threading.Event()
        self._idle.set()

    def wake(self) -> None:
        """After a commit that may have left notices."""
        if self._stop.is_set() or self._next_due() is None:
            return
        with self._guard:
            self._idle.clear()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send_all, daemon=True)
                self._thread.start()

    def wait(self, timeout: float = 10.0) -> bool:
        """Until everything was sent or given up; False if it takes longer."""
        return self._idle.wait(timeout)

    def close(self) -> None:
        self._stop.set()
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(TIMEOUT)

    def _send_all(self) -> None:
        while not self._stop.is_set():
            with self._guard:
                due = self._next_due()
                if due is None:
                    self._thread = None
                    self._idle.set()
                    return
            if due > time.time():
                self._stop.wait(min(due - time.time(), 1.0))
                continue
            if (notice := self._claim()) is not None:
                self._send(notice)

    def _next_due(self) -> float | None:
        with self._database.reading() as db:
            found = db.execute("SELECT min(due_at) AS due FROM hook_log WHERE status = ?", (PENDING,)).fetchone()
            return None if found["due"] is None else float(found["due"])

    def _claim(self) -> dict[str, Any] | None:
        """One notice that is due, for this process alone, with its service and the row as it is now."""
        with self._database.writing() as db:
            log = db.execute(
                "SELECT * FROM hook_log WHERE status = ? AND due_at <= ? ORDER BY pk LIMIT 1", (PENDING, time.time())
            ).fetchone()
            if log is None:
                return None
            db.execute("UPDATE hook_log SET status = ? WHERE pk = ?", (PROCESSING, log["pk"]))
            hook = db.execute("SELECT * FROM hook WHERE uid = ?", (log["hook_uid"],)).fetchone()
            row = db.execute("SELECT * FROM submission WHERE kobo_id = ?", (log["kobo_id"],)).fetchone()
            return {"log": log, "hook": hook, "row": row}

    def _send(self, notice: dict[str, Any]) -> None:
        log, hook, row = notice["log"], notice["hook"], notice["row"]
        tries = log["tries"] + 1
        if hook is None or row is None:
            self._note(log, FAILED, tries, None, "Submission has been deleted", due_at=0)
            return
        status, message = _post(hook, row)
        if status in TRIED_AGAIN and tries < MOST_TRIES:
            due_at = time.time() + min(self.pause * 2 ** (tries - 1), MOST_PAUSE)
            self._note(log, PENDING, tries, status, message, due_at=due_at)
            return
        is_taken = status is not None and 200 <= status < 300
        self._note(log, SUCCESS if is_taken else FAILED, tries, status, message, due_at=0)

    def _note(
        self, log: sqlite3.Row, status: int, tries: int, status_code: int | None, message: str, *, due_at: float
    ) -> None:
        with self._database.writing() as db:
            db.execute(
                "UPDATE hook_log SET status = ?, tries = ?, status_code = ?, message = ?, due_at = ?, modified_at = ? "
                "WHERE pk = ?",
                (status, tries, status_code, message, due_at, stamp(self._clock()), log["pk"]),
            )


def stamp(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def _post(hook: sqlite3.Row, row: sqlite3.Row) -> tuple[int | None, str]:
    """Status (None: nobody answered) and what was said. Other machines than this one are never called."""
    if not _is_this_machine(hook["endpoint"]):
        return None, _REFUSED
    settings = json.loads(hook["settings"])
    headers = {str(name): str(value) for name, value in (settings.get("custom_headers") or {}).items()}
    headers |= {"Content-Type": f"application/{hook['export_type']}", "User-Agent": _AGENT.format(uid=hook["uid"])}
    login = None
    if hook["auth_level"] == "basic_auth":
        login = (str(settings.get("username", "")), str(settings.get("password", "")))
    body = _render(hook, row).encode("utf-8", "replace")
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                hook["endpoint"], data=body, headers=headers, auth=login, timeout=TIMEOUT, allow_redirects=False
            )
    except requests.ReadTimeout:
        return 504, "Timed out"
    except (requests.RequestException, ValueError) as error:
        return None, type(error).__name__
    return answer.status_code, answer.text[:2000]


def _is_this_machine(endpoint: str) -> bool:
    with contextlib.suppress(ValueError):
        host = urlsplit(endpoint).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def _render(hook: sqlite3.Row, row: sqlite3.Row) -> str:
    if hook["export_type"] == "xml":
        return str(row["xml"] or f'<{row["project_uid"]} id="{row["project_uid"]}"/>')
    whole: dict[str, Any] = json.loads(row["body"].replace("\x01", ""))
    wanted = json.loads(hook["subset_fields"])
    text = dumps({key: value for key, value in whole.items() if _is_wanted(key, wanted)} if wanted else whole)
    return str(hook["payload_template"]).replace("%SUBMISSION%", text) if hook["payload_template"] else text


def _is_wanted(key: str, wanted: list[str]) -> bool:
    """A name without a slash matches any part of a path, one with a slash the whole path."""
    return any(key == name if "/" in name else name in re.split("/", key) for name in wanted)
