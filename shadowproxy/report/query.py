"""DuckDB → rows: what no tally can answer, from `judged` and `facets`. Nothing is computed from it here."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import duckdb

from shadowproxy.report.facets import COUNTS
from shadowproxy.stats.quantiles import NAMES

EXAMPLES: Final = 3
MOST_FINGERPRINTS: Final = 50

_STREAMS: Final = """
SELECT candidate, trial, {role!r},
  quantile_disc({side}_first_token_ms, {levels}), quantile_disc({side}_per_token_ms, {levels}), avg({role}_tokens),
  count({role}_per_token_ms)
FROM judged WHERE is_stream {only} GROUP BY ALL
"""

_SPANS: Final = """
WITH upstream AS (
  SELECT candidate, trial, production_upstream, sum(pairs) AS pairs FROM facets
  WHERE production_upstream IS NOT NULL GROUP BY ALL),
commonest AS (
  SELECT candidate, trial, arg_max(production_upstream, pairs) AS production FROM upstream GROUP BY ALL)
SELECT candidate, trial, sum(pairs)::BIGINT, coalesce(sum(pairs) FILTER (warmup), 0)::BIGINT,
  coalesce(sum(pairs) FILTER (NOT warmup AND is_open), 0)::BIGINT,
  min(first_us) FILTER (NOT warmup), max(last_us) FILTER (NOT warmup), any_value(origin), any_value(production),
  list_sort(list(DISTINCT production_version) FILTER (production_version <> '')),
  list_sort(list(DISTINCT shadow_version) FILTER (shadow_version <> '')),
  list_sort(list(DISTINCT twin_version) FILTER (twin_version <> '')),
  list_sort(list(DISTINCT rules) FILTER (rules <> '')),
  coalesce(sum(pairs) FILTER (has_twin), 0)::BIGINT, coalesce(sum(pairs) FILTER (has_dropped_twin), 0)::BIGINT,
  coalesce(sum(pairs) FILTER (is_unpredicted), 0)::BIGINT
FROM (SELECT facets.*, production FROM facets LEFT JOIN commonest USING (candidate, trial)) GROUP BY ALL
"""

# Routes have rules of their own, so only within one do two digests mean that the rules changed.
_CHANGED_RULES: Final = """
SELECT DISTINCT candidate, trial FROM facets WHERE NOT warmup AND rules <> ''
GROUP BY candidate, trial, route HAVING count(DISTINCT rules) > 1
"""

# Of the pairs that count, by route: behind one upstream each may be answered by another model.
_FINGERPRINTS: Final = f"""
SELECT candidate, trial, route, role, said FROM (
  SELECT candidate, trial, route, 'production' AS role, production_fingerprint AS said FROM facets WHERE {COUNTS}
  UNION SELECT candidate, trial, route, 'shadow', shadow_fingerprint FROM facets WHERE {COUNTS}
  UNION SELECT candidate, trial, route, 'twin', twin_fingerprint FROM facets WHERE {COUNTS})
WHERE said IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY candidate, trial, route, role ORDER BY said) <= {MOST_FINGERPRINTS} ORDER BY ALL
"""

_HISTOGRAM: Final = f"""
SELECT candidate, trial, {{what}}, sum(pairs)::BIGINT AS n FROM facets WHERE {COUNTS} AND {{what}} IS NOT NULL
GROUP BY ALL ORDER BY n DESC, 3
"""

# A path and its kind count once a pair, however many elements of a list differ. Where the twin answered too, b and c
# are the time buckets in which more pairs had the field differ for the candidate alone, and for the twin alone.
_FIELDS: Final = """
WITH field AS (
  SELECT candidate, trial, pair_id, ts, bucket, is_comparable AND is_noise_comparable AS has_both,
    unnest(list_distinct(list_transform(list_zip(differing_paths, differing_kinds), lambda d: [{general}, d[2]]))) AS f
  FROM judged WHERE is_comparable AND len(differing_paths) > 0),
noise AS (
  SELECT candidate, trial, pair_id, bucket, is_comparable AS has_both,
    unnest(list_distinct(list_transform(list_zip(noise_paths, noise_kinds), lambda d: [{general}, d[2]]))) AS f
  FROM judged WHERE is_noise_comparable AND len(noise_paths) > 0),
alone AS (
  SELECT candidate, trial, f, bucket, sum(side) AS balance FROM (
    SELECT candidate, trial, pair_id, f, bucket, 1 AS side FROM field WHERE has_both
    UNION ALL SELECT candidate, trial, pair_id, f, bucket, -1 FROM noise WHERE has_both)
  GROUP BY candidate, trial, f, bucket),
tossed AS (
  SELECT candidate, trial, f, count(*) FILTER (balance > 0) AS b, count(*) FILTER (balance < 0) AS c
  FROM alone GROUP BY ALL),
counted AS (
  SELECT candidate, trial, f, count(*) AS n, arg_min(pair_id, ts, {examples}) AS examples FROM field GROUP BY ALL),
noise_counted AS (SELECT candidate, trial, f, count(*) AS n FROM noise GROUP BY ALL),
bases AS (
  SELECT candidate, trial, sum(comparable)::BIGINT AS base, sum(noise_comparable)::BIGINT AS noise_base FROM tallied
  GROUP BY ALL)
SELECT candidate, trial, f[1], f[2], coalesce(counted.n, 0), coalesce(noise_counted.n, 0), noise_base,
  coalesce(examples, []), coalesce(b, 0), coalesce(c, 0),
  coalesce(counted.n, 0) / greatest(base, 1) - coalesce(noise_counted.n, 0) / greatest(noise_base, 1) AS excess
FROM counted FULL JOIN noise_counted USING (candidate, trial, f) LEFT JOIN tossed USING (candidate, trial, f)
  JOIN bases USING (candidate, trial)
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
    open: int  # in buckets that are not closed yet
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


def spans(con: duckdb.DuckDBPyConnection) -> dict[Cell, Span]:
    return {cell: Span(*row) for cell, row in _by_cell(con.execute(_SPANS).fetchall()).items()}


def changed_rules(con: duckdb.DuckDBPyConnection) -> set[Cell]:
    """Trials whose pairs were not all compared by the same rules."""
    return set(con.execute(_CHANGED_RULES).fetchall())


def streams(con: duckdb.DuckDBPyConnection) -> dict[Cell, dict[str, tuple[Any, ...]]]:
    """By role: (first token, time per token, mean tokens, streams), the first two lists as NAMES. Candidate: shadow."""
    found: dict[Cell, dict[str, tuple[Any, ...]]] = {}
    for role in ("production", "shadow", "twin"):
        side = "candidate" if role == "shadow" else role
        only = "" if role != "twin" else "AND twin_outcome = 'complete'"
        sql = _STREAMS.format(role=role, side=side, levels=list(NAMES), only=only)
        for candidate, trial, of, *row in con.execute(sql).fetchall():
            found.setdefault((candidate, trial), {})[of] = tuple(row)
    return found


def fingerprints(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[str, str, str]]]:
    """(route, role, what an answer said of the software that made it), each once, so many of a role at most."""
    return _grouped(con.execute(_FINGERPRINTS).fetchall())


def histogram(con: duckdb.DuckDBPyConnection, what: str) -> dict[Cell, dict[str, int]]:
    """How often each value of a column of `facets` (never the user's text) occurs, the commonest first."""
    return _nested(con.execute(_HISTOGRAM.format(what=what)).fetchall())


def fields(con: duckdb.DuckDBPyConnection) -> dict[Cell, list[tuple[Any, ...]]]:
    """(path, kind, pairs, pairs in which the twin differs, pairs with a twin, examples, b, c, excess), worst first.

    b and c: time buckets in which the field differs more often for the candidate, and for the twin.
    """
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
