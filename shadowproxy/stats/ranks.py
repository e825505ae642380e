"""Between which order statistics a quantile lies. Of n values, the count below the true p-quantile is Bin(n, p).

At any time: Howard & Ramdas 2022, Bernoulli 28(3), arXiv 1906.09712, a fixed quantile: all counts S at which the
beta-binomial mixture of `bernoulli` stays below 1/α. At one look: the binomial quantiles themselves. Both take the
values as independent, which latencies in a row are not: they describe, no gate stands on them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

import numpy as np
from scipy.special import bdtr, logit

from shadowproxy.stats.bernoulli import T_OPT, log_mixture

Ranks = tuple[int, int]  # from 1; both ends belong to the interval


def sequence(n: int, p: float, alpha: float, t_opt: float = T_OPT) -> Ranks | None:
    """None where n values do not suffice for a bound on each side."""
    threshold = math.log(1 / alpha)
    at = np.atleast_1d(np.asarray(logit(p), dtype=np.float64))

    def is_likely(s: int) -> bool:
        return bool(log_mixture(at, np.array([float(s)]), np.array([float(n)]), alpha, t_opt)[0] < threshold)

    middle = round(n * p)
    fewest = bisect_left(range(middle + 1), True, key=is_likely)
    beyond = middle + bisect_left(range(middle, n + 1), True, key=lambda s: not is_likely(s))
    return _inside(fewest, beyond, n)


def one_look(n: int, p: float, alpha: float) -> Ranks | None:
    def first(share: float) -> int:
        at_least: Callable[[int], bool] = lambda s: bool(bdtr(s, n, p) >= share)  # noqa: E731
        return bisect_left(range(n + 1), True, key=at_least)

    return _inside(first(alpha / 2), first(1 - alpha / 2) + 1, n)


def _inside(low: int, high: int, n: int) -> Ranks | None:
    return (low, high) if low >= 1 and high <= n else None
