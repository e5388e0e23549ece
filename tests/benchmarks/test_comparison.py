"""The frame of `make bench` itself."""

import time

from tests.benchmarks.comparison import Comparison, Result, compare


def test_comparison_sets_medians_against_each_other_and_leaves_the_first_round_out() -> None:
    calls: list[str] = []
    waits = iter([0.3, 0.02, 0.02, 0.1])

    def ours() -> None:
        calls.append("ours")
        time.sleep(next(waits))

    def yardstick() -> None:
        calls.append("yardstick")
        time.sleep(0.02)

    promise = Comparison("a promise", ours, yardstick, at_most=2, before_each=lambda: calls.append("before"))
    result = compare(promise, rounds=3)

    assert calls == ["before", "ours", "before", "yardstick"] * 4
    assert (result.kept, 0.5 < result.ratio < 2) == (True, True)


def test_comparison_that_takes_minutes_warms_up_with_no_round() -> None:
    calls: list[str] = []
    sides = (lambda: calls.append("ours"), lambda: calls.append("yardstick"))
    compare(Comparison("a promise", *sides, at_most=2, warms_up=False), rounds=1)

    assert calls == ["ours", "yardstick"]


def test_promise_is_broken_above_its_ratio() -> None:
    assert [Result("slow", ours, 1.0, 1.3).kept for ours in (1.3, 1.31)] == [True, False]
    assert Result("nothing to compare with", 1.0, 0.0, 1.3).kept is False
