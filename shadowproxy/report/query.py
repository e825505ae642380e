"""DuckDB → rows. Everything that a figure is made of is asked for here, and nothing is computed from it here.

`judged` holds the pairs that count (warm-up left out) with the questions of JUDGEMENT answered for each: is it
comparable, a triple, a latency pair, and what does the reference say. All the other queries stand on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import duckdb

from shadowproxy.stats.quantiles import NAMES
from shadowproxy.stats.tally import COUNTS, Key, Tally

SLICE_VALUES: Final = 20
OTHER: Final = "other"
NO_VALUE: Final = "(none)"  # the request had nothing where the slice is taken from
SLOWER_BY: Final = 0.25
_MIN_SLOWER_MS: Final = 1.0
EXAMPLES: Final = 3

_JUDGED: Final = """
CREATE TABLE judged AS
WITH referred AS (
  SELECT *,
    CASE WHEN twin_covers THEN twin_outcome ELSE production_outcome END AS reference_outcome,
    coalesce(CASE WHEN twin_covers THEN twin_bad ELSE production_bad END, false) AS reference_bad,
    CASE WHEN twin_covers THEN twin_latency_ms ELSE production_latency_ms END AS reference_ms,
    CASE WHEN shadow_outcome = 'timeout' THEN 'inf'::DOUBLE ELSE shadow_latency_ms END AS candidate_ms,
    coalesce(shadow_bad, false) AS candidate_bad,
    coalesce(metrics['nonfinite_shadow'] > 0, false) AS candidate_nonfinite,
    coalesce(metrics['nonfinite_production'] > 0, false) AS production_nonfinite,
    coalesce(result IN ('same', 'different'), false) AS is_comparable,
    coalesce(noise_result IN ('same', 'different'), false) AS is_noise_comparable,
    censored OR (twin_covers AND noise_censored) AS is_censored,
    coalesce('client_aborted' IN (production_outcome, shadow_outcome,
      CASE WHEN twin_covers THEN twin_outcome END), false) AS is_aborted
  FROM scoped WHERE NOT warmup)
SELECT *,
  is_comparable AND agrees IS NOT NULL AS is_decided,
  is_comparable AND is_noise_comparable AND agrees IS NOT NULL AND noise_agrees IS NOT NULL AS is_triple,
  NOT is_aborted AND NOT is_censored AND reference_outcome IS NOT NULL AS is_exchange,
  coalesce(NOT is_aborted AND NOT is_censored AND answered_by IS DISTINCT FROM candidate
    AND reference_outcome = 'complete' AND NOT reference_bad AND reference_ms IS NOT NULL
    AND (shadow_outcome = 'timeout' OR (shadow_outcome = 'complete' AND NOT candidate_bad))
    AND candidate_ms IS NOT NULL, false) AS is_timed
FROM referred
"""

# The same names as the fields of a Tally, each with what a pair must be to count.
_SLOWER: Final = "{a} > (1 + {by}) * {b} AND {a} - {b} > {least}"
_COUNTED: Final = {
    "pairs": "true",
    "comparable": "is_comparable",
    "different": "is_comparable AND result = 'different'",
    "decided": "is_decided",
    "disagreeing": "is_decided AND NOT agrees",
    "triples": "is_triple",
    "noisy": "is_triple AND NOT noise_agrees",
    "only_candidate_disagrees": "is_triple AND NOT agrees AND noise_agrees",
    "only_twin_disagrees": "is_triple AND agrees AND NOT noise_agrees",
    "exchanges": "is_exchange",
    "only_candidate_bad": "is_exchange AND candidate_bad AND NOT reference_bad",
    "only_reference_bad": "is_exchange AND reference_bad AND NOT candidate_bad",
    "both_bad": "is_exchange AND reference_bad AND candidate_bad",
    "candidate_timeouts": "is_exchange AND shadow_outcome = 'timeout'",
    "reference_timeouts": "is_exchange AND reference_outcome = 'timeout'",
    "censored": "is_censored",
    "client_aborted": "is_aborted",
    "only_candidate_nonfinite": "is_exchange AND candidate_nonfinite AND NOT production_nonfinite",
    "only_production_nonfinite": "is_exchange AND production_nonfinite AND NOT candidate_nonfinite",
    "both_nonfinite": "is_exchange AND candidate_nonfinite AND production_nonfinite",
    "timed": "is_timed",
    "slower": f"is_timed AND {_SLOWER.format(a='candidate_ms', b='reference_ms', by=SLOWER_BY, least=_MIN_SLOWER_MS)}",
    "faster": f"is_timed AND {_SLOWER.format(a='reference_ms', b='candidate_ms', by=SLOWER_BY, least=_MIN_SLOWER_MS)}",
    "timed_out": "is_timed AND shadow_outcome = 'timeout'",
}
_SUMMED: Final = {
    "items": "CASE WHEN is_comparable THEN items END",
    "items_disagreeing": "CASE WHEN is_comparable THEN items_disagreeing END",
}

_TALLY: Final = """
WITH sliced AS (
  SELECT *, unnest(map_entries(slices)) AS slice FROM judged),
common AS (
  SELECT candidate, trial, slice.key AS name, slice.value AS value, count(*) AS n FROM sliced
  GROUP BY candidate, trial, slice.key, slice.value
  QUALIFY row_number() OVER (PARTITION BY candidate, trial, slice.key ORDER BY count(*) DESC, slice.value) <= {values}),
every AS (
  SELECT *, NULL::VARCHAR AS slice_name, NULL::VARCHAR AS slice_value FROM judged
  UNION ALL
  SELECT sliced.* EXCLUDE slice, slice.key,
    CASE WHEN common.name IS NULL THEN '{other}' ELSE coalesce(slice.value, '{none}') END
  FROM sliced LEFT JOIN common ON common.candidate = sliced.candidate AND common.trial = sliced.trial
    AND common.name = slice.key AND common.value IS NOT DISTINCT FROM slice.value)
SELECT trial, candidate, coalesce(route, ''), slice_name, slice_value, epoch_us(ts) // $bucket_us AS bucket, {counts}
FROM every GROUP BY ALL ORDER BY ALL
"""

_QUANTILES: Final = """
SELECT candidate, trial,
  quantile_disc(production_latency_ms, {levels})
    FILTER (production_outcome = 'complete' AND NOT coalesce(production_bad, false)),
  quantile_disc(candidate_ms, {levels}),
  quantile_disc(twin_latency_ms, {levels}) FILTER (twin_outcome = 'complete' AND NOT coalesce(twin_bad, false)),
  quantile_disc(candidate_ms - reference_ms, {levels}),
  count(*) FILTER (twin_outcome = 'complete' AND NOT coalesce(twin_bad, false))
FROM judged WHERE is_timed GROUP BY ALL
"""

_SPANS: Final = """
SELECT candidate, trial, count(*), count(*) FILTER (warmup),
  epoch_us(min(ts) FILTER (NOT warmup)), epoch_us(max(ts) FILTER (NOT warmup)), any_value(origin),
  mode(production_upstream), list_sort(list(DISTINCT production_version) FILTER (production_version <> '')),
  list_sort(list(DISTINCT shadow_version) FILTER (shadow_version <> '')),
  list_sort(list(DISTINCT twin_version) FILTER (twin_version <> '')),
  list_sort(list(DISTINCT rules) FILTER (rules <> '')),
  count(twin_outcome), count(twin_dropped),
  count(*) FILTER (agrees IS NOT NULL AND production_prediction IS NULL AND shadow_prediction IS NULL)
FROM scoped GROUP BY ALL
"""

_HISTOGRAM: Final = """
SELECT candidate, trial, {what}, count(*) AS n FROM judged WHERE {what} IS NOT NULL GROUP BY ALL ORDER BY n DESC, 3
"""

_METRICS: Final = """
SELECT candidate, trial, entry.key, avg(entry.value), count(entry.value) FROM (
  SELECT candidate, trial, unnest(map_entries(metrics)) AS entry FROM judged WHERE is_comparable)
WHERE entry.value IS NOT NULL GROUP BY ALL ORDER BY 3
"""

# A path and its kind count once a pair, however many elements of a list differ.
_FIELDS: Final = """
WITH field AS (
  SELECT candidate, trial, pair_id, ts, unnest(list_distinct(list_transform(
    list_zip(differing_paths, differing_kinds), lambda d: [{general}, d[2]]))) AS f
  FROM judged WHERE is_comparable),
noise AS (
  SELECT candidate, trial, unnest(list_distinct(list_transform(
    list_zip(noise_paths, noise_kinds), lambda d: [{general}, d[2]]))) AS f
  FROM judged WHERE is_noise_comparable),
counted AS (
  SELECT candidate, trial, f, count(*) AS n, arg_min(pair_id, ts, {examples}) AS examples FROM field GROUP BY ALL),
noise_counted AS (SELECT candidate, trial, f, count(*) AS n FROM noise GROUP BY ALL),
bases AS (
  SELECT candidate, trial, count(*) FILTER (is_comparable) AS base,
    count(*) FILTER (is_noise_comparable) AS noise_base FROM judged GROUP BY ALL)
SELECT candidate, trial, f[1], f[2], coalesce(counted.n, 0), coalesce(noise_counted.n, 0), noise_base,
  coalesce(examples, []),
  coalesce(counted.n, 0) / greatest(base, 1) - coalesce(noise_counted.n, 0) / greatest(noise_base, 1) AS excess
FROM counted FULL JOIN noise_counted USING (candidate, trial, f) JOIN bases USING (candidate, trial)
ORDER BY candidate, trial, excess DESC, 5 DESC, 3, 4
"""
_GENERAL_PATH: Final = r"regexp_replace(d[1], '\[\d+\]', '[*]', 'g')"

# Decisions are written as JSON text. The array of a batch has as many elements as the pair has items; any other array
# is one decision, a ranking. Numbers with a fraction are no classes: nothing flows between them.
_FLOWS: Final = """
WITH decided AS (
  SELECT candidate, trial, {old} AS old, {new} AS new FROM judged
  WHERE is_decided AND NOT agrees AND production_prediction IS NOT NULL AND shadow_prediction IS NOT NULL),
item AS (
  SELECT candidate, trial, unnest(list_zip(old, new)) AS i FROM decided WHERE len(old) = len(new)),
flow AS (SELECT candidate, trial, i[1] AS old, i[2] AS new FROM item WHERE NOT {same})
SELECT candidate, trial, old, new, count(*) AS n FROM flow
WHERE coalesce(TRY_CAST(old AS DOUBLE) % 1, 0) = 0 AND coalesce(TRY_CAST(new AS DOUBLE) % 1, 0) = 0
GROUP BY ALL ORDER BY n DESC, old, new
"""

_FAILURES: Final = """
SELECT candidate, trial, CASE WHEN shadow_outcome <> 'complete' THEN shadow_outcome ELSE 'HTTP ' || shadow_status END,
  coalesce(route, ''), count(*) AS n, arg_min(pair_id, ts, {examples})
FROM judged WHERE is_exchange AND candidate_bad AND NOT reference_bad GROUP BY ALL ORDER BY n DESC, 3, 4
"""

Cell = tuple[str, str]  # (candidate, trial)


def decisions(column: str) -> str:
    """SQL for the decisions in a prediction's JSON text, as a list: one for each item, strings without their quotes."""
    return (
        f"CASE WHEN NOT json_valid({column}) THEN [{column}] "
        f"WHEN items > 1 AND json_array_length({column}) = items THEN json_extract_string({column}, '$[*]') "
        f"ELSE [json_extract_string({column}, '$')] END"
    )


def are_same(a: str, b: str) -> str:
    """SQL for two decisions, or a decision and a label, that mean the same: 4 and 4.0, true and True."""
    return (
        f"coalesce({a} = {b} OR TRY_CAST({a} AS DOUBLE) = TRY_CAST({b} AS DOUBLE) "
        f"OR (lower({a}) IN ('true', 'false') AND lower({a}) = lower({b})), false)"
    )


class Span(NamedTuple):
    """What a trial's lines say about themselves. Times in µs since 1970, over the pairs that count."""

    pairs: int  # warm-up too
    warmup: int
    from_us: int | None
    to_us: int | None
    origin: str | None
    production: str | None
    production_versions: list[str] | None
    shadow_versions: list[str] | None
    twin_versions: list[str] | None
    rules: list[str] | None
    twin_pairs: int
    twin_dropped: int
    unpredicted: int  # pairs whose decision is that of nothing configured: any compared difference counts


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Create `judged` on top of `scoped`."""
    con.execute(_JUDGED)


def tallies(con: duckdb.DuckDBPyConnection, bucket_s: float) -> Iterator[tuple[Key, Tally]]:
    """One row for each (trial, candidate, route, slice, bucket); the slice is None where all pairs are counted."""
    counts = [
        f"count(*) FILTER ({_COUNTED[name]})" if name in _COUNTED else f"coalesce(sum({_SUMMED[name]}), 0)"
        for name in COUNTS
    ]
    sql = _TALLY.format(values=SLICE_VALUES, other=OTHER, none=NO_VALUE, counts=", ".join(counts))
    for row in con.execute(sql, {"bucket_us": round(bucket_s * 1e6)}).fetchall():
        trial, candidate, route, name, value, bucket, *values = row
        part = None if name is None else (name, value)
        yield Key(trial, candidate, route, part, int(bucket)), Tally(*map(int, values))


def spans(con: duckdb.DuckDBPyConnection) -> dict[Cell, Span]:
    return {cell: Span(*row) for cell, row in _by_cell(con.execute(_SPANS).fetchall()).items()}


def quantiles(con: duckdb.DuckDBPyConnection) -> dict[Cell, tuple[Any, ...]]:
    """(production, candidate, twin, difference, pairs in which the twin answered), the first four lists as NAMES."""
    return _by_cell(con.execute(_QUANTILES.format(levels=list(NAMES))).fetchall())


def histogram(con: duckdb.DuckDBPyConnection, what: str) -> dict[Cell, dict[str, int]]:
    """How often each value of a column of `judged` (never the user's text) occurs, the commonest first."""
    return _nested(con.execute(_HISTOGRAM.format(what=what)).fetchall())


def metrics(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[Any, ...]]]:
    """(name, mean, n) of each metric of the comparison."""
    return _grouped(con.execute(_METRICS).fetchall())


def fields(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[Any, ...]]]:
    """(path, kind, pairs, pairs in which the twin differs, pairs with a twin, examples, excess), worst first."""
    return _grouped(con.execute(_FIELDS.format(general=_GENERAL_PATH, examples=EXAMPLES)).fetchall())


def flows(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[Any, ...]]]:
    """(old, new, items) where the decisions' texts differ, largest first."""
    sql = _FLOWS.format(
        old=decisions("production_prediction"), new=decisions("shadow_prediction"), same=are_same("i[1]", "i[2]")
    )
    return _grouped(con.execute(sql).fetchall())


def failures(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[Any, ...]]]:
    """(what, route, pairs, examples) of the errors that only the candidate made, the commonest first."""
    return _grouped(con.execute(_FAILURES.format(examples=EXAMPLES)).fetchall())


def _by_cell(rows: list[tuple[Any, ...]]) -> dict[Cell, tuple[Any, ...]]:
    return {(candidate, trial): tuple(rest) for candidate, trial, *rest in rows}


def _grouped(rows: list[tuple[Any, ...]]) -> dict[Cell, list[tuple[Any, ...]]]:
    groups: dict[Cell, list[tuple[Any, ...]]] = {}
    for candidate, trial, *rest in rows:
        groups.setdefault((candidate, trial), []).append(tuple(rest))
    return groups


def _nested(rows: list[tuple[Any, ...]]) -> dict[Cell, dict[str, int]]:
    groups: dict[Cell, dict[str, int]] = {}
    for candidate, trial, value, n in rows:
        groups.setdefault((candidate, trial), {})[str(value)] = int(n)
    return groups
