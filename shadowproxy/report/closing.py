"""Which time buckets of a log that is still being written are open: a copy sent in them has perhaps not ended.

Statistics are a function of the sequence of closed buckets, so pairs in an open one wait. Whether a log is being
written is told by its segments, which their writer holds locked; a log that nobody writes is closed to its end.

Law: a bucket that has closed stays closed. In a log that is being written everything is known up to a line of the
ledger, less the longest that a copy may still have taken at that line, where the ledger says that some were in flight;
and what was known at one line is known at all that follow. A machine that stood still for a minute, or one answer that
took so long, delays what comes after it, and opens nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

from shadowproxy.pairlog.names import KINDS, segments
from shadowproxy.pairlog.segment import is_open
from shadowproxy.report.ledger import GROWN
from shadowproxy.report.query import Cell
from shadowproxy.report.source import Source

SETTLE_S: Final = 2.0  # the ledger's line may be there before the pairs that it counts
SHORTEST_PATIENCE_S: Final = 5.0
LONGEST_PATIENCE_S: Final = 600.0  # and what took long so long ago says nothing about what is in flight
_TIMES_PRODUCTION: Final = 3.0  # a copy's own timeout, as `timeout: auto` sets it

# `busy`: how many are in flight by the newest line of each worker and route at that moment. `took`: by the second in
# which pairs ended, the longest that copies may take judging by those that ended in the time before. Where no ledger
# speaks, the last pair's arrival stands for its line.
_KNOWN: Final = f"""
WITH changes AS (
  SELECT candidate, trial, epoch_us(ts) AS us, in_flight - coalesce(lag(in_flight) OVER (
    PARTITION BY worker, boot, trial, candidate, route ORDER BY {GROWN}, ts), 0) AS more
  FROM ledger SEMI JOIN chosen USING (candidate, trial)),
told AS (
  SELECT candidate, trial, us, sum(more) OVER (PARTITION BY candidate, trial ORDER BY us) > 0 AS is_busy FROM changes
  UNION ALL
  SELECT candidate, trial, max(epoch_us(ts)), true FROM scoped ANTI JOIN changes USING (candidate, trial) GROUP BY ALL),
ended AS (
  SELECT candidate, trial, greatest(production_total_ms, shadow_total_ms, twin_total_ms, 0) * 1e3 AS took_us,
    greatest(took_us, production_total_ms * {_TIMES_PRODUCTION} * 1e3) AS may_us,
    ceil((epoch_us(ts) + took_us) / 1e6)::BIGINT * 1000000 AS us
  FROM scoped),
took AS (
  SELECT candidate, trial, us, max(max(may_us)) OVER (
    PARTITION BY candidate, trial ORDER BY us RANGE BETWEEN {LONGEST_PATIENCE_S * 1e6:.0f} PRECEDING AND CURRENT ROW
  ) AS may_us
  FROM ended GROUP BY candidate, trial, us),
known AS (
  SELECT told.candidate, told.trial, told.us, is_busy, least(greatest(may_us, {SHORTEST_PATIENCE_S} * 1e6),
    {LONGEST_PATIENCE_S} * 1e6) AS patience_us
  FROM told ASOF LEFT JOIN took ON told.candidate = took.candidate AND told.trial = took.trial AND told.us >= took.us)
SELECT candidate, trial, max(us), max(us) FILTER (NOT is_busy), max(us - patience_us)
FROM known SEMI JOIN scoped USING (candidate, trial) GROUP BY ALL
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
    for candidate, trial, last_us, idle_us, patient_us in con.execute(_KNOWN).fetchall():
        heard[candidate, trial] = last_us
        timeout_s = timeouts_s.get(candidate)
        busy_us = patient_us if timeout_s is None else last_us - timeout_s * 1e6
        known_s = max(busy_us, idle_us or 0) / 1e6 - SETTLE_S
        con.execute(
            "UPDATE chosen SET open_from_us = ? WHERE candidate = ? AND trial = ?",
            [round(known_s // bucket_s * bucket_s * 1e6), candidate, trial],
        )
    return heard
