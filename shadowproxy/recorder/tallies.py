"""What the recorder counts, for heartbeats: cumulative totals of one boot."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from shadowproxy.recorder.heads import fields_of, value_of
from shadowproxy.recorder.lines import Line
from shadowproxy.recorder.stream import first_part_ns
from shadowproxy.wire import frames
from shadowproxy.wire.buckets import BUCKETS_S
from shadowproxy.wire.messages import Stats

PRODUCTION, TWIN, CANDIDATE = "production", "twin", "candidate"
_ROLES: Final = (PRODUCTION, TWIN)  # by the role's number in a frame; every higher number is a candidate's


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Durations:
    """Counts by bucket, in seconds."""

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS_S, seconds)] += 1
        self._sum_s += seconds

    def export(self) -> tuple[list[float], list[int], float]:
        return BUCKETS_S, list(self._counts), self._sum_s


class Tallies:
    """Production's durations are the worker's to count: it sees those of requests that have no pair, too."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()  # by candidate and result
        self._decided: Counter[str] = Counter()
        self._agree: Counter[str] = Counter()
        self._took: dict[tuple[str, str], Durations] = {}  # by upstream and role
        self._first_tokens: dict[tuple[str, str], Durations] = {}

    def logged(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._pairs[line.candidate, line.result] += 1
            if line.agrees is not None:
                self._decided[line.candidate] += 1
                self._agree[line.candidate] += line.agrees

    def timed(self, exchanges: Iterable[frames.Exchange], names: Sequence[str]) -> None:
        """`names` are the upstreams' by role."""
        for exchange in exchanges:
            if exchange.outcome == 0:
                continue
            role = _ROLES[exchange.role] if exchange.role < len(_ROLES) else CANDIDATE
            key = (names[exchange.role], role)
            if role != PRODUCTION and exchange.total >= 0:
                self._took.setdefault(key, Durations()).observe(exchange.total / 1e9)
            if exchange.arrivals:
                kind = value_of(fields_of(exchange.head), "content-type")
                first_ns = first_part_ns(frames.arrivals(exchange.arrivals), bytes(exchange.body), kind)
                if first_ns is not None:
                    self._first_tokens.setdefault(key, Durations()).observe(first_ns / 1e9)

    def stats(self, log_bytes: int) -> Stats:
        counters: dict[str, float] = {}
        for (candidate, result), count in self._pairs.items():
            counters[f'pairs_total{{candidate="{label(candidate)}",result="{result}"}}'] = count
        for name, counts in (("pairs_decided_total", self._decided), ("pairs_agree_total", self._agree)):
            for candidate, count in counts.items():
                counters[f'{name}{{candidate="{label(candidate)}"}}'] = count
        histograms = {
            f'{name}{{upstream="{label(upstream)}",role="{role}"}}': durations.export()
            for name, series in (("upstream_duration_seconds", self._took), ("first_token_seconds", self._first_tokens))
            for (upstream, role), durations in series.items()
        }
        return Stats(counters=counters, gauges={"log_bytes": float(log_bytes)}, histograms=histograms)
