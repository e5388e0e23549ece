"""Serves the practice Kobo on the loopback address, many connections at a time, with keep-alive."""

import contextlib
import signal
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from assessments.kobo.practice.app import Application
from assessments.kobo.practice.state import PracticeKobo, now_in_utc

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class PracticeServer(socketserver.ThreadingMixIn, HTTPServer):
    """One thread a connection; all end with the process."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        super().__init__(address, _Handler)
        self.application = application

    def server_bind(self) -> None:
        # HTTPServer asks DNS for the host's name here, which may take seconds on a field laptop.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://{self.server_name}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client went away; anything else is a defect of this server and is told."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PracticeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: without this each answer waits for an ACK
    timeout = 120
    server_version = "PracticeKobo"
    sys_version = ""
    _announced: int | None = None

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *args: Any) -> None:
        """Stay quiet: addresses may hold keys."""

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding"):
            self.send_error(411)
            self.close_connection = True
            return
        source = _CountingReader(self.rfile)
        body = self.server.application(self._environ(source), self._start)
        sent = 0
        for part in body:
            sent += len(part)
            self.wfile.write(part)
        announced = self._announced
        short = self.command != "HEAD" and announced is not None and sent < announced
        unread = source.count < int(self.headers.get("Content-Length") or 0)
        if short or unread:
            self.close_connection = True

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        code, _, phrase = status.partition(" ")
        self._announced = next((int(value) for name, value in headers if name == "Content-Length"), None)
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value.replace("\r", "").replace("\n", ""))
        self.end_headers()

    def _environ(self, source: "_CountingReader") -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": source,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
        return environ


class _CountingReader:
    """Counts what was read of a body: an unread rest would be taken for the next request."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._source.read(size)
        self.count += len(data)
        return data


def bind(kobo: PracticeKobo, *, host: str = "127.0.0.1", port: int = 0) -> PracticeServer:
    """Open the port without serving yet; ValueError for an address that other machines can reach."""
    if host not in LOOPBACK:
        raise ValueError(f"the practice Kobo is for this machine only, not for {host}")
    return PracticeServer((host, port), Application(kobo))


def serve(
    path: str | Path, *, host: str = "127.0.0.1", port: int = 8001, ready: Callable[[str], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is called with the base address once the port is open.

    Call it from the main thread: signal handlers need it. OSError when the port is taken.
    """
    kobo = PracticeKobo(path)
    try:
        with bind(kobo, host=host, port=port) as server:
            for number in (signal.SIGTERM, signal.SIGINT):
                # shutdown() waits for the loop that this handler interrupts, so another thread has to call it
                signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
            if ready is not None:
                ready(server.base_url)
            server.serve_forever(poll_interval=0.1)
    finally:
        kobo.close()


@contextlib.contextmanager
def running(state: str | Path | PracticeKobo, *, clock: Callable[[], datetime] = now_in_utc) -> Iterator[str]:
    """Serve in a thread on a free port and yield the base address; for tests. A given PracticeKobo stays open."""
    kobo = state if isinstance(state, PracticeKobo) else PracticeKobo(state, clock=clock)
    server = bind(kobo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.base_url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if kobo is not state:
            kobo.close()
