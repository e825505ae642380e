"""A result as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from shadowproxy.bench.ratio import Ratio
from shadowproxy.bench.result import Measured, Result
from shadowproxy.bench.threshold import Check

_NAMES: Final = {"rate": "requests/s"}


def lines(result: Result, checks: Sequence[Check]) -> Iterator[str]:
    yield _load(result)
    for each in result.urls:
        yield ""
        yield from _measured(each)
    for each, found in zip(result.urls[1:], result.ratios, strict=True):
        yield ""
        yield f"{each.url} ÷ {result.urls[0].url}, {result.rounds} rounds in turns, 95 % interval"
        yield from (f"  {_NAMES.get(ratio.metric, ratio.metric):<12} {_ratio(ratio)}" for ratio in found)
    if result.hints or checks:
        yield ""
    yield from result.hints
    yield from (
        f"{'met' if each.is_met else 'MISSED'}: {each.expression} ({value(each)}) {each.url}" for each in checks
    )


def value(check: Check) -> str:
    return "not measured" if check.value is None else f"{check.value:.4g}"


def ms(number: float | None) -> str:
    """Three digits that mean something."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.3f}"


def _load(result: Result) -> str:
    rate = "as fast as answers come" if result.rate_per_s is None else f"{result.rate_per_s:,g} requests/s"
    return (
        f"{rate} over {result.connections} connections, {result.duration_s:g} s after {result.warmup_s:g} s of warm-up"
    )


def _measured(each: Measured) -> Iterator[str]:
    yield each.url
    statuses = ", ".join(f"{count:,} × {status}" for status, count in each.statuses.items()) or "no answer"
    yield f"  answers      {each.rate_per_s:,.1f} requests/s · {statuses}"
    if each.failed:
        errors = ", ".join(f"{count:,} × {kind}" for kind, count in each.errors.items())
        failed = f"{each.failed:,} of {each.offered:,} ({each.error_rate:.2%})"
        yield f"  failed       {failed}{f' · {errors}' if errors else ''}"
    yield f"  latency, ms  {_row(each.latency_ms)}"
    if each.stream is not None:
        yield f"  first event  {_row(each.stream['first_token_ms'])}"
        yield f"  gaps         {_row(each.stream['gap_ms'])} · {each.stream['events']:,} events"


def _row(figures: dict[str, Any]) -> str:
    return " · ".join(f"{name} {ms(number)}" for name, number in figures.items())


def _ratio(ratio: Ratio) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate:.3f} × (no interval from {ratio.rounds} rounds)"
    return f"{ratio.estimate:.3f} × ({ratio.low:.3f}–{ratio.high:.3f})"
