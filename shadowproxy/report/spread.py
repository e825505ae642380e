"""Numbers and scores of both sides over all pairs: how far apart the two models' distributions lie.

The two samples are paired, so these are sizes of an effect, not tests: what chance alone brings is in the intervals of
`metrics`. Of long logs a part is taken that a hash of the pair's id chooses, the same one whoever looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

from shadowproxy.report.query import Cell, decisions
from shadowproxy.report.record import Spread

MOST_PAIRS: Final = 50_000

# What was measured tells numbers and scores from classes that look like numbers.
_NUMBERS: Final = """
WITH numeric AS (
  SELECT candidate, trial, pair_id, items, production_prediction, shadow_prediction FROM judged
  WHERE is_comparable AND metrics['difference'] IS NOT NULL),
part AS (SELECT candidate, trial, greatest(count(*) // {most}, 1) AS every FROM numeric GROUP BY ALL),
decided AS (
  SELECT candidate, trial, every, {old} AS old, {new} AS new FROM numeric JOIN part USING (candidate, trial)
  WHERE hash(pair_id) % every = 0),
item AS (
  SELECT candidate, trial, every, unnest(list_zip(old, new)) AS i FROM decided WHERE len(old) = len(new)),
number AS (SELECT candidate, trial, every, TRY_CAST(i[1] AS DOUBLE) AS a, TRY_CAST(i[2] AS DOUBLE) AS b FROM item)
SELECT candidate, trial, any_value(every) > 1, list(a), list(b) FROM number
WHERE isfinite(a) AND isfinite(b) GROUP BY ALL
"""


def spreads(con: duckdb.DuckDBPyConnection) -> Mapping[Cell, Spread]:
    """`counting.count` has been there: where it found no difference measured, the pairs need not be read."""
    if con.execute("SELECT count(*) FROM measured WHERE name = 'difference'").fetchone() == (0,):
        return {}
    sql = _NUMBERS.format(most=MOST_PAIRS, old=decisions("production_prediction"), new=decisions("shadow_prediction"))
    return {
        (candidate, trial): _spread(is_part, production, shadow)
        for candidate, trial, is_part, production, shadow in con.execute(sql).fetchall()
    }


def _spread(is_part: bool, production: list[float], shadow: list[float]) -> Spread:
    # Scores bring all of comparing with them, which most reports can do without.
    from shadowproxy.compare.scores.distributions import kolmogorov_smirnov, wasserstein

    return Spread(
        items=len(production),
        is_part=is_part,
        production_mean=sum(production) / len(production),
        shadow_mean=sum(shadow) / len(shadow),
        kolmogorov_smirnov=kolmogorov_smirnov(production, shadow),
        wasserstein=wasserstein(production, shadow),
    )
