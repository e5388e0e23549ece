"""Our own programs as a test runs them: real processes on the test's database and broker, ended whatever happens."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def program(*words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """``python WORDS`` in the background, with these environment variables; killed at the end if it still runs."""
    environment = {
        **os.environ,
        **variables,
        "DJANGO_SETTINGS_MODULE": "tests.suite_settings",
        "SUITE_DATABASE": str(connection.settings_dict["NAME"]),
    }
    started = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait(10)


def wait_until(holds: Callable[[], object], *, seconds: float = 30, every: float = 0.01) -> None:
    """Look again and again; AssertionError once the time is over."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)
