"""Boundaries of the literature that nothing is judged by, as the papers print them: yardsticks for those that are used.

normal mixture       √{(v+ρ)·ln[(v+ρ)/(ρα²)]},  ρ = v_opt/[2·ln(1/α) + ln(1 + 2·ln(1/α))]
gamma-exponential    the s at which a mixture over a gamma prior reaches 1/α, one-sided, scale c
poly-stitching       √{k₁²·v·ℓ + (k₂cℓ)²} + k₂cℓ,  ℓ = s·ln ln(ηv/m) + ln[ζ(s)/(α·lnˢη)]
double stitching     the same for all quantiles at once, each epoch's on a grid of logits
empirical LIL        A·√{[ln(1 + ln(t/m)) + C]/t}, for the whole distribution function

The first three: Howard, Ramdas, McAuliffe, Sekhon 2021, AoS 49(2); the others: Howard & Ramdas 2022, Bernoulli 28(3),
Theorems 3 and 2. All but the last bound a sum of centred values whose variances add up to v; the last bounds a share.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, gammainc, gammaln, logit, zeta

STRETCH, EPOCH = 1.4, 2.0  # s and η of the papers' figures
K1 = (EPOCH**0.25 + EPOCH**-0.25) / math.sqrt(2)
K2 = (math.sqrt(EPOCH) + 1) / 2


def mixture_rho(v_opt: float, alpha: float) -> float:
    log = 2 * math.log(1 / alpha)
    return v_opt / (log + math.log1p(log))


def normal_mixture(v: float, alpha: float, v_opt: float) -> float:
    rho = mixture_rho(v_opt, alpha)
    return math.sqrt((v + rho) * math.log((v + rho) / (rho * alpha**2)))


def gamma_exponential(v: float, alpha: float, v_opt: float, c: float) -> float:
    rho = mixture_rho(v_opt, 2 * alpha)
    before, after = rho / c**2, (v + rho) / c**2
    start = before * math.log(before) - gammaln(before) - math.log(gammainc(before, before))

    def log_mixture(s: float) -> float:
        x = (c * s + v + rho) / c**2
        return float(start + gammaln(after) + math.log(gammainc(after, x)) - after * math.log(x) + (c * s + v) / c**2)

    return float(brentq(lambda s: log_mixture(s) - math.log(1 / alpha), 0, 100 * v))


def poly_stitching(v: float, alpha: float, v_min: float, c: float = 0.0) -> float:
    v = max(v, v_min)
    log = STRETCH * math.log(math.log(EPOCH * v / v_min))
    log += math.log(float(zeta(STRETCH)) / (alpha * math.log(EPOCH) ** STRETCH))
    return math.hypot(K1 * math.sqrt(v * log), K2 * c * log) + K2 * c * log


def double_stitching(p: float, t: float, alpha: float, t_opt: float, grid: float = 0.5) -> float:
    """`grid` is δ: how far apart, as logits, the quantiles of one epoch lie."""
    t = max(t, t_opt)
    ratio = t / t_opt
    r = p if p >= 0.5 else min(0.5, float(expit(logit(p) + 2 * grid * math.sqrt(EPOCH / ratio))))
    variance = r * (1 - r)
    epoch = math.sqrt(ratio) * abs(float(logit(p))) / (2 * grid) + 1
    sum_ = float(zeta(STRETCH))
    log = STRETCH * (math.log(math.log(EPOCH * ratio)) + math.log(epoch))
    log += math.log(2 * sum_ * (2 * sum_ + 1) / (alpha * math.log(EPOCH) ** STRETCH))
    skewed = K2 * (1 - 2 * p) / 3 * log
    return grid * math.sqrt(EPOCH * ratio * variance) + math.hypot(K1 * math.sqrt(variance * t * log), skewed) + skewed


def empirical_lil(t: float, alpha: float, t_min: float, a: float = 0.85) -> float:
    def crossing(c: float, eta: float) -> float:
        """The paper's bound on the chance of ever crossing, for epochs that grow by η."""
        reach = a - math.sqrt(2 * (eta - 1) / c)
        gamma = 2 / eta * reach**2
        return (
            4 * math.exp(-gamma * c) * (1 + 1 / ((gamma - 1) * math.log(eta))) if reach > 0 and gamma > 1 else math.inf
        )

    def least(c: float) -> float:
        grid = 1 + np.geomspace(1e-4, 1, 400)
        best = float(grid[np.argmin([crossing(c, eta) for eta in grid])])
        around = (1 + (best - 1) / 1.1, 1 + (best - 1) * 1.1)
        return min(crossing(c, best), float(minimize_scalar(lambda eta: crossing(c, eta), around, around).fun))

    c = float(brentq(lambda c: min(least(c), 1e6) - alpha, 3, 100))
    return a * math.sqrt((math.log1p(math.log(t / t_min)) + c) / t)
