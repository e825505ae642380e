"""McNemar's test: are two paired shares the same? For one look at a fixed number of pairs, never for watching.

Only the discordant pairs speak: under the hypothesis each is a fair coin, so that min(b, c) of b + c follows
Bin(b + c, 1/2) (McNemar 1947, the exact conditional form). The exact test rejects too seldom; the mid-p form comes
nearest to its level (Fagerland, Lydersen, Laake 2013, BMC Medical Research Methodology 13:91).
"""

from __future__ import annotations

import math

METHOD = "McNemar exact, two-sided, one look at a fixed n"


def exact_p(b: int, c: int) -> float:
    """min(1, 2·P[Bin(b+c, 1/2) ≤ min(b, c)]); 1 where no pair is discordant."""
    if b + c == 0:
        return 1.0
    # Imported here: scipy.stats takes most of a second, and only a report with labels asks.
    from scipy.stats import binomtest

    return float(binomtest(b, b + c).pvalue)


def mid_p(b: int, c: int) -> float:
    """The exact p less P[Bin(b+c, 1/2) = min(b, c)]; where b = c, 1 less half of it; 1 where no pair is discordant."""
    m = b + c
    if m == 0:
        return 1.0
    log_choose = math.lgamma(m + 1) - math.lgamma(b + 1) - math.lgamma(c + 1)
    at_it = math.exp(log_choose - m * math.log(2))
    return 1 - at_it / 2 if b == c else exact_p(b, c) - at_it


def asymptotic_p(b: int, c: int) -> float:
    """z = (b−c)/√(b+c) against the normal distribution."""
    return _two_sided((b - c) / math.sqrt(b + c)) if b + c else 1.0


def corrected_p(b: int, c: int) -> float:
    """z = (|b−c|−1)/√(b+c), Edwards' continuity correction of 1948."""
    return _two_sided(max(abs(b - c) - 1, 0) / math.sqrt(b + c)) if b + c else 1.0


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
