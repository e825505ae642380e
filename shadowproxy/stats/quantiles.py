"""Which quantiles are shown, and how many values each needs.

A quantile is an order statistic (the smallest value that at least a share p of the values does not exceed), so it is
always a value that was measured, and infinite values, which stand for answers that never came, do no harm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

P50, P90, P95, P99 = 0.5, 0.9, 0.95, 0.99
NAMES: Mapping[float, str] = {P50: "p50", P90: "p90", P95: "p95", P99: "p99"}

# With fewer than this many values beyond it, a quantile is decided by one or two requests.
_BEYOND = 5


def needed(p: float) -> int:
    """How many values the quantile p needs: 10 for the median, 500 for p99."""
    return math.ceil(round(_BEYOND / (1 - p), 6))


def shown(values: Sequence[float | None] | None, n: int) -> dict[str, float | None]:
    """Quantiles in the order of NAMES, as `{name: value}`: None for those that n values do not suffice for."""
    found = values or [None] * len(NAMES)
    return {name: value if n >= needed(p) else None for (p, name), value in zip(NAMES.items(), found, strict=True)}
