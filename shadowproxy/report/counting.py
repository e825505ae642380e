"""The log's tallies: `judged` → evidence, by candidate and trial, for the whole, for routes and slices, for the twin.

Law: each row is a count or a sum over the pairs of one time bucket, so rows of disjoint logs add up to the rows of
their union: the shards of a fleet, or a log read in parts. The database does all the counting; no pair is seen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import duckdb
import numpy as np

from shadowproxy.report.ledger import GROWN
from shadowproxy.report.query import Cell
from shadowproxy.settings.units import parse_duration, parse_share
from shadowproxy.stats.bins import LONGEST_MS, PER_DOUBLING, SHORTEST_MS, Bins
from shadowproxy.stats.evidence import Evidence, merged
from shadowproxy.stats.gate import EVERY, Gate, Part
from shadowproxy.stats.metrics import LOST, Kind
from shadowproxy.stats.tally import COUNTS, Tally

SLICE_VALUES: Final = 20
OTHER: Final = "other"
NO_VALUE: Final = "(none)"  # the request had nothing where the slice is taken from
ROUTE: Final = "route"  # every route is a slice of this name
SLOWER_BY: Final = 0.25
MIN_SLOWER_MS: Final = 1.0

# How alike two answers are, from 0 to 1: the first of these that the comparison measured.
LIKENESS: Final = ("similarity", "cosine", "rouge_l", "edit_similarity")
_MINE, _NOISE = (
    "coalesce(" + ", ".join(f"{column}['{name}']" for name in LIKENESS) + ")" for column in ("metrics", "noise_metrics")
)

# Each column: what a pair must be to count.
_OF_COPIES: Final = {
    "pairs": "true",
    "exchanges": "is_exchange",
    "only_candidate_bad": "is_exchange AND candidate_bad AND NOT reference_bad",
    "only_reference_bad": "is_exchange AND reference_bad AND NOT candidate_bad",
    "both_bad": "is_exchange AND reference_bad AND candidate_bad",
    "candidate_timeouts": "is_exchange AND candidate_outcome = 'timeout'",
    "reference_timeouts": "is_exchange AND reference_outcome = 'timeout'",
    "only_candidate_timeouts": "is_exchange AND candidate_outcome = 'timeout' AND reference_outcome <> 'timeout'",
    "only_reference_timeouts": "is_exchange AND reference_outcome = 'timeout' AND candidate_outcome <> 'timeout'",
    "censored": "is_censored",
    "client_aborted": "is_aborted",
    "candidate_nonfinite": "is_exchange AND candidate_nonfinite",
    "only_candidate_nonfinite": "is_exchange AND candidate_nonfinite AND NOT production_nonfinite",
    "only_production_nonfinite": "is_exchange AND production_nonfinite AND NOT candidate_nonfinite",
    "both_nonfinite": "is_exchange AND candidate_nonfinite AND production_nonfinite",
    "timed": "is_timed",
    "timed_out": "is_timed AND candidate_outcome = 'timeout'",
    "first_token_timed": "is_stream",
    "per_token_timed": "is_stream",
}
_OF_OUTPUTS: Final = {
    "comparable": "is_comparable",
    "different": "is_comparable AND result = 'different'",
    "decided": "is_decided",
    "disagreeing": "is_decided AND NOT agrees",
    "triples": "is_triple",
    "noisy": "is_triple AND NOT noise_agrees",
    "only_candidate_disagrees": "is_triple AND NOT agrees AND noise_agrees",
    "only_twin_disagrees": "is_triple AND agrees AND NOT noise_agrees",
    "similarity_triples": f"is_comparable AND is_noise_comparable AND {_NOISE} - {_MINE} IS NOT NULL",
}
_SUMS: Final = {
    "items": "CASE WHEN is_comparable THEN items END",
    "items_disagreeing": "CASE WHEN is_comparable THEN items_disagreeing END",
    "similarity_lost": f"CASE WHEN is_comparable AND is_noise_comparable THEN {_NOISE} - {_MINE} END",
}
_OF_LABELS: Final = {name: name for name in ("labelled", "good_to_bad", "bad_to_good", "both_right")}
_BY: Final = "{need} AND {a} > {times!r} * {b} AND {a} - {b} > {least!r}"
_SPANS: Final = {"": ("ms", "is_timed"), "first_token_": ("first_token_ms", "is_stream"),
                 "per_token_": ("per_token_ms", "is_stream")}  # fmt: skip

# One pass over the pairs; what they have in common is then added up from its few rows. Slices are grouped by as text,
# which reads back as the same map (test_slices_are_told_apart_whatever_they_are_called): maps take twice the time.
_TALLIED: Final = """
CREATE OR REPLACE TABLE tallied AS
SELECT candidate, trial, coalesce(route, '') AS route, slices::VARCHAR AS slices, bucket,
  min(epoch_us(ts)) AS first_us, max(epoch_us(ts)) AS last_us, count_if(is_noise_comparable) AS noise_comparable,
  {columns}
FROM {source}{joined} GROUP BY ALL
"""
_SLICED: Final = """
WITH sliced AS (SELECT * EXCLUDE slices, unnest(map_entries(slices::MAP(VARCHAR, VARCHAR))) AS slice FROM tallied),
kept AS (
  SELECT candidate, trial, slice.key AS name, slice.value AS value FROM sliced
  GROUP BY candidate, trial, slice.key, slice.value
  QUALIFY row_number() OVER (PARTITION BY candidate, trial, slice.key ORDER BY sum(pairs) DESC, slice.value) <= {most}
    OR list_contains(getvariable('gated_slices')::VARCHAR[], slice.key || ':' || slice.value)),
parts AS (
  SELECT sliced.* EXCLUDE slice, slice.key AS slice_name,
    CASE WHEN kept.name IS NULL THEN '{other}' ELSE coalesce(slice.value, '{none}') END AS slice_value
  FROM sliced LEFT JOIN kept ON kept.candidate = sliced.candidate AND kept.trial = sliced.trial
    AND kept.name = slice.key AND kept.value IS NOT DISTINCT FROM slice.value)
SELECT candidate, trial, slice_name, slice_value, bucket, {sums} FROM parts
GROUP BY ALL ORDER BY candidate, trial, slice_name, slice_value, bucket
"""
_BINS: Final = f"""
SELECT candidate, trial, bucket,
  floor(log2(least(greatest({{ms}}, {SHORTEST_MS!r}), {LONGEST_MS!r})) * {PER_DOUBLING})::BIGINT AS bin, count(*)
FROM {{source}} WHERE is_timed AND {{where}} GROUP BY ALL ORDER BY ALL
"""
# Cumulative totals: what a line has more than the one before it was lost in between.
_LOST: Final = f"""
WITH step AS (
  SELECT candidate, trial, epoch_us(ts) AS us,
    coalesce(dropped['in_flight'], 0) + coalesce(dropped['breaker_open'], 0) AS total,
    total - coalesce(lag(total) OVER (PARTITION BY worker, boot, trial, candidate, route ORDER BY {GROWN}, ts), 0)
      AS lost
  FROM ledger SEMI JOIN chosen USING (candidate, trial)
  WHERE getvariable('wanted_route') IS NULL OR route = getvariable('wanted_route')::VARCHAR),
judging AS (SELECT candidate, trial, min(epoch_us(ts)) AS from_us FROM judged GROUP BY ALL)
SELECT candidate, trial, us // $bucket_us AS bucket, sum(lost)::DOUBLE
FROM step JOIN judging USING (candidate, trial) JOIN chosen USING (candidate, trial)
WHERE lost > 0 AND us >= from_us AND (open_from_us IS NULL OR us < open_from_us)
  AND (getvariable('wanted_since') IS NULL OR us >= getvariable('wanted_since')::BIGINT)
  AND (getvariable('wanted_until') IS NULL OR us < getvariable('wanted_until')::BIGINT)
GROUP BY ALL ORDER BY ALL
"""
# Beyond this a number's square is none any more, and one such value would leave nothing to be said of all the others.
_MOST_METRIC: Final = "1e100"
_MEASURED: Final = f"""
CREATE OR REPLACE TABLE measured AS
SELECT candidate, trial, name, bucket, is_comparable AND abs(value) < {_MOST_METRIC} AS counts, sum(value) AS sum,
  count(*)::DOUBLE AS count, max(value) AS most
FROM (SELECT candidate, trial, bucket, is_comparable, unnest(map_keys(metrics)) AS name,
  unnest(map_values(metrics)) AS value FROM judged)
GROUP BY ALL
"""
_METRICS: Final = "SELECT candidate, trial, name, bucket, sum, count FROM measured WHERE counts ORDER BY ALL"
_NONFINITE: Final = frozenset({"nonfinite_shadow", "nonfinite_production"})
_WITHOUT_NONFINITE: Final = (
    "(SELECT * REPLACE (false AS candidate_nonfinite, false AS production_nonfinite) FROM judged)"
)


@dataclass(frozen=True, slots=True)
class _Measured:
    """Which metrics the log has. Looking a metric up in each pair costs as much as all other counts together, so what
    no pair has is not looked up."""

    names: frozenset[str]
    positive: frozenset[str]  # above zero in some pair

    @property
    def has_likeness(self) -> bool:
        return bool(self.names & frozenset(LIKENESS))

    @property
    def source(self) -> str:
        return "judged" if self.positive & _NONFINITE else _WITHOUT_NONFINITE


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one candidate and trial. `parts`: slices by (name, value), routes as (ROUTE, name)."""

    whole: Evidence = field(default_factory=lambda: Evidence(np.empty(0, dtype=np.int64)))
    parts: Mapping[Part, Evidence] = field(default_factory=dict)
    twin: Evidence | None = None  # as a candidate, production its reference
    metrics: Mapping[str, Evidence] = field(default_factory=dict)  # columns sum, count

    @property
    def tally(self) -> Tally:
        return tally(self.whole)


def nothing() -> Counted:
    """Of a trial without a pair that counts."""
    return Counted(Evidence(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in _columns((), True)}))


def tally(evidence: Evidence) -> Tally:
    return Tally(**{name: round(evidence.total(name)) for name in COUNTS})


def count(
    con: duckdb.DuckDBPyConnection, bucket_s: float, gates: Iterable[Gate], *, has_labels: bool = False
) -> dict[Cell, Counted]:
    """Everything that `gates` and the report's figures are made of. `judged` is there, with labels `rights` too."""
    wanted = tuple(dict.fromkeys(gates))
    measured = _measured(con)
    columns = _columns(wanted, has_labels, has_likeness=measured.has_likeness)
    con.execute("SET VARIABLE gated_slices = ?", [[f"{name}:{value}" for name, value in _parts(wanted)]])
    joined = " LEFT JOIN rights USING (pair_id)" if has_labels else ""
    con.execute(_TALLIED.format(columns=_selected(columns), source=measured.source, joined=joined))
    sums = ", ".join(f'sum("{name}") AS "{name}"' for name in columns)
    whole = _evidence(con, _grouped("tallied", "candidate, trial", sums), 2)
    routes = _evidence(con, _grouped("tallied", "candidate, trial, route", sums), 3)
    slices = _evidence(con, _SLICED.format(most=SLICE_VALUES, other=OTHER, none=NO_VALUE, sums=sums), 4)
    twins = _evidence(con, _grouped("twin_judged", "candidate, trial", _selected(_twin_columns(wanted))), 2)
    lost = _lost(con, bucket_s)
    metrics = _by_metric(con)
    cells = {(key[0], key[1]): evidence for key, evidence in whole.items()}
    parts: dict[Cell, dict[Part, Evidence]] = {cell: {} for cell in cells}
    for (candidate, trial, route), evidence in routes.items():
        parts[candidate, trial][ROUTE, route] = evidence
    for (candidate, trial, name, value), evidence in slices.items():
        parts[candidate, trial][name, value] = evidence
    found = {
        cell: Counted(
            merged([evidence, lost[cell]]) if cell in lost else evidence,
            parts[cell],
            twins.get(cell),
            metrics.get(cell, {}),
        )
        for cell, evidence in cells.items()
    }
    return _with_bins(con, found, wanted)


def _columns(gates: Sequence[Gate], has_labels: bool, *, has_likeness: bool = True) -> dict[str, str]:
    """SQL by column: the fixed ones, and those that options and means of `gates` ask for."""
    counts = {**_OF_COPIES, **_OF_OUTPUTS, **_latencies(gates)}
    sums = {**_SUMS, **(_OF_LABELS if has_labels else {})}
    if not has_likeness:
        counts["similarity_triples"], sums["similarity_lost"] = "false", "0"
    for gate in gates:
        if gate.of.kind is Kind.MEAN and gate.metric.startswith("mean("):
            name = gate.metric[len("mean(") : -1].replace("'", "''")
            value = f"CASE WHEN is_comparable AND abs(metrics['{name}']) < {_MOST_METRIC} THEN metrics['{name}'] END"
            sums[gate.columns[0]] = value
            counts[gate.columns[1]] = f"{value} IS NOT NULL"
    return {**{name: _counted(sql) for name, sql in counts.items()}, **{n: _summed(sql) for n, sql in sums.items()}}


def _twin_columns(gates: Sequence[Gate]) -> dict[str, str]:
    return {name: _counted(sql) for name, sql in {**_OF_COPIES, **_latencies(gates)}.items()}


def _latencies(gates: Sequence[Gate]) -> dict[str, str]:
    """What is slower, and what misses its time."""
    found: dict[str, str] = {}
    for prefix in _SPANS:
        found |= _slower(prefix, SLOWER_BY, (f"{prefix}slower", f"{prefix}faster"))
    for gate in gates:
        options = dict(gate.options)
        if "by" in options:
            found |= _slower(gate.metric.removesuffix("slower_share"), parse_share(options["by"]), gate.columns)
        if gate.metric == "slo_miss_increase":
            over = f"{parse_duration(options['over']) * 1000!r}" if "over" in options else "'inf'::DOUBLE"
            sides = ("candidate_ms", "reference_ms")
            for name, (a, b) in zip(gate.columns, (sides, sides[::-1]), strict=False):
                found[name] = f"is_timed AND {a} > {over} AND NOT {b} > {over}"
    return found


def _slower(prefix: str, by: float, names: Sequence[str]) -> dict[str, str]:
    span, need = _SPANS[prefix]
    sides = (f"candidate_{span}", f"reference_{span}")
    return {
        name: _BY.format(need=need, a=a, b=b, times=1 + by, least=MIN_SLOWER_MS)
        for name, (a, b) in zip(names, (sides, sides[::-1]), strict=False)
    }


def _counted(condition: str) -> str:
    return f"count_if({condition})::DOUBLE"


def _summed(value: str) -> str:
    return f"coalesce(sum({value}), 0)::DOUBLE"


def _selected(columns: Mapping[str, str]) -> str:
    return ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())


def _grouped(source: str, keys: str, columns: str) -> str:
    return f"SELECT {keys}, bucket, {columns} FROM {source} GROUP BY {keys}, bucket ORDER BY {keys}, bucket"


def _parts(gates: Iterable[Gate]) -> set[Part]:
    return {gate.part for gate in gates if gate.part is not None}


def _evidence(con: duckdb.DuckDBPyConnection, sql: str, keys: int) -> dict[tuple[Any, ...], Evidence]:
    """Rows of `keys` key columns, the bucket, and counts, ordered by them → evidence by key."""
    table = con.execute(sql).fetchnumpy()
    names = list(table)
    of_key = [table[name] for name in names[:keys]]
    buckets = np.asarray(table[names[keys]], dtype=np.int64)
    counts = {name: np.asarray(table[name], dtype=np.float64) for name in names[keys + 1 :]}
    return {
        tuple(str(column[rows.start]) for column in of_key): Evidence(
            buckets[rows], {name: values[rows] for name, values in counts.items()}
        )
        for rows in _runs(of_key, len(buckets))
    }


def _runs(keys: Sequence[Any], rows: int) -> Iterator[slice]:
    """Where the same key stands in a row."""
    if not rows:
        return
    new = np.zeros(rows, dtype=np.bool_)
    new[0] = True
    for column in keys:
        new[1:] |= np.asarray(column[1:] != column[:-1], dtype=np.bool_)
    starts = [*np.flatnonzero(new).tolist(), rows]
    yield from (slice(a, b) for a, b in pairwise(starts))


def _lost(con: duckdb.DuckDBPyConnection, bucket_s: float) -> dict[Cell, Evidence]:
    """Copies that were not sent because the candidate did not keep up, by bucket: JUDGEMENT §3's worst case."""
    found: dict[Cell, tuple[list[int], list[float]]] = {}
    rows = con.execute(_LOST, {"bucket_us": round(bucket_s * 1e6)}).fetchall()
    for candidate, trial, bucket, lost in rows:
        buckets, counts = found.setdefault((candidate, trial), ([], []))
        buckets.append(bucket)
        counts.append(lost)
    return {
        cell: Evidence(np.asarray(buckets, dtype=np.int64), {LOST: np.asarray(counts, dtype=np.float64)})
        for cell, (buckets, counts) in found.items()
    }


def _measured(con: duckdb.DuckDBPyConnection) -> _Measured:
    con.execute(_MEASURED)
    rows = con.execute("SELECT name, max(most) > 0 FROM measured GROUP BY name").fetchall()
    return _Measured(frozenset(name for name, _ in rows), frozenset(name for name, is_positive in rows if is_positive))


def _by_metric(con: duckdb.DuckDBPyConnection) -> dict[Cell, dict[str, Evidence]]:
    found: dict[Cell, dict[str, Evidence]] = {}
    for (candidate, trial, name), evidence in _evidence(con, _METRICS, 3).items():
        found.setdefault((candidate, trial), {})[name] = evidence
    return found


def _with_bins(
    con: duckdb.DuckDBPyConnection, counted: Mapping[Cell, Counted], gates: Sequence[Gate]
) -> dict[Cell, Counted]:
    """Latency histograms, for the gates on ratios of quantiles alone."""
    ratios = [gate for gate in gates if gate.of.kind is Kind.RATIO]
    if not ratios:
        return dict(counted)
    whole, twin = _bins(con, "judged", "true"), _bins(con, "twin_judged", "true")
    of_parts = {part: _bins(con, "judged", *_inside(part)) for part in _parts(ratios) if part[1] != EVERY}
    for name in {part[0] for part in _parts(ratios) if part[1] == EVERY}:
        values = {part for found in counted.values() for part in found.parts if part[0] == name}
        of_parts |= {part: _bins(con, "judged", *_inside(part)) for part in values}
    return {
        cell: Counted(
            _binned(found.whole, whole.get(cell)),
            {
                part: _binned(evidence, of_parts[part].get(cell)) if part in of_parts else evidence
                for part, evidence in found.parts.items()
            },
            None if found.twin is None else _binned(found.twin, twin.get(cell)),
            found.metrics,
        )
        for cell, found in counted.items()
    }


def _inside(part: Part) -> tuple[str, list[str]]:
    name, value = part
    if name == ROUTE:
        return "coalesce(route, '') = $1", [value]
    if value == NO_VALUE:
        return "list_contains(map_keys(slices), $1) AND slices[$1] IS NULL", [name]
    return "slices[$1] = $2", [name, value]


def _bins(
    con: duckdb.DuckDBPyConnection, source: str, where: str, bound: Sequence[str] = ()
) -> dict[Cell, dict[str, Bins]]:
    found: dict[Cell, dict[str, Bins]] = {}
    for side in ("candidate_ms", "reference_ms"):
        sql = _BINS.format(ms=side, source=source, where=where)
        table = con.execute(sql, list(bound)).fetchnumpy()
        candidates, trials, buckets, bins, counts = (table[name] for name in table)
        for rows in _runs([candidates, trials], len(buckets)):
            cell = (str(candidates[rows.start]), str(trials[rows.start]))
            found.setdefault(cell, {})[side] = Bins(
                np.asarray(buckets[rows], dtype=np.int64),
                np.asarray(bins[rows], dtype=np.int64),
                np.asarray(counts[rows], dtype=np.float64),
            )
    return found


def _binned(evidence: Evidence, bins: Mapping[str, Bins] | None) -> Evidence:
    empty = Bins(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    sides = {side: (bins or {}).get(side, empty) for side in ("candidate_ms", "reference_ms")}
    return Evidence(evidence.buckets, evidence.columns, sides)
