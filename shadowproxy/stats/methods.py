"""How each kind of metric gets its interval: evidence → sums, sums → ends.

Law: an interval is a function of sums over buckets alone. Taken at the looks they give the course of the sequence;
taken once, the interval of a single look; multiplied, what more of the same traffic would show (`needed`).

The rows of the sums: n (the trials that are shown), the events, the copies that were not sent, then the nine of
`asymptotic.SUMS`; for a DIFFERENCE also the reference's events, and the buckets in which each side had more of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from shadowproxy.stats import asymptotic, bernoulli, bins, evalues, one_look, union
from shadowproxy.stats.arrays import Bools, Floats
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.metrics import LOST, Kind

_BUCKETS: Final = slice(3, 3 + len(asymptotic.SUMS))
_C: Final = 3 + len(asymptotic.SUMS)
BUCKETS: Final = 3  # the row that counts them


class Levels(NamedTuple):
    """The alphas of the ends that FAIL and PASS stand on."""

    fail: float
    hold: float


class Ends(NamedTuple):
    """FAIL needs `low` and `guard` above the limit, PASS needs `high` at or below it.

    `alone` is the lower end that takes each trial for itself: where it is above the limit and the others are not,
    only bursts speak against the candidate.
    """

    low: Floats
    high: Floats
    guard: Floats
    alone: Floats


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    one_look_name: str
    rows: Callable[[Evidence, Gate], Floats]  # what is summed: a row each, a column a bucket
    estimate: Callable[[Floats], Floats]
    sequence: Callable[[Floats, Levels, bool], Ends]  # the last: whether neighbouring trials are alike
    one_look: Callable[[Floats, Levels, bool], Ends]
    least: float = -math.inf  # the range of the metric
    most: float = math.inf


def _difference_rows(evidence: Evidence, gate: Gate) -> Floats:
    b, c, n = (evidence.column(name) for name in gate.columns)
    return difference_rows(b, c, n, _lost(evidence, gate))


def difference_rows(b: Floats, c: Floats, n: Floats, lost: Floats) -> Floats:
    return np.vstack([n, b, lost, asymptotic.bucket_rows(b - c, n), c, b > c, c > b])


def _difference_estimate(sums: Floats) -> Floats:
    return _share(sums[1] - sums[_C], sums[0])


def _difference(sums: Floats, levels: Levels, alike: bool) -> Ends:
    """The burst rule is the guard: buckets with b > c against buckets with c > b, as tosses of a fair coin.

    One outage is one event however many requests it took: without this rule, outages of equal sides fail a gate.
    """
    n, b, lost = sums[:3]
    c, heads, tails = sums[_C:]
    low = union.low_end(b, c, n, levels.fail)
    high = union.high_end(b + lost, _credited(sums), n + lost, levels.hold)
    guard = _proven(evalues.log_one_sided(heads, tails) >= math.log(1 / levels.fail))
    over_buckets = _over_buckets(sums, levels, asymptotic.sequence)
    return _wider(Ends(low, high, guard, low), over_buckets, alike)


def _difference_once(sums: Floats, levels: Levels, alike: bool) -> Ends:
    n, b, lost = sums[:3]
    c, heads, tails = sums[_C:]
    low, _ = one_look.difference(b, c, n, levels.fail)
    _, high = one_look.difference(b + lost, _credited(sums), n + lost, levels.hold)
    guard = _proven(one_look.coin_p(heads, tails) <= levels.fail)
    return _wider(Ends(low, high, guard, low), _over_buckets(sums, levels, one_look.ratio), alike)


def _credited(sums: Floats) -> Floats:
    """The reference's own events, as far as they speak for the candidate: not until a burst is one bucket of many."""
    return np.where(sums[BUCKETS] >= asymptotic.LEAST, sums[_C], 0.0)


def _rate_rows(evidence: Evidence, gate: Gate) -> Floats:
    s, n = (evidence.column(name) for name in gate.columns)
    return rate_rows(s, n, _lost(evidence, gate))


def rate_rows(s: Floats, n: Floats, lost: Floats) -> Floats:
    return np.vstack([n, s, lost, asymptotic.bucket_rows(s, n)])


def _rate_estimate(sums: Floats) -> Floats:
    return _share(sums[1], sums[0])


def _rate(sums: Floats, levels: Levels, alike: bool) -> Ends:
    """The guard is the lower end over buckets: events in one burst are few buckets' worth of evidence."""
    n, s, lost = sums[:3]
    low, high = bernoulli.lower(s, n, levels.fail), bernoulli.upper(s + lost, n + lost, levels.hold)
    over_buckets = _over_buckets(sums, levels, asymptotic.sequence)
    return _wider(Ends(low, high, over_buckets[0], low), over_buckets, alike)


def _rate_once(sums: Floats, levels: Levels, alike: bool) -> Ends:
    n, s, lost = sums[:3]
    low, high = one_look.rate(s, n, levels.fail)[0], one_look.rate(s + lost, n + lost, levels.hold)[1]
    over_buckets = _over_buckets(sums, levels, one_look.ratio)
    return _wider(Ends(low, high, over_buckets[0], low), over_buckets, alike)


def _over_buckets(
    sums: Floats, levels: Levels, interval: Callable[[Floats, float], tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """(low, high) over buckets, the copies that were not sent added to the upper end as events."""
    n, _, lost = sums[:3]
    of_buckets = sums[_BUCKETS]
    high = interval(of_buckets, levels.hold)[1]
    known = np.where(np.isfinite(high), high, 0.0)
    with_lost = np.where(np.isfinite(high), (known * n + lost) / np.maximum(n + lost, 1), high)
    return interval(of_buckets, levels.fail)[0], with_lost


def _wider(ends: Ends, over_buckets: tuple[Floats, Floats], alike: bool) -> Ends:
    """The wider of both intervals at each end: buckets that vary more than independent trials would widen it.

    Where neighbouring trials are known to be alike, there is no interval until there are buckets enough for one.
    """
    low, high = over_buckets
    if not alike:
        low, high = np.where(np.isfinite(low), low, np.inf), np.where(np.isfinite(high), high, -np.inf)
    return Ends(np.minimum(ends.low, low), np.maximum(ends.high, high), ends.guard, ends.alone)


def _mean_rows(evidence: Evidence, gate: Gate) -> Floats:
    x, n = (evidence.column(name) for name in gate.columns)
    return np.vstack([n, n, np.zeros(len(n)), asymptotic.bucket_rows(-x if gate.higher_is_better else x, n)])


def _ratio_rows(evidence: Evidence, gate: Gate) -> Floats:
    """ln(q(candidate)/q(reference)) of each group of buckets, in the column of the bucket that completed it."""
    candidate, reference = (evidence.histogram(name) for name in gate.columns)
    metric = gate.of
    grouped = bins.quantiles(evidence.buckets, (candidate, reference), metric.quantile, metric.merge)
    x, n = np.zeros((2, len(evidence.buckets)))
    x[grouped.ends], n[grouped.ends] = bins.log_ratios(grouped), 1
    held = np.bincount(np.searchsorted(evidence.buckets, candidate.bucket), candidate.count, len(x))
    return np.vstack([held, held, np.zeros(len(x)), asymptotic.bucket_rows(x, n)])


def _bucket_estimate(sums: Floats) -> Floats:
    return asymptotic.ratio(sums[_BUCKETS])


def _bucketed(sums: Floats, levels: Levels, alike: bool) -> Ends:
    low, _ = asymptotic.sequence(sums[_BUCKETS], levels.fail)
    return Ends(low, asymptotic.sequence(sums[_BUCKETS], levels.hold)[1], low, low)


def _bucketed_once(sums: Floats, levels: Levels, alike: bool) -> Ends:
    low, _ = one_look.ratio(sums[_BUCKETS], levels.fail)
    return Ends(low, one_look.ratio(sums[_BUCKETS], levels.hold)[1], low, low)


def _proven(is_proven: Bools) -> Floats:
    return np.where(is_proven, np.inf, -np.inf)


def _lost(evidence: Evidence, gate: Gate) -> Floats:
    """A slice's drops are not known: what was not sent has no pair that says which slice it was of."""
    return evidence.columns[LOST] if gate.of.lost and LOST in evidence.columns else np.zeros(len(evidence.buckets))


def _share(events: Floats, trials: Floats) -> Floats:
    return np.where(trials > 0, events / np.maximum(trials, 1), np.nan)


_OR_WIDER: Final = "or wider over time buckets"

METHODS: Final[Mapping[Kind, Method]] = MappingProxyType(
    {
        Kind.DIFFERENCE: Method(
            f"{union.METHOD}, {_OR_WIDER}",
            f"{one_look.DIFFERENCE}, {_OR_WIDER}",
            _difference_rows,
            _difference_estimate,
            _difference,
            _difference_once,
            -1.0,
            1.0,
        ),
        Kind.RATE: Method(
            f"{bernoulli.METHOD}, {_OR_WIDER}",
            f"{one_look.RATE}, {_OR_WIDER}",
            _rate_rows,
            _rate_estimate,
            _rate,
            _rate_once,
            0.0,
            1.0,
        ),
        Kind.MEAN: Method(asymptotic.METHOD, one_look.RATIO, _mean_rows, _bucket_estimate, _bucketed, _bucketed_once),
        Kind.RATIO: Method(asymptotic.METHOD, one_look.RATIO, _ratio_rows, _bucket_estimate, _bucketed, _bucketed_once),
    }
)
