"""How often two models give the same label, beyond what chance alone would bring."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

_Z_95: Final = 1.959963984540054


class Kappa(NamedTuple):
    kappa: float
    low: float  # 95 %, by the asymptotic variance; not anytime-valid
    high: float


def cohens_kappa(table: Sequence[Sequence[float]]) -> Kappa | None:
    """Cohen's κ = (p_o − p_e)/(1 − p_e) of a square table of counts (production's label by the other's).

    The interval uses the variance of Fleiss, Cohen and Everitt (1969). None for an empty table, or where both always
    give one and the same label: then chance explains everything.
    """
    n = sum(map(sum, table))
    if n == 0:
        return None
    size = range(len(table))
    rows = [sum(table[i]) / n for i in size]
    columns = [sum(table[i][j] for i in size) / n for j in size]
    observed = sum(table[i][i] for i in size) / n
    expected = sum(rows[i] * columns[i] for i in size)
    if expected == 1:
        return None
    kappa = (observed - expected) / (1 - expected)
    on = sum(table[i][i] / n * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in size)
    off = (1 - kappa) ** 2 * sum(table[i][j] / n * (columns[i] + rows[j]) ** 2 for i in size for j in size if i != j)
    variance = on + off - (kappa - expected * (1 - kappa)) ** 2
    error = _Z_95 * sqrt(max(0.0, variance) / n) / (1 - expected)
    return Kappa(kappa, kappa - error, kappa + error)
