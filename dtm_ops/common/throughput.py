"""For work on very many small objects in several threads: how Python shares its time out, while it lasts."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# By itself Python looks for cycles after each 700 new containers, which is less than 20 rows of a form, and a thread
# keeps the others waiting for 5 ms. Together they took a third of a first sync's time, where Kobo answered at once.
NEW_CONTAINERS = (100_000, 20, 20)
TURN_SECONDS = 0.0005

_lock = Lock()
_inside = 0
_before: tuple[tuple[int, int, int], float] = (gc.get_threshold(), sys.getswitchinterval())


@contextmanager
def handling_many_objects() -> Iterator[None]:
    """Fewer looks for cycles, shorter turns. Of the whole process; as it was once the last one inside is through."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = gc.get_threshold(), sys.getswitchinterval()
            gc.set_threshold(*NEW_CONTAINERS)
            sys.setswitchinterval(TURN_SECONDS)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_before[0])
                sys.setswitchinterval(_before[1])
