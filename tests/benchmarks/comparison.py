"""One promise in numbers: what we do, what the bare work takes, and how many times that we may take."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    """Nothing to make ready."""


@dataclass(frozen=True)
class Comparison:
    name: str
    ours: Callable[[], object]
    yardstick: Callable[[], object]
    at_most: float
    rounds: int = 5
    # Seconds that are free on top of that: for promises that were given in seconds.
    slack: float = 0
    # A first round that does not count; what takes minutes has no use for it.
    warms_up: bool = True
    # Before each single run of either side, outside the measured time: empty the tables, say.
    before_each: Callable[[], object] = _nothing
    # Once both sides are through, whatever happened.
    after_all: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Result:
    name: str
    # Medians, in seconds.
    ours: float
    yardstick: float
    at_most: float
    slack: float = 0

    @property
    def ratio(self) -> float:
        return self.ours / self.yardstick if self.yardstick else float("inf")

    @property
    def kept(self) -> bool:
        return self.ours <= self.at_most * self.yardstick + self.slack


def compare(comparison: Comparison, *, rounds: int) -> Result:
    """Run both sides in turn, so that a busy minute of the machine hits both."""
    ours, yardstick = [], []
    try:
        for number in range(0 if comparison.warms_up else 1, rounds + 1):
            pair = (_time(comparison.ours, comparison.before_each), _time(comparison.yardstick, comparison.before_each))
            if number:
                ours.append(pair[0])
                yardstick.append(pair[1])
    finally:
        comparison.after_all()
    medians = statistics.median(ours), statistics.median(yardstick)
    return Result(comparison.name, *medians, comparison.at_most, comparison.slack)


def _time(run: Callable[[], object], before: Callable[[], object]) -> float:
    before()
    gc.collect()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
