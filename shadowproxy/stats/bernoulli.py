"""A confidence sequence for a rate: looked at as often as one likes, it misses the true rate with probability ≤ alpha.

Howard, Ramdas, McAuliffe, Sekhon 2021, Annals of Statistics 49(2), arXiv 1810.08240: the two-sided beta-binomial
mixture. For a rate p, with S successes in n trials, C = 2·ln(1/α) + ln(1 + 2·ln(1/α)) and w = max(t_opt/C − 1, 10⁻³),

    M_n(p) = B(p·w + S, (1−p)·w + n − S) / [B(p·w, (1−p)·w) · p^S · (1−p)^(n−S)]

is a test martingale where p is true, so that {p : M_n(p) < 1/α} holds the true p at all n at once (Ville). The prior
Beta(p·w, (1−p)·w) is the paper's, written with one number; t_opt is the n at which the sequence is tightest and must be
chosen before looking. Assumes that p is constant and the trials are independent given the past.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, logit, xlogy

from shadowproxy.stats.arrays import Floats, floats
from shadowproxy.stats.roots import crossing

T_OPT = 1000
METHOD = "beta-binomial mixture sequence"

# Rates nearer to 0 or 1 than this are not told from 0 and 1.
_EDGE = 1e-13


def sequence(successes: ArrayLike, trials: ArrayLike, alpha: float, t_opt: float = T_OPT) -> tuple[Floats, Floats]:
    """(low, high) for each element. Successes need not be whole: `needed` asks what a multiple of them would say."""
    return lower(successes, trials, alpha, t_opt), upper(successes, trials, alpha, t_opt)


def lower(successes: ArrayLike, trials: ArrayLike, alpha: float, t_opt: float = T_OPT) -> Floats:
    s, n = np.broadcast_arrays(floats(successes), floats(trials))
    low: Floats = np.zeros(s.shape)
    # With at most one success M_n stays below 1/α down to p = 0: there is no root, the bound is 0.
    some = s > 1
    if some.any():
        centre = _centre(s[some], n[some])
        found = _root(s[some], n[some], alpha, t_opt, np.full(centre.shape, logit(_EDGE)), centre)
        low[some] = np.nan_to_num(found, nan=0.0)
    return low


def upper(successes: ArrayLike, trials: ArrayLike, alpha: float, t_opt: float = T_OPT) -> Floats:
    """1 − the lower bound of the failures: the mixture is symmetric."""
    s, n = np.broadcast_arrays(floats(successes), floats(trials))
    return 1 - lower(n - s, n, alpha, t_opt)


def log_mixture(p_logit: Floats, s: Floats, n: Floats, alpha: float, t_opt: float) -> Floats:
    """ln M_n(p), p given as its logit: near 0 and near 1 nothing is lost.

    The ratio of beta functions is written with rising factorials: scipy's `betaln(10**6, 10**-11)` is infinite.
    """
    w = weight(alpha, t_opt)
    p, q = expit(p_logit), expit(-p_logit)
    rising: Floats = _log_rising(p * w, s) + _log_rising(q * w, n - s) - _log_rising(w, n)
    return rising - np.asarray(xlogy(s, p) + xlogy(n - s, q), dtype=np.float64)


def _log_rising(x: Floats | float, k: Floats) -> Floats:
    """ln x(x+1)…(x+k−1)"""
    return np.asarray(gammaln(x + k) - gammaln(x), dtype=np.float64)


def weight(alpha: float, t_opt: float) -> float:
    log = 2 * math.log(1 / alpha)
    return max(t_opt / (log + math.log1p(log)) - 1, 1e-3)


def _centre(s: Floats, n: Floats) -> Floats:
    """The logit of S/n, where M_n ≤ 1: it is the likelihood's mean over its maximum."""
    return np.asarray(logit(np.clip(s / n, _EDGE, 1 - _EDGE)), dtype=np.float64)


def _root(s: Floats, n: Floats, alpha: float, t_opt: float, left: Floats, right: Floats) -> Floats:
    threshold = math.log(1 / alpha)
    found = crossing(lambda x: log_mixture(x, s, n, alpha, t_opt) - threshold, left, right)
    return np.asarray(expit(found), dtype=np.float64)
