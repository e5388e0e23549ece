"""`make bench`: our times against a yardstick that does the same with nothing around it, measured in one run.

Each `bench_*.py` of this folder holds functions `bench_<what>` that return one `Comparison` or several. Both sides of
a comparison run in turn, after a first round that does not count, and their medians are set against each other: ratios
say something on every machine, seconds do not. Ends with 1 when a promise is broken.

`python -m tests.benchmarks [--rounds N] [WORD ...]` runs the functions whose names hold one of the words.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import django
from django.conf import settings
from django.test.utils import setup_databases, teardown_databases

from dtm_ops.embedded.needs import settings_need
from dtm_ops.embedded.users import using_servers
from tests.benchmarks.comparison import Comparison, Result, compare

Benchmark = Callable[[], Comparison | Sequence[Comparison]]


def find_benchmarks(words: Sequence[str]) -> Iterator[tuple[str, Benchmark]]:
    for file in sorted(Path(__file__).parent.glob("bench_*.py")):
        module = importlib.import_module(f"tests.benchmarks.{file.stem}")
        for name, found in vars(module).items():
            if name.startswith("bench_") and (not words or any(word in name for word in words)):
                yield name, found


def show(result: Result) -> None:
    verdict = "kept" if result.kept else "BROKEN"
    slack = f" + {result.slack:g} s" if result.slack else ""
    sys.stdout.write(
        f"{result.name:<60} ours {result.ours:8.3f} s   yardstick {result.yardstick:8.3f} s   "
        f"ratio {result.ratio:5.2f}   at most {result.at_most:g}{slack}   {verdict}\n"
    )
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--rounds", type=int, default=0, help="instead of each comparison's own number")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "dtm_ops.settings.test"  # importing Celery's application has named another
    settings.DATABASES["default"]["TEST"]["NAME"] = "bench_dtm_ops"  # a suite may run beside it
    with using_servers(settings_need(settings)):
        django.setup()
        databases = setup_databases(verbosity=0, interactive=False)
        results = []
        try:
            for _name, benchmark in find_benchmarks(arguments.words):
                made = benchmark()
                for comparison in [made] if isinstance(made, Comparison) else made:
                    results.append(compare(comparison, rounds=arguments.rounds or comparison.rounds))
                    show(results[-1])
        finally:
            teardown_databases(databases, verbosity=0)
    if not results:
        sys.stderr.write("No benchmark has such a name.\n")
    return 0 if results and all(result.kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
