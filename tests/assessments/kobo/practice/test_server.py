"""The server as a program: start, stop, ports, connections."""

import signal
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from assessments.kobo.practice.server import running, serve
from assessments.kobo.practice.state import PracticeKobo

ROOT = Path(__file__).resolve().parents[4]


def start(state_file: Path) -> tuple[subprocess.Popen[str], str]:
    words = [sys.executable, "-m", "assessments.kobo.practice", "--state", str(state_file), "--port", "0"]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    return process, process.stderr.readline().rpartition(" ")[2].strip().rstrip("/")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_program_serves_until_it_is_told_to_stop(state_file: Path, number: signal.Signals) -> None:
    process, address = start(state_file)
    with process:
        health = requests.get(f"{address}/service_health/", timeout=10)
        process.send_signal(number)
        code = process.wait(10)
        assert process.stderr is not None
        said = process.stderr.read()

    assert (health.status_code, code, said) == (200, 0, "")


def test_program_killed_and_started_again_has_its_state(state_file: Path) -> None:
    kobo = PracticeKobo(state_file)
    token = kobo.create_user("owner")
    kobo.close()
    headers = {"Authorization": f"Token {token}"}
    names = []
    for _ in range(2):
        process, address = start(state_file)
        with process:
            names.append(requests.get(f"{address}/me/", headers=headers, timeout=10).json()["username"])
            process.kill()

    assert names == ["owner", "owner"]


def test_program_on_a_taken_port_says_so(state_file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [sys.executable, "-m", "assessments.kobo.practice", "--state", str(state_file), "--port", port]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Practice Kobo cannot start: ")


def test_serve_on_an_outside_address_is_refused(state_file: Path) -> None:
    with pytest.raises(ValueError, match="for this machine only"):
        serve(state_file, host="0.0.0.0", port=0)  # noqa: S104 - the address that must be refused


def test_connection_is_kept_for_the_next_request(kobo: PracticeKobo) -> None:
    with running(kobo) as address, closing(HTTPConnection(address.removeprefix("http://"), timeout=10)) as line:
        statuses, sockets = [], []
        for _ in range(2):
            line.request("GET", "/service_health/")
            answer = line.getresponse()
            answer.read()
            statuses.append(answer.status)
            sockets.append(line.sock)

    assert statuses == [200, 200]
    assert sockets[0] is not None
    assert sockets[0] is sockets[1]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /submission HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST /submission HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /submission HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET /nothing/here/ HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"PUT /me/ HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    ],
)
def test_odd_request_is_answered_and_the_server_lives_on(kobo: PracticeKobo, head: bytes, status: bytes) -> None:
    with running(kobo) as address:
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as line:
            line.settimeout(10)
            line.sendall(head)
            answer = line.recv(65536)
        after = requests.get(f"{address}/service_health/", timeout=10).status_code

    assert answer.split(b" ")[1] == status
    assert after == 200


def test_links_are_built_from_the_host_that_was_asked(kobo: PracticeKobo) -> None:
    token = kobo.create_user("owner")
    with running(kobo) as address:
        headers = {"Authorization": f"Token {token}", "Host": "kobo.field.test:81"}
        listed = requests.get(f"{address}/api/v2/assets/", headers=headers, timeout=10).json()

    assert listed["results"][0]["data"].startswith("http://kobo.field.test:81/api/v2/assets/")
