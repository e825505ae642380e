"""Bytecodes that a worker executes for one request, by Python function: where the interpreter's share comes from.

python -m bench.bytecodes --top 40

The same world as bench.instructions, a worker that traces itself in place of valgrind.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.counted_worker import BYTECODES
from bench.instructions import CASES, Case, standing
from bench.self_counted import self_counted


def count(case: Case, requests: int, before: int = 20) -> list[tuple[str, str, float, float]]:
    """(place, function, bytecodes, calls) for one request, most first; `before` are served first and not counted.

    Raises MeasurementError.
    """
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with standing(case, place) as stand, self_counted(stand, place, BYTECODES) as worker:
            stand.world.exchange(worker, before)
            worker.ask()
            stand.world.exchange(worker, requests)
            rows = worker.ask()
    return sorted(((at, name, n / requests, calls / requests) for at, name, n, calls in rows), key=lambda row: -row[2])


def text(title: str, rows: Sequence[tuple[str, str, float, float]], top: int) -> str:
    whole = sum(row[2] for row in rows)
    lines = [f"| {title}: {whole:,.0f} bytecodes | share | calls | function |", "|---|---|---|---|"]
    for at, name, count, calls in rows[:top]:
        lines.append(f"| {count:,.1f} | {count / whole:.1%} | {calls:.2f} | `{name}` {'/'.join(at.split('/')[-2:])} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="python -m bench.bytecodes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--case", choices=names, nargs="+", default=names[:2])
    parser.add_argument("--top", type=int, default=40, metavar="N", help="functions shown (40)")
    chosen = parser.parse_args(words)
    for case in CASES:
        if case.name in chosen.case:
            print(text(case.title, count(case, chosen.requests), chosen.top), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
