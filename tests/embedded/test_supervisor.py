"""The supervisor with stand-ins for its programs: order, restarts, and that nothing ever stays behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtm_ops.embedded import processes
from dtm_ops.embedded.places import PROJECT, Places
from dtm_ops.embedded.supervisor import AlreadyRunningError, GaveUpError, Limits, Program, Supervisor, only_one

QUICK = Limits(patience=1.0, restarts=2, within=60, pause=0.01)
# Says its name when it starts and when it is asked to end, and has a child of its own, as gunicorn and Celery have.
PROGRAM = """
import signal, subprocess, sys, time
name, file, deaf = sys.argv[1], open(sys.argv[2], "a", buffering=1), sys.argv[3] == "deaf"
def leave(*_):
    file.write(f"{name} asked\\n")
    if not deaf:
        sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, leave)
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(99)"])
file.write(f"{name} started\\n")
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(root: Path, said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(Places(root=root), said.append, QUICK)
    yield made
    made.stop()
    made.close()


def stand_in(root: Path, name: str, kind: str = "polite") -> Program:
    return Program(name, [sys.executable, str(root / "program.py"), name, str(root / "diary"), kind])


def diary(root: Path) -> list[str]:
    return (root / "diary").read_text().splitlines() if (root / "diary").exists() else []


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def ours(root: Path) -> list[int]:
    """Every process that was started with a word of this test's own folder, and the children of the stand-ins."""
    notes = json.loads((root / "var" / "run" / "children.json").read_text())
    return [pid for note in notes for pid in processes.members(note["group"])]


def start_both(supervisor: Supervisor, root: Path, second: str = "polite") -> list[int]:
    """Start two stand-ins, one after the other; their processes, leashes and children included."""
    supervisor.start(stand_in(root, "first"))
    wait_for(lambda: diary(root) == ["first started"])
    supervisor.start(stand_in(root, "second", second))
    wait_for(lambda: diary(root) == ["first started", "second started"])
    return ours(root)


def test_programs_stop_in_the_opposite_order_of_their_start(supervisor: Supervisor, root: Path) -> None:
    group = start_both(supervisor, root)
    supervisor.stop()

    assert diary(root)[2:] == ["second asked", "first asked"]
    assert (len(group), [pid for pid in group if processes.is_running(pid)]) == (6, [])


def test_program_that_does_not_listen_is_killed_after_its_patience(supervisor: Supervisor, root: Path) -> None:
    group = start_both(supervisor, root, "deaf")
    began = time.monotonic()
    supervisor.stop()

    assert diary(root)[2:] == ["second asked", "first asked"]
    assert 1.0 <= time.monotonic() - began < 4
    assert [pid for pid in group if processes.is_running(pid)] == []


def test_dead_program_is_started_again_and_its_last_lines_are_shown(
    supervisor: Supervisor, root: Path, said: list[str]
) -> None:
    flag = root / "flag"
    words = f"import pathlib, time; f = pathlib.Path({str(flag)!r}); old = f.exists(); f.touch()\nif not old: 1 / 0\n"
    supervisor.start(Program("weak", [sys.executable, "-c", f"{words}time.sleep(99)"]))

    assert supervisor.watch(lambda: bool(said) and len(ours(root)) == 2)
    assert said[0].splitlines()[0].startswith("weak ended with status 1.")
    assert said[0].splitlines()[-1] == "    ZeroDivisionError: division by zero"


def test_program_that_dies_again_and_again_is_given_up(supervisor: Supervisor, root: Path, said: list[str]) -> None:
    supervisor.start(Program("weak", [sys.executable, "-c", "1 / 0"]))

    with pytest.raises(GaveUpError, match="weak ended 3 times"):
        supervisor.watch(lambda: False)
    assert len(said) == 3


def test_step_that_fails_is_told_with_its_last_lines(supervisor: Supervisor, root: Path) -> None:
    with pytest.raises(GaveUpError, match=r"(?s)step ended with status 3.*no such place"):
        supervisor.run_to_end(Program("step", [sys.executable, "-c", "print('no such place'); raise SystemExit(3)"]))


def test_log_begins_anew_with_every_start_and_the_last_ones_are_kept(supervisor: Supervisor, root: Path) -> None:
    for number in range(3):
        supervisor.run_to_end(Program("step", [sys.executable, "-c", f"print({number})"]))

    logs = [root / "var" / "log" / name for name in ("step.log", "step.log.1", "step.log.2")]
    assert [log.read_text() for log in logs] == ["2\n", "1\n", "0\n"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_supervisor_and_all_it_started(root: Path, number: signal.Signals) -> None:
    supervising, group = start_supervising(root)
    supervising.send_signal(number)

    assert supervising.wait(10) == 0
    assert diary(root)[2:] == ["second asked", "first asked"]
    assert [pid for pid in group if processes.is_running(pid)] == []


def test_killed_supervisor_takes_all_it_started_along(root: Path) -> None:
    supervising, group = start_supervising(root)
    supervising.kill()
    supervising.wait()

    assert len(group) == 6
    wait_for(lambda: not [pid for pid in group if processes.is_running(pid)])


def test_killed_supervisor_and_leash_leave_the_rest_to_the_next_start(
    supervisor: Supervisor, root: Path, said: list[str]
) -> None:
    supervising, group = start_supervising(root)
    leashes = [note["group"] for note in json.loads((root / "var" / "run" / "children.json").read_text())]
    for pid in leashes:
        os.kill(pid, signal.SIGSTOP)  # so that it cannot see its supervisor go
    supervising.kill()
    supervising.wait()
    for pid in leashes:
        os.kill(pid, signal.SIGKILL)

    supervisor.end_leftovers()
    assert [pid for pid in group if processes.is_running(pid)] == []
    assert ours(root) == []


def test_leftovers_whose_number_went_to_a_stranger_are_left_alone(supervisor: Supervisor, root: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], start_new_session=True)
    note = {"name": "web", "group": stranger.pid, "mark": "long ago"}
    (root / "var" / "run" / "children.json").write_text(json.dumps([note]))

    supervisor.end_leftovers()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_second_supervisor_is_refused_while_the_first_runs(root: Path) -> None:
    places = Places(root=root)

    with only_one(places, "http://127.0.0.1:8000/"):
        already = pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}, http://127.0.0.1:8000/")
        with already, only_one(places, "another"):
            pass
    with only_one(places, "a third"):
        pass


def start_supervising(root: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A process that supervises two stand-ins, and the processes below it."""
    program = (
        "import sys; from pathlib import Path\n"
        "from dtm_ops.embedded.places import Places\n"
        "from dtm_ops.embedded.supervisor import Supervisor\n"
        "from tests.embedded.test_supervisor import QUICK, start_both\n"
        "root = Path(sys.argv[1])\n"
        "supervisor = Supervisor(Places(root=root), print, QUICK)\n"
        "supervisor.catch_signals()\n"
        "start_both(supervisor, root)\n"
        "(root / 'ready').touch()\n"
        "supervisor.watch(lambda: False)\n"
        "supervisor.stop()\n"
    )
    supervising = subprocess.Popen([sys.executable, "-c", program, str(root)], cwd=PROJECT)
    wait_for((root / "ready").exists)
    return supervising, ours(root)
