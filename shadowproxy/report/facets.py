"""`facets`: how many pairs there are of each kind, a kind being everything about a pair that has few values.

One pass over the pairs in scope, warm-up and open buckets too; a dozen questions are then answered from its few rows.
`first_us` and `last_us` are the arrivals of the first and the last pair of a kind, in µs since 1970.
"""

from __future__ import annotations

from typing import Final

import duckdb

COUNTS: Final = "NOT warmup AND NOT is_open"  # what `judged` holds

_FACETS: Final = """
CREATE OR REPLACE TABLE facets AS
SELECT candidate, trial, coalesce(route, '') AS route, protocol, warmup,
  coalesce(epoch_us(ts) >= open_from_us, false) AS is_open, origin,
  production_upstream, production_version, shadow_version, twin_version, rules,
  production_fingerprint, shadow_fingerprint, twin_fingerprint,
  shadow_outcome, shadow_status, coalesce(production_bad, false) AS production_bad, censored,
  CASE WHEN coalesce(result NOT IN ('same', 'different'), true) THEN coalesce(reason, 'unknown') END
    AS incomparable_reason,
  twin_outcome IS NOT NULL AS has_twin, twin_dropped IS NOT NULL AS has_dropped_twin,
  agrees IS NOT NULL AND production_prediction IS NULL AND shadow_prediction IS NULL AS is_unpredicted,
  count(*) AS pairs, min(epoch_us(ts)) AS first_us, max(epoch_us(ts)) AS last_us
FROM scoped GROUP BY ALL
"""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Create `facets` on top of `scoped`, whose open buckets are known by now."""
    con.execute(_FACETS)
