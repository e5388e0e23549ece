"""Two people at once: work in threads, each with a connection of its own. For tests with real transactions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def in_another_connection(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, or the exception that it ends with."""
    return at_once(work)[0]


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Start all of them at the same moment; what each returns, or the exception that it ends with, in their order."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            barrier.wait(10)
            return work()
        except Exception as error:  # noqa: BLE001  handed to the test
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
