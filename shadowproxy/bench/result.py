"""A run as one record: what is printed, drawn, written as JSON and held against thresholds.

Times are in ms and named so; shares are fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

from shadowproxy.bench.histogram import Histogram
from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.plan import Plan
from shadowproxy.bench.ratio import Ratio, ratios

VERSION: Final = 1
SHOWN: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
CURVE: Final = tuple(1 - 0.5**k for k in range(1, 18))  # 50 %, 75 %, 87.5 % … as far as there are answers
ENOUGH_LATE_MS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A slice of time: what arrived in it."""

    at_s: float
    rate_per_s: float
    failed: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One address over all its windows. `stream` is there where answers came as events."""

    url: str
    offered: int
    answered: int
    failed: int
    error_rate: float
    rate_per_s: float
    statuses: dict[str, int]
    errors: dict[str, int]
    latency_ms: dict[str, float | None]
    percentiles: list[tuple[float, float]]
    over_time: list[Moment]
    late_ms: dict[str, float | None]
    waiting_peak: int
    stream: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Result:
    rate_per_s: float | None
    duration_s: float
    warmup_s: float
    connections: int
    rounds: int
    urls: list[Measured]
    ratios: list[list[Ratio]] = field(default_factory=list)  # of the second, the third … to the first

    @property
    def hints(self) -> list[str]:
        """Why figures may not mean what they seem to."""
        return [hint for each in self.urls for hint in _hints(each, self)]


def result(plans: Sequence[Plan], outcomes: Sequence[Sequence[Outcome]]) -> Result:
    first = plans[0]
    return Result(
        rate_per_s=first.rate_per_s,
        duration_s=first.duration_s,
        warmup_s=first.warmup_s,
        connections=first.connections,
        rounds=len(outcomes[0]),
        urls=[measured(plan.address.url, windows) for plan, windows in zip(plans, outcomes, strict=True)],
        ratios=[ratios(windows, outcomes[0], with_rate=first.rate_per_s is None) for windows in outcomes[1:]],
    )


def measured(url: str, windows: Sequence[Outcome]) -> Measured:
    over_time = _over_time(windows)
    whole = reduce(_merged, windows, Outcome())
    return Measured(
        url=url,
        offered=whole.offered,
        answered=whole.answered,
        failed=whole.failed,
        error_rate=whole.failed / whole.offered if whole.offered else 0.0,
        rate_per_s=whole.answered_in_window / whole.duration_s,
        statuses={str(status): count for status, count in sorted(whole.statuses.items())},
        errors=dict(sorted(whole.errors.items())),
        latency_ms=_latency(whole.latency),
        percentiles=_curve(whole.latency),
        over_time=over_time,
        late_ms=_quantiles(whole.late, (0.5, 0.99)),
        waiting_peak=whole.backlog_peak,
        stream=None
        if whole.stream is None
        else {
            "events": whole.stream.events,
            "first_token_ms": _latency(whole.stream.first),
            "gap_ms": _latency(whole.stream.gaps),
        },
    )


def _merged(into: Outcome, more: Outcome) -> Outcome:
    into.merge(more)
    return into


def _quantiles(histogram: Histogram, shares: Sequence[float] = SHOWN) -> dict[str, float | None]:
    found = histogram.quantiles_ms(shares)
    return {f"p{round(share * 100, 3):g}": value for share, value in zip(shares, found, strict=True)}


def _latency(histogram: Histogram) -> dict[str, float | None]:
    largest = histogram.largest_ns / 1e6 if histogram.count else None
    return {"mean": histogram.mean_ms, **_quantiles(histogram), "max": largest}


def _curve(histogram: Histogram) -> list[tuple[float, float]]:
    shares = [share for share in CURVE if histogram.count * (1 - share) >= 1]
    found = zip(shares, histogram.quantiles_ms(shares), strict=True)
    return [(100 * share, value) for share, value in found if value is not None]


def _over_time(windows: Sequence[Outcome]) -> list[Moment]:
    """One window: its slices. Several: a moment each."""
    if len(windows) == 1:
        (window,) = windows
        edges = [(k * window.slice_s, each) for k, each in enumerate(window.slices)]
        return [
            _moment(at_s, min(window.slice_s, window.duration_s - at_s), each.latency, each.failed)
            for at_s, each in edges
            if window.duration_s - at_s > 1e-6
        ]
    starts = [sum(window.duration_s for window in windows[:k]) for k in range(len(windows))]
    return [
        _moment(at_s, window.duration_s, window.latency, window.failed)
        for at_s, window in zip(starts, windows, strict=True)
    ]


def _moment(at_s: float, width_s: float, latency: Histogram, failed: int) -> Moment:
    p50, p99 = latency.quantiles_ms((0.5, 0.99))
    return Moment(at_s, latency.count / width_s, failed, p50, p99)


def _hints(each: Measured, run: Result) -> list[str]:
    found = []
    if each.errors.get("unanswered"):
        found.append(
            f"{each.errors['unanswered']:,} requests had no answer at the end; they count with the time waited, "
            "which is less than they would have taken"
        )
    late = each.late_ms.get("p99")
    if late is not None and late > ENOUGH_LATE_MS:
        found.append(f"requests left up to {late:.1f} ms late (p99): this machine was too busy to keep the rate")
    if run.rate_per_s and each.rate_per_s < 0.98 * run.rate_per_s:
        found.append(
            f"{each.rate_per_s:,.0f} of {run.rate_per_s:,.0f} requests/s were answered in time: the server, the number "
            "of connections or this machine does not allow more"
        )
    return [f"{each.url}: {hint}" for hint in found]
