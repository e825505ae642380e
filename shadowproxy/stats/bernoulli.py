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
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats import special
from shadowproxy.stats.arrays import Floats, floats
from shadowproxy.stats.roots import descent

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
        low[some] = _root(s[some], n[some], alpha, t_opt)
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
    p, q = special.expit(p_logit), special.expit(-p_logit)
    rising: Floats = _log_rising(p * w, s) + _log_rising(q * w, n - s) - _log_rising(w, n)
    return rising - np.asarray(special.xlogy(s, p) + special.xlogy(n - s, q), dtype=np.float64)


def _log_rising(x: Floats | float, k: Floats) -> Floats:
    """ln x(x+1)…(x+k−1)"""
    return np.asarray(special.gammaln(x + k) - special.gammaln(x), dtype=np.float64)


def weight(alpha: float, t_opt: float) -> float:
    log = 2 * math.log(1 / alpha)
    return max(t_opt / (log + math.log1p(log)) - 1, 1e-3)


def _root(s: Floats, n: Floats, alpha: float, t_opt: float) -> Floats:
    """The p below s/n with M_n(p) = 1/α; 0 where M_n is below that as far down as a rate is told from 0."""
    threshold = math.log(1 / alpha)
    # M_n ≤ 1 at S/n: it is the likelihood's mean over its maximum.
    centre = np.asarray(special.logit(np.clip(s / n, _EDGE, 1 - _EDGE)), dtype=np.float64)
    edge = np.full(centre.shape, special.logit(_EDGE))
    has_root = log_mixture(edge, s, n, alpha, t_opt) > threshold
    s, n, centre, edge = s[has_root], n[has_root], centre[has_root], edge[has_root]
    guess = np.clip(_guess(s, n, centre, threshold, weight(alpha, t_opt)), edge, centre)
    found = descent(_excess(s, n, threshold, weight(alpha, t_opt)), edge, centre, guess)
    low: Floats = np.zeros(has_root.shape)
    low[has_root] = special.expit(found)
    return low


def _guess(s: Floats, n: Floats, centre: Floats, threshold: float, w: float) -> Floats:
    """Where n·KL(S/n ‖ p) is ln(1/α) + ½·ln(1 + n/w), as logit: what Laplace's method makes of ln M_n(p).

    It starts left of the root of a convex function, so that Newton's steps never pass it.
    """
    share = s / n
    most = special.xlogy(s, share) + special.xlogy(n - s, 1 - share)
    wanted = threshold + 0.5 * np.log1p(n / w)
    ratio = wanted / np.maximum(n * share * (1 - share), 1e-12)
    reach = ratio + np.sqrt(2 * ratio)
    x = centre - np.where(share < 0.5, reach, np.log1p(reach))
    for _ in range(3):
        value = most - s * x + n * np.logaddexp(0, x) - wanted
        x = x + value / np.maximum(s - n * special.expit(x), 1e-12)
    return np.asarray(x, dtype=np.float64)


def _excess(s: Floats, n: Floats, threshold: float, w: float) -> Callable[[Floats], tuple[Floats, Floats]]:
    """ln M_n(p) − ln(1/α) and its slope, as a function of p's logit."""
    rest = n - s
    constant = _log_rising(w, n) + threshold

    def excess(x: Floats) -> tuple[Floats, Floats]:
        p, q = special.expit(x), special.expit(-x)
        a, b = p * w, q * w
        value = _log_rising(a, s) + _log_rising(b, rest) - special.xlogy(s, p) - special.xlogy(rest, q) - constant
        pull = special.psi(a + s) - special.psi(a) - special.psi(b + rest) + special.psi(b)
        return value, a * q * pull - (s - n * p)

    return excess
