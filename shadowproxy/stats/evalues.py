"""E-values on fair coins: evidence that may be looked at after every toss.

Under the hypothesis each discordant event (b: the candidate alone, c: the reference alone) is a fair coin given the
past. Mixing the likelihood ratio over a prior on the coin gives a martingale that starts at 1, so P(it ever reaches
1/α) ≤ α (Ville). With m = b + c:

    uniform prior        E = 2^m / [(m+1)·C(m, b)]
    Beta(a, a)           E = 2^m · B(a+b, a+c) / B(a, a)                              a = 1/2: Krichevsky–Trofimov
    its half above 1/2   E = 2^m · B(a+b, a+c) · I_½(a+c, a+b) / [½·B(a, a)]          "b is likelier"

(Robbins 1970 for the mixture; Turner, Ly, Grünwald 2024, arXiv 2106.02693, for 2×2 streams, of which pairs are a
special case.) I is the regularised incomplete beta function. All are given as logarithms: 200 heads are 10^58.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats import special
from shadowproxy.stats.arrays import Bools, Floats, floats

KT = 0.5
UNIFORM = 1.0
_LARGEST_LOG = 700.0  # beyond it a float would be infinite


def log_two_sided(b: ArrayLike, c: ArrayLike, a: float = UNIFORM) -> Floats:
    """ln E against "the coin is fair"; a = 1 is the uniform prior, 1/2 is KT's."""
    heads, tails = floats(b), floats(c)
    mixed = (heads + tails) * math.log(2) + special.betaln(a + heads, a + tails) - special.betaln(a, a)
    return np.asarray(mixed, dtype=np.float64)


def log_one_sided(b: ArrayLike, c: ArrayLike, a: float = UNIFORM) -> Floats:
    """ln E against "heads are no likelier than tails". −∞ where nothing but tails came, long enough."""
    heads, tails = floats(b), floats(c)
    with np.errstate(divide="ignore"):
        half = np.log(special.betainc(a + tails, a + heads, 0.5)) + math.log(2)
    return np.asarray(log_two_sided(heads, tails, a) + half, dtype=np.float64)


def e_value(log: float) -> float:
    """The e-value itself, finite: what JSON can hold."""
    return math.exp(min(log, _LARGEST_LOG))


def discoveries(logs: ArrayLike, alpha: float) -> Bools:
    """e-BH (Wang & Ramdas 2022, JRSS-B 84(3)): which of K e-values to flag, false discoveries ≤ alpha on average.

    Sorted downwards, k* = max{k : e_(k) ≥ K/(α·k)}; the k* largest are flagged. Holds under any dependence.
    """
    log = np.asarray(logs, dtype=np.float64)
    flagged: Bools = np.zeros(log.shape, dtype=np.bool_)
    order = np.argsort(-log, kind="stable")
    bars = np.log(len(log) / (alpha * np.arange(1, len(log) + 1)))
    reached = np.flatnonzero(log[order] >= bars - 1e-12)
    if reached.size:
        flagged[order[: reached[-1] + 1]] = True
    return flagged
