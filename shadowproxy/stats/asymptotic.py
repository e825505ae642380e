"""An asymptotic confidence sequence for a mean, and for a ratio of sums over time buckets.

Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024, Annals of Statistics, arXiv 2103.06476, eq. 9. After k values with
standard deviation σ̂ the mean lies, at all k at once, within

    μ̂ ± σ̂·√{ [2(kρ²+1)/(k²ρ²)]·ln(√(kρ²+1)/α) },   ρ = √{ [−2·ln α + ln(−2·ln α + 1)] / k* }

where k* is the number of values at which it is tightest. It is asymptotic: trusted from `LEAST` values on.

Requests of one moment resemble each other, so the values are time buckets, never requests. A share or a mean over all
requests is then r = Σx/Σn over buckets, with the residuals z = x − r·n (the ratio estimator of survey sampling: Cochran
1977, §6.4): large buckets weigh as much as their requests. Buckets may still resemble their neighbours: the variance is
multiplied by (1+ρ₁)/(1−ρ₁), which an AR(1) series of that lag-1 correlation needs, and never made smaller.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats.arrays import Floats, floats

METHOD = "asymptotic sequence over time buckets"
LEAST = 20
TIGHTEST_AT = 100  # buckets: 50 minutes of 30 s. From 20 to 5,000 buckets it is 1.55 to 1.77 times a z-interval.
MOST_CORRELATED = 0.9

# The sums that the sequence is a function of. Each grows bucket by bucket; "more of the same" multiplies them all.
SUMS = ("k", "x", "n", "xx", "xn", "nn", "lag_xx", "lag_xn", "lag_nn")


def rho(alpha: float, tightest_at: float = TIGHTEST_AT) -> float:
    log = -2 * math.log(alpha)
    return math.sqrt((log + math.log1p(log)) / tightest_at)


def half_width(k: ArrayLike, alpha: float, rho_: float) -> Floats:
    """For σ = 1."""
    count = floats(k)
    grown = count * rho_**2 + 1
    return np.asarray(np.sqrt(2 * grown / (count * rho_) ** 2 * np.log(np.sqrt(grown) / alpha)), dtype=np.float64)


def bucket_rows(x: Floats, n: Floats) -> Floats:
    """One row for each of SUMS, one column a bucket. Buckets in which nothing was counted are no values."""
    rows = np.zeros((len(SUMS), len(x)))
    some = np.flatnonzero(n > 0)
    a, m = x[some], n[some]
    before_a, before_m = (np.concatenate([[0.0], values[:-1]]) for values in (a, m))
    rows[:, some] = (
        np.ones(len(some)),
        a,
        m,
        a * a,
        a * m,
        m * m,
        a * before_a,
        a * before_m + m * before_a,
        m * before_m,
    )
    return rows


def ratio(sums: Floats) -> Floats:
    """Σx/Σn; NaN where nothing was counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[1] / sums[2], dtype=np.float64)


def lag_1(sums: Floats) -> Floats:
    """The correlation of neighbouring buckets' residuals, corrected for its bias of about −(1+3ρ)/k (Kendall 1954)."""
    k, _, _, xx, xn, nn, lag_xx, lag_xn, lag_nn = sums
    r = ratio(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = (lag_xx - r * lag_xn + r * r * lag_nn) / (xx - 2 * r * xn + r * r * nn)
        corrected = raw + (1 + 3 * raw) / k
    finite: Floats = np.nan_to_num(corrected, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(finite, -1, 1)


def spread(sums: Floats) -> Floats:
    """The standard deviation of a bucket's residual, in the unit of the ratio, correlation between buckets included."""
    k, _, n, xx, xn, nn = sums[:6]
    r = ratio(sums)
    likeness = np.clip(lag_1(sums), 0, MOST_CORRELATED)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(xx - 2 * r * xn + r * r * nn, 0) / (k - 1)
        return np.asarray(np.sqrt(variance * (1 + likeness) / (1 - likeness)) / (n / k), dtype=np.float64)


def sequence(sums: Floats, alpha: float) -> tuple[Floats, Floats]:
    """(low, high) of Σx/Σn; (−∞, ∞) before `LEAST` buckets."""
    k = sums[0]
    enough = k >= LEAST
    reach = half_width(np.where(enough, k, LEAST), alpha, rho(alpha)) * np.where(enough, spread(sums), np.inf)
    centre = np.where(enough, ratio(sums), 0.0)
    return centre - reach, centre + reach
