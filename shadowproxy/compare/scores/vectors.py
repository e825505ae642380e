"""How alike two embeddings are.

A raw cosine means something between two runs of one model (another runtime, another precision). Two models that were
trained apart have spaces of their own: there it says nothing, and the twin's cosine beside it shows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from operator import mul, sub


def cosine(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Of two vectors of equal length; None where one has no direction (zero) or is not finite."""
    norms: float = sqrt(sum(map(mul, a, a))) * sqrt(sum(map(mul, b, b)))
    if not 0 < norms < float("inf"):
        return None
    product: float = sum(map(mul, a, b))
    return max(-1.0, min(1.0, product / norms))


def has_direction(a: Sequence[float]) -> bool:
    """Neither zero nor not finite."""
    return 0 < sqrt(sum(map(mul, a, a))) < float("inf")


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """The Euclidean distance of two vectors of equal length."""
    gaps = list(map(sub, a, b))
    return sqrt(sum(map(mul, gaps, gaps)))
