"""A sync that kills itself with -9 at the n-th step. Started by a test as ``python -m tests.killed_at``.

Each line of its input, "FORM STEP KIND", is one sync in a process of its own: forked, so that a hundred of them do not
start Django a hundred times. A step is what the outside can see: before and after each statement, each COPY (and in its
middle), each commit, each request to Kobo. The answer is one line: the number of steps that were made, or "killed".
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

import django
from django.db import connection

django.setup()

from assessments.kobo.connection import KoboConnection  # noqa: E402  needs the settings
from assessments.models import KoboForm  # noqa: E402
from assessments.services import kobo_store  # noqa: E402
from assessments.services.kobo_sync import sync_form  # noqa: E402
from tests.practice import client_of  # noqa: E402


class Steps:
    """Counts, and ends the process at the step that it was made for (0: never). Two threads of a sync make steps."""

    def __init__(self, last: int) -> None:
        self.last, self.made, self.counting = last, 0, Lock()

    def make(self) -> None:
        with self.counting:
            self.made += 1
            if self.made == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **options: Any) -> Any:
            self.make()
            done = work(*args, **options)
            self.make()
            return done

        return stepping

    def within(self, copy: Callable[..., None]) -> Callable[..., None]:
        def stepping(model: type[Any], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
            copy(model, columns, self._between(rows))

        return self.around(stepping)

    def _between(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            yield row
            self.make()


def sync_until(form_id: int, last: int, kind: str) -> int:
    steps = Steps(last)
    form = KoboForm.objects.select_related("server", "round", "form_kind").get(pk=form_id)
    connection.commit = steps.around(connection.commit)  # type: ignore[method-assign]
    KoboConnection._send = steps.around(KoboConnection._send)  # type: ignore[method-assign]
    kobo_store._copy = steps.within(kobo_store._copy)
    with (
        connection.execute_wrapper(lambda execute, *rest: steps.around(execute)(*rest)),
        client_of(form) as client,
    ):
        sync_form(form, client=client, trigger="beat", quick=kind == "quick", full=kind == "full", page_size=4)
    return steps.made


def sync_apart(form_id: int, last: int, kind: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            os.write(writing, str(sync_until(form_id, last, kind)).encode())
        except BaseException as error:  # noqa: BLE001  told to the test
            os.write(writing, repr(error).replace("\n", " ").encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 4_000).decode()
    os.close(reading)
    os.waitpid(child, 0)
    return said or "killed"


if __name__ == "__main__":
    for line in sys.stdin:
        form_id, last, kind = line.split()
        sys.stdout.write(sync_apart(int(form_id), int(last), kind) + "\n")
        sys.stdout.flush()
