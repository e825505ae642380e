"""McNemar's exact test: are two paired shares the same? For one look at a fixed number of pairs, never for watching.

Only the discordant pairs speak: under the hypothesis each is a fair coin, so that min(b, c) of b + c follows
Bin(b + c, 1/2) (McNemar 1947, the exact conditional form).
"""

from __future__ import annotations

METHOD = "McNemar exact, two-sided, one look at a fixed n"


def exact_p(b: int, c: int) -> float:
    """min(1, 2·P[Bin(b+c, 1/2) ≤ min(b, c)]); 1 where no pair is discordant."""
    if b + c == 0:
        return 1.0
    # Imported here: scipy.stats takes most of a second, and only a report with labels asks.
    from scipy.stats import binomtest

    return float(binomtest(b, b + c).pvalue)
