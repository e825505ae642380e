"""How one address compares with the first: the ratio of a figure, with an interval from the rounds.

Each round gives one ratio, of two windows that lie side by side in time. Their logarithms are taken for draws around
one mean, whose interval is Student's: mean ± t(n-1) · s/√n. What is shown is the geometric mean of the ratios and the
interval, both back from logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from shadowproxy.bench.outcome import Outcome

CONFIDENCE: Final = 0.95
FEWEST: Final = 5  # rounds, below which no interval is given
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Ratio:
    """`low` and `high` are None where there are too few rounds."""

    metric: str
    estimate: float
    low: float | None
    high: float | None
    rounds: int


def ratios(of: Sequence[Outcome], to: Sequence[Outcome], *, with_rate: bool) -> list[Ratio]:
    """Of every figure that each round has on both sides. A p99 of a window takes 100 answers, a p90 ten."""
    names = ["mean", *_QUANTILES, *(["rate"] if with_rate else [])]
    found = (
        ratio(name, [(_figure(mine, name), _figure(its, name)) for mine, its in zip(of, to, strict=True)])
        for name in names
    )
    return [each for each in found if each is not None]


def ratio(metric: str, rounds: Sequence[tuple[float | None, float | None]]) -> Ratio | None:
    """None where less than half of the rounds have both figures."""
    logs = [math.log(mine / its) for mine, its in rounds if mine and its]
    if not logs or len(logs) * 2 < len(rounds):
        return None
    middle = fmean(logs)
    if len(logs) < FEWEST:
        return Ratio(metric, math.exp(middle), None, None, len(logs))
    from scipy.stats import t  # takes a second to import

    half = float(t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return Ratio(metric, math.exp(middle), math.exp(middle - half), math.exp(middle + half), len(logs))


def _figure(outcome: Outcome, name: str) -> float | None:
    if name == "rate":
        return outcome.answered_in_window / outcome.duration_s
    if name == "mean":
        return outcome.latency.mean_ms
    share = _QUANTILES[name]
    return outcome.latency.quantile_ms(share) if outcome.latency.count * (1 - share) >= 1 - 1e-9 else None
