"""Which time buckets of a log that is still being written are open: a copy sent in them has perhaps not ended.

Statistics are a function of the sequence of closed buckets, so pairs in an open one wait. Whether a log is being
written is told by its segments, which their writer holds locked; a log that nobody writes is closed to its end. In one
that is being written everything is known up to the ledger's last line, less the longest that a copy may still take,
where the ledger says that some are in flight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

from shadowproxy.pairlog.names import KINDS, segments
from shadowproxy.pairlog.segment import is_open
from shadowproxy.report.query import Cell
from shadowproxy.report.source import Source

SETTLE_S: Final = 2.0  # the ledger's line may be there before the pairs that it counts
SHORTEST_PATIENCE_S: Final = 5.0
LONGEST_PATIENCE_S: Final = 600.0
_TIMES_PRODUCTION: Final = 3.0  # a copy's own timeout, as `timeout: auto` sets it

_KNOWN: Final = """
WITH last AS (
  SELECT candidate, trial, ts, in_flight FROM ledger SEMI JOIN chosen USING (candidate, trial)
  QUALIFY row_number() OVER (PARTITION BY worker, boot, trial, candidate, route ORDER BY ts DESC, requests DESC) = 1),
told AS (SELECT candidate, trial, max(epoch_us(ts)) AS us, sum(in_flight) > 0 AS is_busy FROM last GROUP BY ALL),
took AS (
  SELECT candidate, trial, max(epoch_us(ts)) AS last_us,
    greatest({shortest}, max(production_total_ms) / 1e3 * {times}, max(shadow_total_ms) / 1e3, max(twin_total_ms) / 1e3)
      AS longest_s
  FROM scoped GROUP BY ALL)
SELECT candidate, trial, coalesce(us, last_us), coalesce(is_busy, true), longest_s FROM took LEFT JOIN told USING
  (candidate, trial)
"""


def is_written(source: Source) -> bool:
    """Whether some writer has a segment of the log open."""
    folders = {file.parent for file in (*source.pairs, *source.ledgers)}
    return any(is_open(segment) for folder in folders for kind in KINDS for segment in segments(folder, kind))


def close(con: duckdb.DuckDBPyConnection, bucket_s: float, timeouts_s: Mapping[str, float | None]) -> dict[Cell, int]:
    """Put into `chosen` from when on each trial is open; returns when each was last heard of, in µs since 1970.

    `timeouts_s`: by candidate, where the configuration says.
    """
    heard: dict[Cell, int] = {}
    sql = _KNOWN.format(shortest=SHORTEST_PATIENCE_S, times=_TIMES_PRODUCTION)
    for candidate, trial, known_us, is_busy, longest_s in con.execute(sql).fetchall():
        heard[candidate, trial] = known_us
        patience_s = (timeouts_s.get(candidate) or min(longest_s, LONGEST_PATIENCE_S)) if is_busy else 0.0
        known_s = known_us / 1e6 - SETTLE_S - patience_s
        con.execute(
            "UPDATE chosen SET open_from_us = ? WHERE candidate = ? AND trial = ?",
            [round(known_s // bucket_s * bucket_s * 1e6), candidate, trial],
        )
    return heard
