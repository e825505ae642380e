"""Totals over all lives of a role: what a dead process counted stays counted.

Ledger rows are cumulative totals of one boot, so a seat keeps the last rows of each boot. Only the newest boots are
kept apart; older ones are added into one row set under boot 0, which keeps every sum and bounds the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from shadowproxy.wire.messages import Stats, merge_stats

BOOTS_KEPT: Final = 16
OLDER: Final = 0  # the boot under which older lives are summed

Row = dict[str, Any]
_KEY: Final = ("trial", "candidate", "route")


class Totals:
    """Of the lives of one seat that have ended."""

    def __init__(self) -> None:
        self.stats = Stats(counters={}, gauges={}, histograms={}, ledger=[])
        self.ledgers: dict[int, list[Row]] = {}

    def add(self, boot: int, stats: Stats) -> None:
        merge_stats(self.stats, stats)
        if stats.ledger:
            self.ledgers[boot] = stats.ledger
        while len(self.ledgers) > BOOTS_KEPT:
            oldest = min(boot for boot in self.ledgers if boot != OLDER)
            self.ledgers[OLDER] = sum_rows([*self.ledgers.get(OLDER, []), *self.ledgers.pop(oldest)])


def sum_rows(rows: Iterable[Row]) -> list[Row]:
    """One row per trial, candidate and route: numbers are added, also inside `{reason: n}`."""
    sums: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row.get(name) for name in _KEY)
        have = sums.get(key)
        sums[key] = dict(row) if have is None else _added(have, row)
    return list(sums.values())


def _added(a: Mapping[str, Any], b: Mapping[str, Any]) -> Row:
    return {name: _sum(a.get(name), b.get(name)) for name in (*a, *(name for name in b if name not in a))}


def _sum(a: Any, b: Any) -> Any:
    if isinstance(a, Mapping) or isinstance(b, Mapping):
        return _added(a or {}, b or {})
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a + b
    return b if a is None else a
