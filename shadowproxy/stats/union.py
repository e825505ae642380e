"""The difference of two rates on the same pairs, at any time: the union of two sequences.

With b = pairs on which only the candidate has the event and c = pairs on which only the reference has it, the
difference of the two rates is P(only candidate) − P(only reference). Each gets a sequence at alpha/2, so that

    Δ ∈ [L_b − U_c, U_b − L_c]   at all times at once, with probability ≥ 1 − alpha

whatever the dependence between the two (Boole). Nothing else is assumed than by `bernoulli`.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.bernoulli import T_OPT, lower, upper

METHOD = "union of two beta-binomial mixture sequences"


def low_end(b: ArrayLike, c: ArrayLike, n: ArrayLike, alpha: float, t_opt: float = T_OPT) -> Floats:
    return lower(b, n, alpha / 2, t_opt) - upper(c, n, alpha / 2, t_opt)


def high_end(b: ArrayLike, c: ArrayLike, n: ArrayLike, alpha: float, t_opt: float = T_OPT) -> Floats:
    return upper(b, n, alpha / 2, t_opt) - lower(c, n, alpha / 2, t_opt)


def sequence(b: ArrayLike, c: ArrayLike, n: ArrayLike, alpha: float, t_opt: float = T_OPT) -> tuple[Floats, Floats]:
    """(low, high) of the difference, for each element."""
    return low_end(b, c, n, alpha, t_opt), high_end(b, c, n, alpha, t_opt)
