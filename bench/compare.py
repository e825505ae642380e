"""What comparing two answers costs, in CPU time of one thread: python -m bench.compare

The best of many rounds, as the others on the machine only ever add. The body has 2.2 KB: 24 rows of a label, a name, a
score and a box. Exits 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from bench.experiment import Experiment, Finding
from bench.table import markdown
from shadowproxy.compare import Answer, Comparison, Rules, assess, compare, compile_rules
from shadowproxy.settings.snapshot import Prediction, Route

ROUNDS, CALLS = 400, 20
REQUEST = ("POST", "/predict")
HEADERS = (("Content-Type", "application/json"),)
# Issue 4: at most so many us for a pair that differs, both answers read; and for what equal bytes cost on top of
# reading one of them.
LIMITS_US = {"differs": 60.0, "equal": 5.0}


def body(**more: object) -> bytes:
    rows = [
        {"label": i, "name": f"class_{i}", "score": 1 / (i + 3), "box": [1, 2, 3, i], "area": i * 0.5, **more}
        for i in range(24)
    ]
    return json.dumps({"id": 1, "predictions": rows}).encode()


def answer(body: bytes) -> Answer:
    return Answer(complete=True, status=200, headers=HEADERS, body=body, truncated=False)


def pair(rules: Rules, a: bytes, b: bytes) -> Comparison:
    production = assess(rules, *REQUEST, answer(a))
    return compare(rules, production, assess(rules, *REQUEST, answer(b), like=production))


def cost_us(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        best = min(best, (time.thread_time_ns() - start) / CALLS / 1000)
    return best


def measured(rounds: int = ROUNDS) -> dict[str, tuple[str, float]]:
    """What is measured → (in words, us)."""
    plain = compile_rules(Route())
    labels = compile_rules(Route(prediction=Prediction(at="$.predictions[*].label", kind="label")))
    a, with_booleans = body(), body(ok=True)
    b, b_with_booleans = (one.replace(b"class_7", b"class_x") for one in (a, with_booleans))
    read = assess(plain, *REQUEST, answer(a))
    calls: dict[str, tuple[str, Callable[[], object]]] = {
        "reads": (f"reading one answer of {len(a)} bytes", lambda: assess(plain, *REQUEST, answer(a))),
        "equal": ("its equal beside it", lambda: compare(plain, read, assess(plain, *REQUEST, answer(a), like=read))),
        "differs": ("a pair with one difference, both read", lambda: pair(plain, a, b)),
        "labels": ("the same with a label in each row", lambda: pair(labels, a, b)),
        "booleans": ("the same with a boolean in each row", lambda: pair(plain, with_booleans, b_with_booleans)),
        "yardstick": ("the yardstick: [None for _ in range(1000)]", lambda: [None for _ in range(1000)]),
    }
    return {name: (words, cost_us(call, rounds)) for name, (words, call) in calls.items()}


def measure_compare(chosen: argparse.Namespace) -> Finding:
    found = measured()
    rows = [
        [words, f"{us:.1f}", f"≤ {LIMITS_US[name]:g}" if name in LIMITS_US else ""]
        for name, (words, us) in found.items()
    ]
    yardstick = found["yardstick"][1]
    return Finding(
        tables=[markdown(["one thread, 2.2 KB of JSON", "µs", "limit"], rows)],
        data={name: us for name, (_, us) in found.items()},
        ratios={f"{name} to yardstick": us / yardstick for name, (_, us) in found.items() if name != "yardstick"},
        load=f"the best of {ROUNDS} rounds of {CALLS} calls",
    )


EXPERIMENT = Experiment("compare", __doc__ or "", measure_compare, cores=1)


def main() -> int:
    missed = 0
    for name, (words, us) in measured().items():
        limit = LIMITS_US.get(name)
        missed += limit is not None and us > limit
        print(f"{words:48}{us:8.1f} us" + (f"   (limit {limit:g})" if limit is not None else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
