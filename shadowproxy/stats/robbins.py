"""The simplest confidence sequence for a rate: {p : (n+1)·P[Bin(n, p) = S] > α}, the mixture over a uniform prior.

Robbins 1970, Annals of Mathematical Statistics 41(5). Wider than `bernoulli` where events are rare; it needs no
choice of t_opt, and without events it has a closed form, which makes it the check by hand of the other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats import special
from shadowproxy.stats.arrays import Floats, floats
from shadowproxy.stats.roots import crossing

_EDGE = 1e-13


def sequence(successes: ArrayLike, trials: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """(low, high) for each element."""
    s, n = np.broadcast_arrays(floats(successes), floats(trials))
    return _lower(s, n, alpha), 1 - _lower(n - s, n, alpha)


def without_events(trials: float, alpha: float) -> float:
    """The upper end when nothing happened: 1 − (α/(n+1))^(1/n)."""
    return -math.expm1(math.log(alpha / (trials + 1)) / trials)


def _lower(s: Floats, n: Floats, alpha: float) -> Floats:
    log_choose = special.gammaln(n + 1) - special.gammaln(s + 1) - special.gammaln(n - s + 1)

    def log_martingale(x: Floats) -> Floats:
        log_likelihood = special.xlogy(s, special.expit(x)) + special.xlogy(n - s, special.expit(-x))
        return np.asarray(-np.log(n + 1) - log_choose - log_likelihood - math.log(1 / alpha), dtype=np.float64)

    centre = special.logit(np.clip(s / np.maximum(n, 1), _EDGE, 1 - _EDGE))
    found = crossing(log_martingale, np.full(s.shape, special.logit(_EDGE)), np.asarray(centre, dtype=np.float64))
    return np.where(s > 0, np.nan_to_num(special.expit(found), nan=0.0), 0.0)
