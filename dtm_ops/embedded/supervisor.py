"""Starts programs in order, keeps them running, and leaves none behind.

Each program runs under a leash (leash.py) in a process group of its own, so that Ctrl-C reaches the supervisor only and
a killed supervisor takes its programs along. What runs is written down with its start time; should anything survive all
the same, the next start ends it before it starts anything.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from dtm_ops.embedded import processes
from dtm_ops.embedded.leash import PATIENCE as LEASH_PATIENCE
from dtm_ops.embedded.logs import append_log, fresh_log, last_lines
from dtm_ops.embedded.places import Places, make_var

if sys.platform != "win32":
    import fcntl

LEASH = Path(__file__).with_name("leash.py")


class AlreadyRunningError(Exception):
    """Another supervisor of this installation runs; the text is what it said of itself."""


class GaveUpError(Exception):
    """A program could not be kept running; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Program:
    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    # Seconds between asking a program to end and killing it.
    patience: float = 10.0
    # So many restarts of one program within so many seconds are too many.
    restarts: int = 5
    within: float = 120.0
    # Seconds before a restart, times the number of restarts lately.
    pause: float = 1.0


@dataclass(frozen=True)
class Note:
    """One line of `children.json`: a group of processes that we started."""

    name: str
    group: int
    mark: str


@contextmanager
def only_one(places: Places, about: str) -> Iterator[None]:
    """Be the only supervisor of this installation. The lock goes with the process, also after kill -9."""
    make_var(places.var)
    places.run.mkdir(exist_ok=True)
    lock = os.open(places.run / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(os.read(lock, 1000).decode(errors="replace")) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()}, {about}".encode(), 0)
        yield
    finally:
        os.close(lock)


class Supervisor:
    """Programs of one installation.

    Call everything from the main thread: the system ends a leash's program with the *thread* that made it.
    """

    def __init__(self, places: Places, say: Callable[[str], None], limits: Limits | None = None) -> None:
        self.places = places
        self.say = say
        self.limits = limits or Limits()
        self._running: dict[str, _Running] = {}
        self._stop_asked = 0
        # Nobody ever writes to it: it tells the leashes that we are there, and by closing that we are not.
        self._lifeline, self._our_end = os.pipe()
        places.run.mkdir(parents=True, exist_ok=True)

    def catch_signals(self) -> None:
        """Ctrl-C, a closed terminal and a polite kill all mean the same: stop everything. A second one: at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup
            signal.signal(number, self._ask_to_stop)

    def end_leftovers(self) -> None:
        """End what an earlier supervisor of this installation started and what outlived it all the same."""
        notes = self._read_notes()
        deadline = time.monotonic() + LEASH_PATIENCE + 1
        # A leash that lives has seen its supervisor go and is at it.
        while any(processes.is_running(note.group, note.mark) for note in notes) and time.monotonic() < deadline:
            time.sleep(0.1)
        for note in notes:
            left = _survivors(note, self.places)
            for pid in left:
                processes.end(pid, [(signal.SIGKILL, 5)])
            if left:
                self.say(f"Ended a {note.name} that an earlier start had left behind.")
        self._write_notes()

    def start(self, program: Program) -> None:
        running = self._running.setdefault(program.name, _Running(program, self.places.log / f"{program.name}.log"))
        with fresh_log(running.log) if not running.restarted_at else append_log(running.log) as log:
            running.log_starts_at = log.tell()
            running.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(self._lifeline), *program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.places.root,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
                pass_fds=(self._lifeline,),
                start_new_session=True,
            )
        self._write_notes()

    def run_to_end(self, program: Program) -> None:
        """Run a program that ends by itself. Raises `GaveUpError` with its last lines when it fails."""
        self.start(program)
        running = self._running[program.name]
        while running.process.poll() is None and not self._stop_asked:
            time.sleep(0.05)
        self._end(running)
        del self._running[program.name]
        if running.process.returncode and not self._stop_asked:
            raise GaveUpError(_last_words(running))

    def watch(self, until: Callable[[], bool], every: float = 0.2) -> bool:
        """Keep everything running until `until()` (True) or until somebody asks to stop (False).

        Raises `GaveUpError` when a program dies more often than the limit.
        """
        while not self._stop_asked:
            for running in list(self._running.values()):
                if running.process.poll() is not None:
                    self._restart(running)
            if not self._stop_asked and until():
                return True
            self._sleep(every)
        return False

    def stop(self) -> None:
        """End all, the last started first, each with patience; then there is nothing left of any of them."""
        for running in reversed(self._running.values()):
            self._end(running)
        self._running.clear()
        self._write_notes()

    def close(self) -> None:
        """Let go of the lifeline. Whatever still runs ends as if we had been killed."""
        os.close(self._our_end)
        os.close(self._lifeline)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked += 1

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stop_asked and time.monotonic() < deadline:
            time.sleep(min(0.05, seconds))

    def _restart(self, running: "_Running") -> None:
        self.say(_last_words(running))
        _kill_group(running.process.pid)
        now = time.monotonic()
        running.restarted_at = [then for then in running.restarted_at if now - then < self.limits.within] + [now]
        if len(running.restarted_at) > self.limits.restarts:
            raise GaveUpError(f"{running.program.name} ended {len(running.restarted_at)} times, see {running.log}")
        self._sleep(self.limits.pause * len(running.restarted_at))
        if not self._stop_asked:
            self.start(running.program)

    def _end(self, running: "_Running") -> None:
        process = running.process
        if process.poll() is None:
            process.terminate()
        deadline = time.monotonic() + self.limits.patience
        while process.poll() is None and time.monotonic() < deadline and self._stop_asked < 2:
            time.sleep(0.02)
        _kill_group(process.pid)
        process.wait()

    def _write_notes(self) -> None:
        notes = [
            Note(name, running.process.pid, processes.started_mark(running.process.pid))
            for name, running in self._running.items()
        ]
        draft = self.places.run / "children.new"
        draft.write_text(json.dumps([asdict(note) for note in notes]), encoding="utf-8")
        draft.replace(self.places.run / "children.json")

    def _read_notes(self) -> list[Note]:
        try:
            rows = json.loads((self.places.run / "children.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return []
        return [Note(**row) for row in rows]


@dataclass
class _Running:
    program: Program
    log: Path
    log_starts_at: int = 0
    restarted_at: list[float] = field(default_factory=list)
    process: subprocess.Popen[bytes] = field(init=False)


def _last_words(running: _Running) -> str:
    lines = last_lines(running.log, 8, after=running.log_starts_at)
    ended = f"{running.program.name} ended with status {running.process.returncode}. The end of {running.log}:"
    return "\n".join([ended, *(f"    {line}" for line in lines)])


def _kill_group(group: int) -> None:
    """Kill what is left of it and see it gone. While a member lives, the number cannot have gone to anybody else."""
    deadline = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
        while processes.members(group) and time.monotonic() < deadline:
            time.sleep(0.01)


def _survivors(note: Note, places: Places) -> list[int]:
    """Processes of that group that are still ours: led by the process of the note, or started from our folders."""
    group = processes.members(note.group)
    if note.group in group:
        return group if processes.is_running(note.group, note.mark) else []
    return [
        pid for pid in group if any(str(folder) in processes.command_line(pid) for folder in (places.root, sys.prefix))
    ]
