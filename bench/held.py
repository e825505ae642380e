"""What a worker holds after so many requests: objects that the collector knows, and blocks of memory.

python -m bench.held

The same world as bench.instructions. Counted as they lie, nothing is collected before: what reference counting does not
free counts too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.callgrind import is_asleep
from bench.counted_worker import OBJECTS
from bench.failure import MeasurementError
from bench.instructions import CASES, Case, standing

_PATIENCE_S = 30.0


class _Worker:
    def __init__(self, pid: int, counts: Path) -> None:
        self._pid = pid
        self._counts = counts
        self._asked = 0

    def is_asleep(self) -> bool:
        return is_asleep(self._pid)

    def held(self) -> tuple[int, int]:
        """(objects, blocks) just now."""
        os.kill(self._pid, signal.SIGUSR1)
        self._asked += 1
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            lines = self._counts.read_text(encoding="utf-8").splitlines(True) if self._counts.exists() else []
            if len(lines) == self._asked and lines[-1].endswith("\n"):
                objects, blocks = json.loads(lines[-1])
                return objects, blocks
            time.sleep(0.01)
        raise MeasurementError("the worker did not say what it holds")


def held(case: Case, portions: Sequence[int]) -> list[tuple[int, int]]:
    """(objects, blocks) after each portion of requests, in one life. Raises MeasurementError."""
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with standing(case, place) as stand:
            environment = {**stand.environment, OBJECTS: str(place / "objects")}
            with (place / "stderr").open("wb") as sink:
                process = subprocess.Popen(stand.command, env=environment, pass_fds=stand.fds, stdout=sink, stderr=sink)
            try:
                worker = _Worker(process.pid, place / "objects")
                stand.begin()
                found, served = [], 0
                for portion in portions:
                    stand.world.exchange(worker, portion)
                    served += portion
                    if case.candidate is not None:
                        stand.world.settle(worker, served)
                    found.append(worker.held())
                return found
            finally:
                process.kill()
                process.wait()


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
