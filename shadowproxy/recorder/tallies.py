"""What the recorder counts, for heartbeats: cumulative totals of one boot.

Whether decisions agree is counted by trial, for what another production was compared with is other evidence. Beyond
MAX_TRIALS the oldest are counted under no trial, so that sums stay true.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final

from shadowproxy.recorder.heads import fields_of, value_of
from shadowproxy.recorder.lines import Line
from shadowproxy.recorder.stream import first_part_ns
from shadowproxy.wire import frames
from shadowproxy.wire.buckets import BUCKETS_S
from shadowproxy.wire.messages import Stats

_FOUND: Final = itemgetter(0, 2, 3, 4)  # of a line: candidate, result, agrees, trial
MAX_TRIALS: Final = 256
_ROLES: Final = ("production", "twin", "candidate")  # by the role's number in a frame; all higher ones are candidates


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Durations:
    """Counts by bucket. To observe, in ns, is to append; what was seen is folded into the buckets once a second."""

    __slots__ = ("_counts", "_seen", "_sum_ns", "observe")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum_ns = 0
        self._seen: list[int] = []
        self.observe: Callable[[int], None] = self._seen.append

    def export(self) -> tuple[list[float], list[int], float]:
        for took in self._seen:
            self._counts[bisect_left(BUCKETS_S, took / 1e9)] += 1
        self._sum_ns += sum(self._seen)
        self._seen.clear()
        return BUCKETS_S, list(self._counts), self._sum_ns / 1e9


class Tallies:
    """Production's durations are the worker's to count: it sees those of requests that have no pair, too."""

    def __init__(self) -> None:
        # By candidate, result, `agrees` and trial.
        self._lines: Counter[tuple[str, str, bool | None, str]] = Counter()
        self._took: dict[tuple[str, int], Durations] = {}  # by upstream and role
        self._first_tokens: dict[tuple[str, int], Durations] = {}

    def logged(self, lines: Iterable[Line]) -> None:
        self._lines.update(map(_FOUND, lines))

    def timed(self, exchanges: Iterable[frames.Exchange], upstreams: Sequence[tuple[str, str]]) -> None:
        """`upstreams` are (name, version) by role."""
        for exchange in exchanges:
            if not exchange.outcome:
                continue
            role = exchange.role
            if role and (total := exchange.total) >= 0:
                self._durations(self._took, upstreams[role][0], role).observe(total)
            if exchange.arrivals:
                fields = fields_of(exchange.head)
                kind, has_length = value_of(fields, "content-type"), value_of(fields, "content-length") is not None
                first_ns = first_part_ns(frames.arrivals(exchange.arrivals), bytes(exchange.body), kind, has_length)
                if first_ns is not None:
                    self._durations(self._first_tokens, upstreams[role][0], role).observe(first_ns)

    @staticmethod
    def _durations(known: dict[tuple[str, int], Durations], upstream: str, role: int) -> Durations:
        key = (upstream, role if role < frames.FIRST_CANDIDATE else frames.FIRST_CANDIDATE)
        durations = known.get(key)
        if durations is None:
            durations = known[key] = Durations()
        return durations

    def _forget_trials(self) -> None:
        trials = list(dict.fromkeys(trial for _, _, _, trial in self._lines if trial))
        gone = frozenset(trials[:-MAX_TRIALS])
        for key in [key for key in self._lines if key[3] in gone]:
            self._lines[*key[:3], ""] += self._lines.pop(key)

    def stats(self, log_bytes: int) -> Stats:
        self._forget_trials()
        counters: Counter[str] = Counter()
        for (candidate, result, agrees, trial), count in self._lines.items():
            counters[f'pairs_total{{candidate="{label(candidate)}",result="{result}"}}'] += count
            if agrees is not None:
                labels = f'{{candidate="{label(candidate)}",trial="{label(trial)}"}}'
                counters[f"pairs_decided_total{labels}"] += count
                counters[f"pairs_agree_total{labels}"] += count * agrees
        histograms = {
            f'{name}{{upstream="{label(upstream)}",role="{_ROLES[role]}"}}': durations.export()
            for name, series in (("upstream_duration_seconds", self._took), ("first_token_seconds", self._first_tokens))
            for (upstream, role), durations in series.items()
        }
        return Stats(counters=dict(counters), gauges={"log_bytes": float(log_bytes)}, histograms=histograms)
