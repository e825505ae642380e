"""What a worker counts: plain ints and lists, turned into `wire.messages.Stats` once a second."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, Final

from shadowproxy.core.ledger import TWIN
from shadowproxy.core.outcome import OUTCOMES
from shadowproxy.wire.buckets import BUCKETS_S
from shadowproxy.wire.messages import Stats

_BUCKETS_NS: Final = [round(bound * 1e9) for bound in BUCKETS_S]


class Histogram:
    """Counts by bucket; observations in ns.

    To observe is to append to a list, without a Python call; the sweep folds the list into the buckets ten times a
    second, and sorts it for that: a third of the cost of a search for each (python -m timeit).
    """

    __slots__ = ("_counts", "_seen", "_sum_ns", "observe")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS_NS) + 1)
        self._sum_ns = 0
        self._seen: list[int] = []
        self.observe: Callable[[int], None] = self._seen.append

    def fold(self) -> None:
        seen = self._seen
        if not seen:
            return
        self._sum_ns += sum(seen)
        seen.sort()
        at = 0
        for bucket, bound in enumerate(_BUCKETS_NS):
            end = bisect_right(seen, bound, at)
            self._counts[bucket] += end - at
            at = end
        self._counts[-1] += len(seen) - at
        seen.clear()

    def export(self) -> tuple[list[float], list[int], float]:
        self.fold()
        return BUCKETS_S, list(self._counts), self._sum_ns / 1e9


class RouteCounters:
    """Requests of one route by status, and how long they took."""

    __slots__ = ("codes", "durations")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.durations = Histogram()


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# Of which route; by what status; ns from the request's arrival and from its start; of which upstream, if it was asked.
Answer = tuple[RouteCounters, int, int, int, Histogram | None]


class Counters:
    """By name, and for good: an upstream that a configuration takes away stays counted, its last answers too.

    `answered` is called once a request, when production's part of it has ended, and only notes what is counted later:
    in one go the same costs half.
    """

    __slots__ = ("_answers", "_overhead", "answered", "durations", "finished", "keyless", "routes")

    def __init__(self) -> None:
        self.routes: dict[str, RouteCounters] = {}
        self.finished: dict[str, dict[int, int]] = {}  # of a candidate: copies by outcome
        self.keyless: dict[str, list[int]] = {}
        self.durations: dict[str, Histogram] = {}  # of what answers as production
        self._overhead = Histogram()
        self._answers: list[Answer] = []
        self.answered: Callable[[Answer], None] = self._answers.append

    def refused(self, status: int) -> None:
        """A request without a route: what came was no request, or came too late or too often."""
        codes = self.routes.setdefault("", RouteCounters()).codes
        codes[status] = codes.get(status, 0) + 1

    def fold(self) -> None:
        """Ten times a second, so that what is noted stays little."""
        overhead = self._overhead
        for counters, status, whole, total, durations in self._answers:
            counters.codes[status] = counters.codes.get(status, 0) + 1
            counters.durations.observe(whole)
            if durations is not None:
                overhead.observe(whole - total if whole > total else 0)
                durations.observe(total)
        self._answers.clear()
        overhead.fold()
        for counters in self.routes.values():
            counters.durations.fold()
        for durations in self.durations.values():
            durations.fold()

    def stats(self, ledger: list[dict[str, Any]], gauges: dict[str, float]) -> Stats:
        """Totals so far, by their names as metrics without the prefix that all share."""
        self.fold()
        return Stats(
            counters=self._requests() | _from_ledger(ledger) | self._copies(),
            gauges=gauges,
            histograms=self._histograms(),
            ledger=ledger,
        )

    def _requests(self) -> dict[str, float]:
        return {
            f'requests_total{{route="{label(route)}",code="{status}"}}': count
            for route, seen in self.routes.items()
            for status, count in seen.codes.items()
        }

    def _copies(self) -> dict[str, float]:
        keyless: dict[str, float] = {
            f'mirror_keyless_total{{candidate="{label(candidate)}"}}': count
            for candidate, (count,) in self.keyless.items()
        }
        return keyless | {
            f'mirrored_total{{candidate="{label(candidate)}",outcome="{OUTCOMES[outcome]}"}}': count
            for candidate, finished in self.finished.items()
            for outcome, count in finished.items()
        }

    def _histograms(self) -> dict[str, tuple[list[float], list[int], float]]:
        histograms = {
            f'request_duration_seconds{{route="{label(route)}"}}': seen.durations.export()
            for route, seen in self.routes.items()
        }
        histograms["overhead_seconds"] = self._overhead.export()
        for upstream, durations in self.durations.items():
            key = f'upstream_duration_seconds{{upstream="{label(upstream)}",role="production"}}'
            histograms[key] = durations.export()
        return histograms


def _from_ledger(lines: Iterable[dict[str, Any]]) -> dict[str, float]:
    counters: dict[str, float] = {}
    for line in lines:
        candidate = label(line["candidate"])
        for reason, count in line["dropped"].items():
            key = f'mirror_dropped_total{{candidate="{candidate}",reason="{reason}"}}'
            counters[key] = counters.get(key, 0) + count
        for reason, count in line["unlogged"].items() if line["candidate"] != TWIN else ():
            key = f'pairs_unlogged_total{{reason="{reason}"}}'
            counters[key] = counters.get(key, 0) + count
    return counters
