"""Intervals for what is shown and not gated: the same sequences and looks as for gates, at one confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shadowproxy.stats import asymptotic, looks
from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.methods import BUCKETS, METHODS, Levels, difference_rows, rate_rows
from shadowproxy.stats.metrics import Kind


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a share, or of a difference of two; `low` and `high` are None where nothing bounds it yet."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    method: str


def rate(
    evidence: Evidence, events: str, trials: str, terms: Terms, *, alike: bool = False, final: bool = False
) -> Interval:
    """Columns by name. Raises evidence.NotCounted.

    `alike`: neighbouring trials resemble each other, as the items of a request do, so that only buckets count.
    """
    s, n = evidence.column(events), evidence.column(trials)
    return _interval(Kind.RATE, rate_rows(s, n, np.zeros(len(n))), terms, final, alike)


def difference(
    evidence: Evidence,
    events: str,
    of_reference: str,
    trials: str,
    terms: Terms,
    *,
    alike: bool = False,
    final: bool = False,
) -> Interval:
    """P(only the one) − P(only the reference). `alike` as above, for latencies."""
    b, c, n = (evidence.column(name) for name in (events, of_reference, trials))
    return _interval(Kind.DIFFERENCE, difference_rows(b, c, n, np.zeros(len(n))), terms, final, alike)


MEDIAN = "Woodruff's interval for the median, over time buckets"


def median_levels(
    evidence: Evidence, below: str, trials: str, terms: Terms, *, final: bool = False
) -> tuple[float, float] | None:
    """Between which quantiles the median lies: `below` counts the values that are at most the median of them all.

    Woodruff 1952, JASA 47(260): the interval of the share below the sample's median, laid around one half and taken
    back to the values. Values of one moment resemble each other, so the share's interval is that over buckets. None
    where there are too few of them.
    """
    share = rate(evidence, below, trials, terms, alike=True, final=final)
    if share.estimate is None or share.low is None or share.high is None:
        return None
    reach = max(share.high - share.estimate, share.estimate - share.low)
    return max(0.5 - reach, 0.0), min(0.5 + reach, 1.0)


def mean(evidence: Evidence, total: str, count: str, terms: Terms, *, final: bool = False) -> Interval:
    """Σ of one column over Σ of another, by buckets."""
    x, n = evidence.column(total), evidence.column(count)
    return _interval(Kind.MEAN, np.vstack([n, n, np.zeros(len(n)), asymptotic.bucket_rows(x, n)]), terms, final)


def _interval(kind: Kind, rows: Floats, terms: Terms, final: bool, alike: bool = False) -> Interval:
    method = METHODS[kind]
    name = method.one_look_name if final else method.name
    if not rows.shape[1] or rows[0].sum() == 0:
        return Interval(None, None, None, 0, name)
    sums = np.cumsum(rows, axis=1)
    levels = Levels(terms.alpha, terms.alpha)
    at = sums[:, -1:] if final else sums[:, looks.schedule(sums.shape[1]) - 1]
    ends = (method.one_look if final else method.sequence)(at, levels, alike)
    kept = at[BUCKETS] >= min(
        asymptotic.LEAST, at[BUCKETS, -1]
    )  # as for gates: no end from before one could see bursts
    low, high = (float(end[-1]) for end in looks.running(ends.low[kept], ends.high[kept]))
    if low > high:  # the value has changed meanwhile: what this look alone says is nearer to now than neither
        low, high = float(ends.low[-1]), float(ends.high[-1])
    estimate = float(method.estimate(sums[:, -1:])[0])
    return Interval(
        None if math.isnan(estimate) else estimate,
        max(low, method.least) if math.isfinite(low) else None,
        min(high, method.most) if math.isfinite(high) else None,
        round(float(sums[0, -1])),
        name,
    )
