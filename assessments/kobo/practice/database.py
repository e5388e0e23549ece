"""The practice Kobo's state: one SQLite file, shared by threads and processes.

WAL and a busy timeout let several processes write; every change is one immediate transaction, so that a process
killed in the middle leaves the state before or after it.
"""

import queue
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

BUSY_SECONDS = 20.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account (
    username TEXT PRIMARY KEY, uid TEXT NOT NULL, salt TEXT NOT NULL, password TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS project (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, owner TEXT NOT NULL,
    asset_type TEXT NOT NULL, content TEXT NOT NULL, version_uid TEXT NOT NULL, deployed_version_uid TEXT,
    deployment_uuid TEXT, active INTEGER NOT NULL DEFAULT 0, settings TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL, modified_at TEXT NOT NULL, deployed_at TEXT, last_submission_at TEXT);
CREATE TABLE IF NOT EXISTS version (
    uid TEXT PRIMARY KEY, project_uid TEXT NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL,
    content_hash TEXT NOT NULL, modified_at TEXT NOT NULL, deployed_at TEXT);
CREATE INDEX IF NOT EXISTS version_project ON version (project_uid, number);
CREATE TABLE IF NOT EXISTS submission (
    kobo_id INTEGER PRIMARY KEY, project_uid TEXT NOT NULL, uuid TEXT NOT NULL, root_uuid TEXT NOT NULL,
    instance_id TEXT NOT NULL, deprecated_id TEXT, submission_time TEXT NOT NULL, submitted_by TEXT, version_uid TEXT,
    validation_uid TEXT, validation_timestamp INTEGER, validation TEXT NOT NULL DEFAULT '{}',
    hidden INTEGER NOT NULL DEFAULT 0, ghost INTEGER NOT NULL DEFAULT 0, received_at TEXT NOT NULL,
    content_hash TEXT, xml TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS submission_listing ON submission (project_uid, hidden, kobo_id);
CREATE INDEX IF NOT EXISTS submission_time ON submission (project_uid, hidden, submission_time, kobo_id);
CREATE INDEX IF NOT EXISTS submission_count ON submission (project_uid, ghost);
CREATE INDEX IF NOT EXISTS submission_uuid ON submission (uuid);
CREATE INDEX IF NOT EXISTS submission_root ON submission (root_uuid);
CREATE INDEX IF NOT EXISTS submission_edited
    ON submission (project_uid, hidden, kobo_id) WHERE deprecated_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS submission_validated
    ON submission (project_uid, validation_timestamp) WHERE validation_timestamp IS NOT NULL;
CREATE TABLE IF NOT EXISTS old_instance (
    project_uid TEXT NOT NULL, uuid TEXT NOT NULL, kobo_id INTEGER NOT NULL, PRIMARY KEY (project_uid, uuid, kobo_id));
CREATE TABLE IF NOT EXISTS attachment (
    uid TEXT PRIMARY KEY, kobo_id INTEGER NOT NULL, name TEXT NOT NULL, mimetype TEXT NOT NULL, content BLOB NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS attachment_row ON attachment (kobo_id);
CREATE TABLE IF NOT EXISTS permission (
    uid TEXT PRIMARY KEY, project_uid TEXT NOT NULL, username TEXT NOT NULL, codename TEXT NOT NULL,
    partial TEXT, UNIQUE (project_uid, username, codename));
CREATE TABLE IF NOT EXISTS media (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, project_uid TEXT NOT NULL, username TEXT NOT NULL,
    file_type TEXT NOT NULL, description TEXT NOT NULL, filename TEXT NOT NULL, mimetype TEXT NOT NULL,
    content BLOB NOT NULL, created_at TEXT NOT NULL, deployed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS hook (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, project_uid TEXT NOT NULL, name TEXT NOT NULL,
    endpoint TEXT NOT NULL, active INTEGER NOT NULL, export_type TEXT NOT NULL, auth_level TEXT NOT NULL,
    email_notification INTEGER NOT NULL, payload_template TEXT, subset_fields TEXT NOT NULL, settings TEXT NOT NULL,
    modified_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS hook_log (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, hook_uid TEXT NOT NULL, kobo_id INTEGER NOT NULL,
    status INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, status_code INTEGER, message TEXT NOT NULL DEFAULT '',
    due_at REAL NOT NULL, modified_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS hook_log_hook ON hook_log (hook_uid);
CREATE INDEX IF NOT EXISTS hook_log_due ON hook_log (status, due_at);
CREATE TABLE IF NOT EXISTS history (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, project_uid TEXT NOT NULL, username TEXT NOT NULL, root_uuid TEXT NOT NULL,
    submitted_by TEXT, status TEXT, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS history_project ON history (project_uid, pk);
CREATE TABLE IF NOT EXISTS import_task (
    uid TEXT PRIMARY KEY, username TEXT NOT NULL, status TEXT NOT NULL, messages TEXT NOT NULL,
    created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
    pk INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, remaining INTEGER NOT NULL,
    skip INTEGER NOT NULL DEFAULT 0,
    path TEXT NOT NULL DEFAULT '', retry_after INTEGER, seconds REAL NOT NULL DEFAULT 0);
"""


class Database:
    """A pool of connections to one file; ``close`` ends them all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._idle.put(connection)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """One snapshot: count and rows of a page belong together."""
        return self._transaction("BEGIN")

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction("BEGIN IMMEDIATE")

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return
