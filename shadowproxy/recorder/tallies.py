"""What the recorder counts, for heartbeats: cumulative totals of one boot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from shadowproxy.core.outcome import UNLOGGED
from shadowproxy.recorder.lines import Line
from shadowproxy.wire.messages import Stats


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Tallies:
    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()  # by candidate and result
        self._decided: Counter[str] = Counter()
        self._agree: Counter[str] = Counter()
        self._unlogged: Counter[int] = Counter()

    def logged(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._pairs[line.candidate, line.result] += 1
            if line.agrees is not None:
                self._decided[line.candidate] += 1
                self._agree[line.candidate] += line.agrees

    def unlogged(self, reason: int, lines: int) -> None:
        self._unlogged[reason] += lines

    def stats(self, log_bytes: int) -> Stats:
        counters: dict[str, float] = {}
        for (candidate, result), count in self._pairs.items():
            counters[f'pairs_total{{candidate="{label(candidate)}",result="{result}"}}'] = count
        for name, counts in (("pairs_decided_total", self._decided), ("pairs_agree_total", self._agree)):
            for candidate, count in counts.items():
                counters[f'{name}{{candidate="{label(candidate)}"}}'] = count
        for reason, count in self._unlogged.items():
            counters[f'pairs_unlogged_total{{reason="{UNLOGGED[reason]}"}}'] = count
        return Stats(counters=counters, gauges={"log_bytes": float(log_bytes)})
