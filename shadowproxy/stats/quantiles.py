"""Which quantiles are shown, and how many values each needs.

A quantile is an order statistic (the smallest value that at least a share p of the values does not exceed), so it is
always a value that was measured, and infinite values, which stand for answers that never came, do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

P50, P90, P95, P99 = 0.5, 0.9, 0.95, 0.99
NAMES: Mapping[float, str] = {P50: "p50", P90: "p90", P95: "p95", P99: "p99"}

# With fewer values the anytime 95 % sequence of a quantile (Howard & Ramdas 2022, as `ranks` has it) reaches beyond the
# largest of them, so nothing bounds it from above. A median is shown from ten values on: it says where the middle is.
_NEEDED: Mapping[float, int] = {P50: 10, P90: 103, P95: 163, P99: 501}


def needed(p: float) -> int:
    """How many values the quantile p, one of NAMES, needs."""
    return _NEEDED[p]


def shown(values: Sequence[float | None] | None, n: int) -> dict[str, float | None]:
    """Quantiles in the order of NAMES, as `{name: value}`: None for those that n values do not suffice for."""
    found = values or [None] * len(NAMES)
    return {name: value if n >= needed(p) else None for (p, name), value in zip(NAMES.items(), found, strict=True)}
