"""What comparing costs, in CPU time of one thread: python -m tests.compare.measure

The best of many rounds, as the others on the machine only ever add. The body has 2.2 KB: 24 rows of a label, a name, a
score and a box.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from shadowproxy.compare import Comparison, assess, compare
from tests.compare.exchanges import ANY, answer, rules

ROUNDS, CALLS = 400, 20


def body(**more: object) -> bytes:
    rows = [
        {"label": i, "name": f"class_{i}", "score": 1 / (i + 3), "box": [1, 2, 3, i], "area": i * 0.5, **more}
        for i in range(24)
    ]
    return json.dumps({"id": 1, "predictions": rows}).encode()


def cost_us(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        best = min(best, (time.thread_time_ns() - start) / CALLS / 1000)
    return best


def main() -> None:
    by = rules()
    plain, with_booleans = body(), body(ok=True)

    def pair(a: bytes, b: bytes) -> Comparison:
        production = assess(by, *ANY, answer(a))
        return compare(by, production, assess(by, *ANY, answer(b), like=production))

    changed, changed_with_booleans = (a.replace(b"class_7", b"class_x") for a in (plain, with_booleans))
    read = assess(by, *ANY, answer(plain))
    alike = assess(by, *ANY, answer(plain), like=read)
    for name, call in {
        f"reading one answer of {len(plain)} bytes": lambda: assess(by, *ANY, answer(plain)),
        "comparing two that are read and equal": lambda: compare(by, read, alike),
        "an equal pair, reading included": lambda: pair(plain, plain),
        "a pair with one difference, reading included": lambda: pair(plain, changed),
        "the same with booleans in it": lambda: pair(with_booleans, changed_with_booleans),
        "the yardstick: [None for _ in range(1000)]": lambda: [None for _ in range(1000)],
    }.items():
        print(f"{name:48}{cost_us(call):8.1f} us")


if __name__ == "__main__":
    main()
