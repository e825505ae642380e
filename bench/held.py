"""What a worker holds after so many requests: objects that the collector knows, and blocks of memory.

python -m bench.held

The same world as bench.instructions. Counted as they lie, nothing is collected before: what reference counting does not
free counts too. Only what waits for the worker's next sweep, a tenth of a second, is waited for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.counted_worker import OBJECTS
from bench.instructions import CASES, Case, standing
from bench.self_counted import self_counted

_SWEPT_S = 0.3  # two sweeps and more


def held(case: Case, portions: Sequence[int]) -> list[tuple[int, int]]:
    """(objects, blocks) after each portion of requests, in one life. Raises MeasurementError."""
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with standing(case, place) as stand, self_counted(stand, place, OBJECTS) as worker:
            found, served = [], 0
            for portion in portions:
                stand.world.exchange(worker, portion)
                served += portion
                if case.candidate is not None:
                    stand.world.settle(worker, served)
                time.sleep(_SWEPT_S)
                objects, blocks = worker.ask()
                found.append((objects, blocks))
            return found


def main(words: Sequence[str] | None = None) -> int:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="python -m bench.held", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=500, help="between two counts (500)")
    parser.add_argument("--case", choices=names, nargs="+", default=names[:2])
    chosen = parser.parse_args(words)
    for case in CASES:
        if case.name in chosen.case:
            print(f"| {case.title}, requests | objects | blocks |\n|---|---|---|")
            for number, (objects, blocks) in enumerate(held(case, [chosen.requests] * 5), 1):
                print(f"| {number * chosen.requests:,} | {objects:,} | {blocks:,} |")
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
