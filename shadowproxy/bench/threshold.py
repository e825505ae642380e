"""`--threshold EXPR`: METRIC (<=|>=) NUMBER[unit], held against every address.

p50 p99 p99.9 … mean max                        ms (the default), s or us
first_token_p50 … gap_p99 …                     the same, of answers that come as events
error_rate                                      %, or a fraction
rate                                            answers per second
p99_ratio mean_ratio rate_ratio …               x: of each further address to the first; the estimate counts
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shadowproxy.bench.result import Measured, Result

_EXPRESSION: Final = re.compile(r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=)\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z%]*)\s*")
_MS: Final[Mapping[str, float]] = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001}
_SHARE: Final[Mapping[str, float]] = {"": 1.0, "%": 0.01}
_PLAIN: Final[Mapping[str, float]] = {"": 1.0}
_TIMES: Final[Mapping[str, float]] = {"": 1.0, "x": 1.0}
_LATENCY: Final = r"(mean|max|p50|p75|p90|p95|p99|p99\.9)"
# What a metric looks like, and the units that it takes.
_METRICS: Final = (
    (re.compile(_LATENCY), _MS),
    (re.compile(rf"(first_token|gap)_{_LATENCY}"), _MS),
    (re.compile(r"error_rate"), _SHARE),
    (re.compile(r"rate"), _PLAIN),
    (re.compile(r"(mean|p50|p90|p99|rate)_ratio"), _TIMES),
)


class ThresholdError(ValueError):
    """An expression that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Threshold:
    expression: str
    metric: str
    is_at_most: bool
    limit: float


@dataclass(frozen=True, slots=True)
class Check:
    """`value` is None where nothing was measured: then the threshold is missed."""

    expression: str
    url: str
    value: float | None
    is_met: bool


def parse(text: str) -> Threshold:
    """Raises ThresholdError."""
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise ThresholdError(f"expected an expression such as 'p99<=20ms' or 'error_rate<=1%', there was {text!r}")
    metric, relation, number, unit = match.groups()
    units = next((units for pattern, units in _METRICS if pattern.fullmatch(metric)), None)
    if units is None:
        raise ThresholdError(
            f"{text}: there is no metric {metric!r}; expected one such as p50, p99, mean, max, rate, error_rate, "
            "first_token_p99, gap_p99 or p99_ratio"
        )
    if unit not in units:
        allowed = ", ".join(each for each in units if each) or "no unit"
        raise ThresholdError(f"{text}: {metric} takes {allowed}, there was {unit!r}")
    return Threshold(text, metric, relation == "<=", float(number) * units[unit])


def check(threshold: Threshold, result: Result) -> list[Check]:
    return [
        Check(threshold.expression, url, value, value is not None and _is_met(threshold, value))
        for url, value in _values(threshold.metric, result)
    ]


def _is_met(threshold: Threshold, value: float) -> bool:
    return value <= threshold.limit if threshold.is_at_most else value >= threshold.limit


def _values(metric: str, result: Result) -> Iterator[tuple[str, float | None]]:
    name, is_ratio, _ = metric.partition("_ratio")
    if not is_ratio:
        yield from ((each.url, _value(metric, each)) for each in result.urls)
        return
    if len(result.urls) == 1:
        yield result.urls[0].url, None
    for each, found in zip(result.urls[1:], result.ratios, strict=True):
        yield each.url, next((ratio.estimate for ratio in found if ratio.metric == name), None)


def _value(metric: str, each: Measured) -> float | None:
    if metric == "rate":
        return each.rate_per_s
    if metric == "error_rate":
        return each.error_rate
    for part in ("first_token", "gap"):
        if metric.startswith(f"{part}_"):
            value: float | None = (each.stream or {}).get(f"{part}_ms", {}).get(metric.removeprefix(f"{part}_"))
            return value
    return each.latency_ms[metric]
