"""How alike two rankings are: the first place, the first k, the order of what both hold, and all at once.

Items are any hashable values, each at most once in a ranking.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Hashable, Sequence
from itertools import combinations
from math import sqrt
from typing import Final

PERSISTENCE: Final = 0.9  # puts 86 % of the weight on the first ten places


def overlap(a: Sequence[Hashable], b: Sequence[Hashable], k: int | None = None) -> float:
    """What share of the first k places the two have in common, in any order; 1 where both are empty."""
    first, second = set(a[:k]), set(b[:k])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def kendall_tau_b(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Kendall's τ-b of paired values, with its correction for ties (Kendall 1945); None where one side is constant.

    Looks at all pairs: for long inputs take the first few hundred.
    """
    concordance = x_pairs = y_pairs = 0
    for (x1, y1), (x2, y2) in combinations(zip(x, y, strict=True), 2):
        dx, dy = (x1 > x2) - (x1 < x2), (y1 > y2) - (y1 < y2)
        concordance += dx * dy
        x_pairs += dx != 0
        y_pairs += dy != 0
    return concordance / sqrt(x_pairs * y_pairs) if x_pairs and y_pairs else None


def common_tau(a: Sequence[Hashable], b: Sequence[Hashable], most: int = 1000) -> float | None:
    """τ over the items that both hold, the first `most` of `a`; None with fewer than two. Without ties τ-b is
    1 − 4 · inversions / (n (n − 1))."""
    places = {item: place for place, item in enumerate(b)}
    order = [places[item] for item in a if item in places][:most]
    n = len(order)
    if n < 2:
        return None
    seen: list[int] = []
    inversions = 0
    for place in order:
        at = bisect(seen, place)
        inversions += len(seen) - at
        seen.insert(at, place)
    return 1 - 4 * inversions / (n * (n - 1))


def rank_biased_overlap(a: Sequence[Hashable], b: Sequence[Hashable], p: float = PERSISTENCE) -> float:
    """RBO_ext (Webber, Moffat and Zobel 2010, eq. 32): agreement at every depth, weighted p^depth and extrapolated.

    1 for equal rankings (two empty ones too), 0 for disjoint ones. Ties are not known here: a list is an order.
    """
    short, long = sorted((a, b), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the paper's letters
    if s == 0:
        return 1.0 if l == 0 else 0.0
    seen_short: set[Hashable] = set()
    seen_long: set[Hashable] = set()
    common = at_s = 0
    weighed = 0.0
    for depth in range(1, l + 1):
        common += _newly_common(short, depth, seen_short, seen_long) + _newly_common(long, depth, seen_long, seen_short)
        weighed += common / depth * p**depth
        if depth == s:
            at_s = common
        elif depth > s:
            weighed += at_s * (depth - s) / (s * depth) * p**depth
    return (1 - p) / p * weighed + ((common - at_s) / l + at_s / s) * p**l


def _newly_common(ranking: Sequence[Hashable], depth: int, own: set[Hashable], others: set[Hashable]) -> int:
    """1 where the item at this depth is one that the other ranking already has. Own items are noted."""
    if depth > len(ranking):
        return 0
    item = ranking[depth - 1]
    own.add(item)
    return item in others
