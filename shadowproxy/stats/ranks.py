"""Between which order statistics a quantile lies. Of n values, the count below the true p-quantile is Bin(n, p).

At any time: Howard & Ramdas 2022, Bernoulli 28(3), arXiv 1906.09712, a fixed quantile: all counts S at which the
beta-binomial mixture of `bernoulli` stays below 1/α. At one look: the binomial quantiles themselves. Both take the
values as independent, which latencies in a row are not: they describe, no gate stands on them.

An end may lie beyond the values, at 0 or n + 1: nothing bounds the quantile there (`sequence`, `one_look`: None).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np

from shadowproxy.stats import special
from shadowproxy.stats.bernoulli import T_OPT, log_mixture

Ranks = tuple[int, int]  # from 1; both ends belong to the interval


def sequence(n: int, p: float, alpha: float, t_opt: float = T_OPT) -> Ranks | None:
    """None where n values do not suffice for a bound on each side."""
    return _bounded(sequence_ends(n, p, alpha, t_opt), n)


def one_look(n: int, p: float, alpha: float) -> Ranks | None:
    return _bounded(one_look_ends(n, p, alpha), n)


def sequence_ends(n: int, p: float, alpha: float, t_opt: float = T_OPT) -> Ranks:
    """From 0 to n + 1."""
    threshold = math.log(1 / alpha)
    at = np.atleast_1d(np.asarray(special.logit(p), dtype=np.float64))

    def is_likely(s: int) -> bool:
        return bool(log_mixture(at, np.array([float(s)]), np.array([float(n)]), alpha, t_opt)[0] < threshold)

    middle = round(n * p)
    fewest = bisect_left(range(middle + 1), True, key=is_likely)
    beyond = middle + bisect_left(range(middle, n + 1), True, key=lambda s: not is_likely(s))
    return fewest, beyond


def one_look_ends(n: int, p: float, alpha: float) -> Ranks:
    """From 0 to n + 1."""

    def first(share: float) -> int:
        at_least: Callable[[int], bool] = lambda s: bool(special.bdtr(s, n, p) >= share)  # noqa: E731
        return bisect_left(range(n + 1), True, key=at_least)

    return first(alpha / 2), first(1 - alpha / 2) + 1


def within(ends: Ranks, n: int) -> Ranks:
    """The nearest values there are, where an end lies beyond them."""
    return max(ends[0], 1), min(ends[1], n)


def _bounded(ends: Ranks, n: int) -> Ranks | None:
    return ends if ends == within(ends, n) else None
