"""`manage.py up` as people meet it: first start, Ctrl-C, kill -9, a second start beside the first. All is real."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtm_ops.embedded import processes
from dtm_ops.embedded.places import PROJECT

FIRST_START = 180.0


@pytest.fixture
def copy() -> Iterator[Path]:
    """A copy of the project with data of its own, where `nobody` can come."""
    folder = Path(tempfile.mkdtemp(prefix="dtm-ops-up-"))
    folder.chmod(0o755)
    for name in ("manage.py", "dtm_ops", "locations", "training", "assessments", "templates"):
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    yield folder
    for pid in running_in(folder):
        processes.end(pid, [(signal.SIGKILL, 5)])
    shutil.rmtree(folder)


def running_in(folder: Path) -> list[int]:
    """Every process that was started with a word of this folder, or stands in it."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            stands = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            stands = ""
        if processes.is_running(pid) and (str(folder) in processes.command_line(pid) or stands.startswith(str(folder))):
            found.append(pid)
    return found


def beats_in(folder: Path) -> int:
    lines = [processes.command_line(pid) for pid in running_in(folder)]
    return len([line for line in lines if "celery -A dtm_ops beat" in line and "leash.py" not in line])


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def start(folder: Path, ports: tuple[int, int]) -> subprocess.Popen[bytes]:
    order = [sys.executable, "manage.py", "up", "--port", str(ports[0]), "--kobo-port", str(ports[1])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "DTM_", "PYTEST_"))}
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(order, cwd=folder, env=kept, stdout=said, stderr=said)


def said(folder: Path) -> str:
    return (folder / "said").read_text(encoding="utf-8")


def wait_for(condition: Callable[[], object], what: Callable[[], str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def wait_until_ready(folder: Path, up: subprocess.Popen[bytes], seconds: float) -> None:
    wait_for(lambda: "DTM Ops is ready" in said(folder) or up.poll() is not None, lambda: said(folder), seconds)
    assert up.poll() is None, said(folder)


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_up_starts_everything_once_survives_a_kill_and_leaves_nothing_behind(copy: Path) -> None:
    ports = free_ports()
    up = start(copy, ports)
    wait_until_ready(copy, up, FIRST_START)
    assert f"http://127.0.0.1:{ports[0]}/" in said(copy)
    assert [line.split()[0] for line in said(copy).splitlines() if line.startswith("    ")].count("coordinator") == 1
    assert [status(ports[0], path) for path in ("/health/", "/log-in/")] == [200, 200]
    assert (status(ports[1], "/service_health/"), beats_in(copy)) == (200, 1)

    second = subprocess.run([sys.executable, "manage.py", "up"], cwd=copy, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"already running here: process {up.pid}, http://127.0.0.1:{ports[0]}/" in second.stderr

    up.kill()
    up.wait()
    up = start(copy, ports)
    wait_until_ready(copy, up, FIRST_START)
    assert ([status(ports[0], "/log-in/")], beats_in(copy)) == ([200], 1)

    up.send_signal(signal.SIGINT)
    assert (up.wait(60), said(copy).splitlines()[-1]) == (0, "DTM Ops has stopped.")
    assert [processes.command_line(pid) for pid in running_in(copy)] == []


def test_up_names_the_port_that_is_taken_and_starts_nothing(copy: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = start(copy, (port, free_ports()[1]))
        assert up.wait(60) == 1

    assert f"port {port} is in use by another program. Choose another with --port." in said(copy)
    assert (said(copy).count("\n"), running_in(copy)) == (1, [])
