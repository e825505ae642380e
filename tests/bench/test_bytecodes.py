"""A worker's bytecodes are counted by function, and they are the same each time."""

from __future__ import annotations

from bench.bytecodes import count, text
from bench.instructions import CASES

_MIRROR = next(case for case in CASES if case.name == "mirror")


def test_a_mirrored_request_s_bytecodes_are_counted_by_function() -> None:
    rows = count(_MIRROR, requests=4)
    calls = {name: calls for _, name, _, calls in rows}
    assert calls["Exchange.start"] == 1.0
    assert calls["Leg.finish"] == 1.0
    assert sum(row[2] for row in rows) > 500


def test_what_takes_most_stands_first_and_shares_are_of_the_whole() -> None:
    shown = text("mirrored", [("/x/proxy/tee.py:9", "record", 30, 1), ("/x/proxy/pool.py:1", "take", 10, 2)], top=1)
    assert "| mirrored: 40 bytecodes | share | calls | function |" in shown
    assert shown.endswith("| 30.0 | 75.0% | 1.00 | `record` proxy/tee.py:9 |")
