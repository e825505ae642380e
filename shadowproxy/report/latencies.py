"""Latency pairs → what is said of them: quantiles, curves, medians over time, the interval of the median difference.

The database finds the pairs, numpy sorts them: of 1 M pairs, selecting the levels took the database 1.1 s of processor
time and this takes 0.3. One candidate and trial at a time, read window by window and held at 28 bytes a pair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from shadowproxy.report.query import Cell
from shadowproxy.report.windows import windows
from shadowproxy.stats import interval
from shadowproxy.stats.arrays import Bools, Floats
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.interval import Interval
from shadowproxy.stats.quantiles import NAMES

Curves = dict[str, list[tuple[float, float | None]]]  # by role: (share, ms), null where copies timed out
Medians = Mapping[int, tuple[float, float]]  # by the start of a stretch in µs since 1970: (candidate, reference)

LEVELS: Final = tuple(percent / 100 for percent in range(1, 100))
FEWEST_TIMED: Final = 20
_SORTERS: Final = 2
_ROLES: Final = ("production", "shadow", "twin", "difference")

# The twin and production are asked only where they answered well. A time that is not there is NaN.
_TIMED: Final = """
SELECT (bucket - {first})::INTEGER AS bucket, candidate_ms AS candidate, {production} AS production, {twin} AS twin
FROM judged WHERE is_timed AND candidate = $candidate AND trial = $trial AND {within}
"""
_WELL: Final = (
    "coalesce(CASE WHEN {role}_outcome = 'complete' AND NOT coalesce({role}_bad, false) THEN {role}_latency_ms END, "
    "'nan'::DOUBLE)"
)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of one candidate and trial with latency pairs."""

    quantiles: tuple[Any, ...]  # production, candidate, twin, difference: lists as NAMES; pairs in which the twin did
    curves: Curves
    apart: Interval | None  # of the median difference; None where the time buckets are too few for one
    medians: Medians


@dataclass(frozen=True, slots=True)
class _Timed:
    """One element a latency pair, in no order."""

    bucket: NDArray[np.int32]  # from `first` on
    first: int
    candidate: Floats
    production: Floats
    twin: Floats
    reference: Floats  # one of the two


def latencies(
    con: duckdb.DuckDBPyConnection,
    cell: Cell,
    evidence: Evidence,
    terms: Terms,
    *,
    twin_covers: bool,
    stretch_us: int | None,
    final: bool = False,
) -> Latencies | None:
    """None without a latency pair. `evidence`: of all the cell's pairs; `stretch_us`: None where nothing is drawn."""
    timed = _read(con, cell, evidence, round(terms.bucket_s * 1e6), twin_covers)
    if timed is None:
        return None
    differences = timed.candidate - timed.reference
    # numpy lets go of the interpreter while it sorts: of 5 M pairs, two threads save 0.4 of 1.0 s.
    with ThreadPoolExecutor(_SORTERS) as sorters:
        sorting = [sorters.submit(_sorted, values) for values in (differences, timed.candidate)]
        sorting += [sorters.submit(_sorted, values) for values in (timed.production, timed.twin)]
        medians = _medians(timed, round(terms.bucket_s * 1e6), stretch_us) if stretch_us is not None else {}
        ordered, *others = (side.result() for side in sorting)
    below = _below(timed, differences <= _level(ordered, 0.5))
    sides = [others[1], others[0], others[2], ordered]
    has_curves = stretch_us is not None and len(ordered) >= FEWEST_TIMED
    return Latencies(
        (*([_level(side, p) for p in NAMES] if len(side) else None for side in sides), len(sides[2])),
        {role: _curve(side) for role, side in zip(_ROLES, sides, strict=True) if len(side)} if has_curves else {},
        _apart(below, ordered, terms, final),
        medians,
    )


def _read(
    con: duckdb.DuckDBPyConnection, cell: Cell, evidence: Evidence, bucket_us: int, twin_covers: bool
) -> _Timed | None:
    counts = evidence.column("timed")
    if not counts.any():
        return None
    first = int(evidence.buckets[0])
    roles = {role: _WELL.format(role=role) for role in ("production", "twin")}
    parts: dict[str, list[NDArray[Any]]] = {}
    for within in windows(evidence.buckets, counts, bucket_us):  # each lies in memory twice for a moment
        sql = _TIMED.format(first=first, within=within.format(ts="ts"), **roles)
        for name, values in con.execute(sql, {"candidate": cell[0], "trial": cell[1]}).fetchnumpy().items():
            parts.setdefault(name, []).append(np.asarray(values))
    columns = {}
    while parts:  # a column at a time: what was joined need not stay in parts
        name, values = parts.popitem()
        columns[name] = values[0] if len(values) == 1 else np.concatenate(values)
    return _Timed(first=first, **columns, reference=columns["twin" if twin_covers else "production"])


def _sorted(values: Floats) -> Floats:
    """Those that are there."""
    there = values[~np.isnan(values)]
    there.sort()
    return there


def _level(ordered: Floats, p: float) -> float:
    """The smallest value that at least a share p does not exceed; p is meant as it is written."""
    return float(ordered[max(math.ceil(len(ordered) * Fraction(repr(p))), 1) - 1])


def _curve(ordered: Floats) -> list[tuple[float, float | None]]:
    values = ((p, _level(ordered, p)) for p in LEVELS)
    return [(p, None if math.isinf(value) else value) for p, value in values]


def _below(timed: _Timed, is_below: Bools) -> Evidence:
    """By bucket: the latency pairs whose difference is at most the median of all, of how many (`below`, `timed`)."""
    counts = np.bincount(timed.bucket)
    below = np.bincount(timed.bucket[is_below], minlength=len(counts))
    some = np.flatnonzero(counts)
    return Evidence(
        timed.first + some, {"below": below[some].astype(np.float64), "timed": counts[some].astype(np.float64)}
    )


def _apart(below: Evidence, ordered: Floats, terms: Terms, final: bool) -> Interval | None:
    """Woodruff's interval for the median: how surely the share below it is one half, taken back to the values."""
    levels = interval.median_levels(below, "below", "timed", terms, final=final)
    if levels is None:
        return None
    low, high = (_level(ordered, level) for level in levels)
    return Interval(None, low, high, 0, interval.MEDIAN)


def _medians(timed: _Timed, bucket_us: int, stretch_us: int) -> Medians:
    of_bucket = (timed.first + np.arange(int(timed.bucket.max()) + 1)) * bucket_us // stretch_us
    stretch = (of_bucket - of_bucket[0]).astype(np.int16 if of_bucket[-1] - of_bucket[0] < 1 << 15 else np.int64)
    of_pair = stretch[timed.bucket]
    order = np.argsort(of_pair, kind="stable")
    found, starts = np.unique(of_pair[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    return {
        (int(of_bucket[0]) + int(number)) * stretch_us: (
            _median(timed.candidate[order[start:end]]),
            _median(timed.reference[order[start:end]]),
        )
        for number, start, end in zip(found, starts, ends, strict=True)
    }


def _median(values: Floats) -> float:
    """The lower one of two."""
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])
