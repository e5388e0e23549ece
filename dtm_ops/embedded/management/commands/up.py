"""`manage.py up`: the whole product on one machine, from the two servers to the beat, until Ctrl-C."""

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandParser
from django.core.management.base import BaseCommand, CommandError

from assessments.demo.cast import LOGINS
from dtm_ops.embedded.accounts import LaunchError
from dtm_ops.embedded.needs import settings_need
from dtm_ops.embedded.places import HERE
from dtm_ops.embedded.supervisor import AlreadyRunningError, GaveUpError, Program, Supervisor, only_one
from dtm_ops.embedded.users import using_servers

# From the start of the web server to its first page; a slow machine imports for half a minute.
FIRST_PAGE_PATIENCE = 120.0


class Command(BaseCommand):
    help = "Start everything: PostgreSQL, Valkey, the demo, practice Kobo, web, worker and beat. Ctrl-C stops it all."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the site (8000)")
        parser.add_argument("--kobo-port", type=int, default=8001, help="of the practice KoboToolbox (8001)")
        parser.add_argument("--no-demo", action="store_true", help="leave the demo's data out")

    def handle(self, *args: Any, **options: Any) -> None:
        port, kobo_port = options["port"], options["kobo_port"]
        address = f"http://127.0.0.1:{port}/"
        try:
            with only_one(HERE, address):
                supervisor = Supervisor(HERE, self._say)
                supervisor.catch_signals()
                supervisor.end_leftovers()
                for wanted, option in ((port, "--port"), (kobo_port, "--kobo-port")):
                    check_port(wanted, option)
                with using_servers(settings_need(settings), say=self._say):
                    try:
                        self._run(supervisor, port, kobo_port, demo=not options["no_demo"])
                    finally:
                        supervisor.stop()
                        supervisor.close()
        except AlreadyRunningError as other:
            raise CommandError(f"DTM Ops is already running here: {other}") from None
        except (LaunchError, GaveUpError) as problem:
            raise CommandError(f"DTM Ops cannot start: {problem}") from None
        self._say("DTM Ops has stopped.")

    def _run(self, supervisor: Supervisor, port: int, kobo_port: int, *, demo: bool) -> None:
        self._say("Preparing the database" + (" and the demo." if demo else "."))
        supervisor.run_to_end(prepare(port, kobo_port, demo=demo))
        for program in programs(port, kobo_port):
            supervisor.start(program)
        if not supervisor.watch(first_page(port)):
            return
        self._say(welcome(port, demo=demo))
        supervisor.watch(lambda: False)
        self._say("Stopping.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def addresses(port: int, kobo_port: int) -> dict[str, str]:
    """How the programs learn where the practice Kobo is, and where links in mails lead unless somebody said."""
    own = {} if os.environ.get("SITE_ADDRESS") else {"SITE_ADDRESS": f"http://127.0.0.1:{port}"}
    return {"PRACTICE_KOBO_URL": f"http://127.0.0.1:{kobo_port}", **own}


def prepare(port: int, kobo_port: int, *, demo: bool) -> Program:
    words = ["prepare", *([] if demo else ["--no-demo"])]
    return Program("prepare", [sys.executable, str(HERE.root / "manage.py"), *words], addresses(port, kobo_port))


def programs(port: int, kobo_port: int) -> list[Program]:
    """In the order of their start; they stop in the opposite order."""
    python = [sys.executable, "-m"]
    told = addresses(port, kobo_port)
    state, schedule = Path(settings.PRACTICE_KOBO_STATE), HERE.var / "beat" / "schedule"
    for file in (state, schedule):
        file.parent.mkdir(parents=True, exist_ok=True)
    celery = [*python, "celery", "-A", "dtm_ops"]
    quietly = ["--without-mingle", "--without-gossip", "--loglevel", "INFO"]
    return [
        Program("kobo", [*python, "assessments.kobo.practice", "--state", str(state), "--port", str(kobo_port)]),
        Program(
            "web", [*python, "gunicorn", "--config", "python:dtm_ops.gunicorn", "--bind", f"127.0.0.1:{port}"], told
        ),
        Program("worker", [*celery, "worker", "--concurrency", "2", *quietly], told),
        Program("beat", [*celery, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"], told),
    ]


def check_port(port: int, option: str) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise GaveUpError(f"port {port} is in use by another program. Choose another with {option}.") from None


def first_page(port: int) -> Callable[[], bool]:
    """Whether `/health/` answers 200. Raises `GaveUpError` when it has not done so for too long."""
    deadline = time.monotonic() + FIRST_PAGE_PATIENCE

    def answers() -> bool:
        if time.monotonic() > deadline:
            raise GaveUpError(f"no page within {FIRST_PAGE_PATIENCE:.0f} seconds, see {HERE.log / 'web.log'}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return answers


def welcome(port: int, *, demo: bool) -> str:
    lines = ["", f"DTM Ops is ready: http://127.0.0.1:{port}/"]
    if demo:
        width = max(len(word) for row in LOGINS for word in row[:2])
        lines += ["", "Demo log-ins (name, password):"]
        lines += [f"    {name:<{width}} {password:<{width}} {words}" for name, password, words in LOGINS]
    return "\n".join([*lines, "", f"Logs: {HERE.log}. Ctrl-C stops everything."])
