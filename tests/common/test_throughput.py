"""How Python shares its time out while many objects are handled: never left behind."""

import gc
import sys
from threading import Barrier, Thread

import pytest

from dtm_ops.common.throughput import handling_many_objects


def settings_now() -> tuple[tuple[int, int, int], float]:
    return gc.get_threshold(), round(sys.getswitchinterval(), 6)


def test_it_is_as_it_was_afterwards_even_after_an_error() -> None:
    before, seen = settings_now(), []

    @handling_many_objects()
    def break_off() -> None:
        seen.append(settings_now())
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        break_off()
    assert seen != [before]
    assert settings_now() == before


def test_the_first_of_two_that_overlap_takes_nothing_from_the_other() -> None:
    before = settings_now()
    both_inside, first_is_out = Barrier(2), Barrier(2)
    seen = []

    def second() -> None:
        with handling_many_objects():
            both_inside.wait(10)
            first_is_out.wait(10)
            seen.append(settings_now())

    thread = Thread(target=second)
    thread.start()
    with handling_many_objects():
        both_inside.wait(10)
        inside = settings_now()
    first_is_out.wait(10)
    thread.join(10)
    assert seen == [inside]
    assert settings_now() == before
