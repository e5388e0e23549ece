"""Who is process number N? A number alone proves nothing: it may have gone to a stranger since it was written down."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def started_mark(pid: int) -> str:
    """When this process started, in the system's own words, or "" when there is none (a zombie counts as none).

    Number and mark together name a process for as long as the machine is up.
    """
    if sys.platform == "linux":
        try:
            after_name = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
        except OSError:
            return ""
        return "" if after_name[0] in "ZX" else after_name[19]
    state, _, started = _ask_ps(pid, "state=,lstart=").strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def command_line(pid: int) -> str:
    """The words it was started with, joined by blanks; "" when there is no such process."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ask_ps(pid, "command=").strip()


def members(group: int) -> list[int]:
    """The processes of a process group, zombies left out."""
    if sys.platform == "linux":
        pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        return [pid for pid in pids if _stat(pid)[2:3] == [str(group)] and started_mark(pid)]
    listing = subprocess.run(["ps", "-A", "-o", "pgid=,pid=,state="], capture_output=True, text=True, check=False)
    rows = (line.split() for line in listing.stdout.splitlines())
    return [int(row[1]) for row in rows if len(row) == 3 and int(row[0]) == group and row[2][0] not in "ZX"]


def reap(pid: int) -> None:
    """Forget a dead child of ours, so that it does not stay as a zombie. Does nothing for anybody else's child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def is_running(pid: int, mark: str = "") -> bool:
    now = started_mark(pid)
    return bool(now) and (not mark or now == mark)


def end(pid: int, signals: list[tuple[signal.Signals, float]]) -> bool:
    """Send one signal after the other, each followed by its patience in seconds; True once the process is gone."""
    mark = started_mark(pid)
    for number, patience in signals:
        if not is_running(pid, mark):
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_end(pid, mark, patience):
            return True
    return not is_running(pid, mark)


def wait_for_end(pid: int, mark: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reap(pid)
        if not is_running(pid, mark):
            return True
        time.sleep(0.02)
    return False


def _stat(pid: int) -> list[str]:
    """The words of Linux's /proc/N/stat after the name (which may hold blanks): state, parent, group, ... (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ask_ps(pid: int, columns: str) -> str:
    answer = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", columns],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return answer.stdout
