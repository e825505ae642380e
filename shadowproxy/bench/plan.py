"""What load is offered, and what came of it: two records, and the figures that are read off the second."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Plan:
    """A constant rate over a fixed set of keep-alive connections, one request at a time on each.

    Requests are due every 1/`rate_per_s`. Those due during the first `warmup_s` are sent but not reported;
    `duration_s` is the reported window that follows.
    """

    host: str
    port: int
    request: bytes
    rate_per_s: float
    duration_s: float
    warmup_s: float = 0.0
    connections: int = 32
    grace_s: float = 5.0  # how long the last answers are waited for


@dataclass(slots=True)
class Outcome:
    """What came of a plan's window. Latencies count from the time a request was due, not from when it could be sent."""

    offered: int = 0
    offered_with_warmup: int = 0
    latencies_ns: array[int] = field(default_factory=lambda: array("q"))
    statuses: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    answered_in_window: int = 0  # answers that arrived during the window, whenever they were due
    backlog_peak: int = 0  # most requests that were due and had no free connection

    @property
    def ok(self) -> int:
        return self.statuses.get(200, 0)

    def as_dict(self, quantiles: Sequence[float] = (0.5, 0.9, 0.99)) -> dict[str, object]:
        """JSON's shape; quantiles in ms, keyed as p50, p99; null where nothing was answered."""
        ordered = sorted(self.latencies_ns)
        return {
            "offered": self.offered,
            "offered_with_warmup": self.offered_with_warmup,
            "answered_in_window": self.answered_in_window,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(sorted(self.errors.items())),
            "backlog_peak": self.backlog_peak,
            "latency_ms": {f"p{share * 100:g}": quantile_ms(ordered, share) for share in quantiles},
        }


def quantile_ms(ordered_ns: Sequence[int], share: float) -> float | None:
    """The nearest-rank quantile of sorted nanoseconds, in ms."""
    if not ordered_ns:
        return None
    return ordered_ns[max(0, math.ceil(share * len(ordered_ns)) - 1)] / 1e6


def request_bytes(method: str, target: str, host: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """One request as it goes over the wire, again and again."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("ascii") + body
