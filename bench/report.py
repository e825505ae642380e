"""How long the report takes on a large log: python -m bench.report [--pairs 1000000] [--form parquet|jsonl]

The log is made up once, as columns of the contract's types, and kept in the cache (`--cache DIR`, default
./bench-cache): two candidates, a twin, two slices, failures, differing fields, 30 s buckets at 100 requests/s. What is
measured is the command as a user runs it, in a process of its own: wall clock, processor time, peak memory. For lines,
DuckDB's own reading of the same columns stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.experiment import Effort, Experiment, Finding, Headline
from bench.table import markdown
from shadowproxy.pairlog import columns, database
from shadowproxy.pairlog.restore import lines
from shadowproxy.report import schema as reading

SEGMENT_PAIRS: Final = 250_000
GOALS: Final = {("parquet", 1_000_000): 2.0, ("parquet", 10_000_000): 10.0}
JSONL_RATIO: Final = 2.0
MEMORY_BYTES: Final = 1 << 30

_EXCHANGE: Final = """'{upstream}' AS {role}_upstream, '{version}' AS {role}_version,
  CASE WHEN {bad} THEN 'timeout' ELSE 'complete' END AS {role}_outcome,
  CASE WHEN {bad} THEN NULL ELSE 200 END::SMALLINT AS {role}_status, {bad} AS {role}_bad,
  {ms} AS {role}_latency_ms, NULL::DOUBLE AS {role}_first_token_ms, NULL::DOUBLE AS {role}_per_token_ms,
  NULL::INTEGER AS {role}_tokens, 320::BIGINT AS {role}_body_bytes, {ms} + 0.4 AS {role}_total_ms,
  'model_version={version}' AS {role}_fingerprint, NULL::VARCHAR AS {role}_dropped, NULL::VARCHAR AS {role}_error,
  {{'start': 0.1, 'connect': 0.0, 'sent': 0.4, 'first_byte': {ms}, 'total': {ms} + 0.4, 'stalled': 0.0}}
    AS {role}_timing_ms,
  NULL::STRUCT(events BIGINT, first_token_ms DOUBLE, per_token_ms DOUBLE, max_gap_ms DOUBLE, tokens INTEGER)
    AS {role}_stream"""
_SIDES: Final = ",\n".join(
    _EXCHANGE.format(role=role, upstream=upstream, version=version, bad=bad, ms=ms)
    for role, upstream, version, bad, ms in (
        ("production", "v1", "1.0", "(h % 5000 = 1)", "(5 + (h // 7) % 1000 / 50.0)"),
        ("shadow", "v2", "2.0", "(h % 700 = 2)", "(5 + (h // 7) % 1000 / 48.0 + (h // 11) % 100 / 100.0)"),
        ("twin", "twin", "1.0", "(h % 5000 = 3)", "(5 + (h // 7) % 1000 / 50.0 + (h // 13) % 100 / 90.0)"),
    )
)
_PAIRS: Final = """
SELECT 'pair-' || i AS pair_id, 'request-' || i AS id, 'request-' || i AS "key",
  '2026-03-01 14:00:00+00'::TIMESTAMPTZ + INTERVAL (i * 10) MILLISECOND AS ts,
  CASE WHEN i % 2 = 0 THEN 'v2-0123456789' ELSE 'v3-0123456789' END AS trial, 'live' AS origin,
  CASE WHEN h % 10 < 7 THEN 'predict' ELSE 'embed' END AS route, '' AS protocol, 'POST' AS method,
  '/v1/models/a:predict' AS target, CASE WHEN i % 2 = 0 THEN 'v2' ELSE 'v3' END AS candidate, 'v1' AS answered_by,
  {sides}, 300::BIGINT AS request_body_bytes,
  CASE WHEN h % 700 = 2 OR h % 5000 = 1 THEN 'incomparable' WHEN h % 30 = 4 THEN 'different' ELSE 'same' END AS result,
  CASE WHEN h % 700 = 2 THEN 'shadow_incomplete' WHEN h % 5000 = 1 THEN 'production_incomplete' END AS reason,
  CASE result WHEN 'incomparable' THEN NULL WHEN 'different' THEN h % 3 > 0 ELSE true END AS agrees,
  1::BIGINT AS items, CASE WHEN agrees THEN 0 ELSE 1 END::BIGINT AS items_disagreeing,
  (h // 31) % 10 || '' AS production_prediction,
  CASE WHEN agrees THEN (h // 31) % 10 ELSE (h // 37) % 10 END || '' AS shadow_prediction,
  CASE WHEN h % 5000 = 3 THEN 'incomparable' WHEN h % 90 = 5 THEN 'different' ELSE 'same' END AS noise_result,
  CASE noise_result WHEN 'incomparable' THEN NULL WHEN 'different' THEN h % 4 > 0 ELSE true END AS noise_agrees,
  0.5 AS latency_ms_difference, false AS censored, false AS noise_censored, i < 100 AS warmup,
  MAP {{'country': ['DE', 'FR', 'IT', 'ES', 'US'][1 + h % 5], 'tier': ['free', 'paid'][1 + h % 2]}} AS slices,
  MAP {{'nonfinite_shadow': 0.0, 'nonfinite_production': 0.0, 'score_difference': (h % 100) / 1000.0}} AS metrics,
  CASE WHEN result = 'different' THEN ['$.data[' || (h % 5) || ']', '$.score'] ELSE [] END AS differing_paths,
  CASE WHEN result = 'different' THEN ['value', 'value'] ELSE [] END AS differing_kinds,
  len(differing_paths)::BIGINT AS differences_total,
  CASE WHEN noise_result = 'different' THEN ['$.score'] ELSE []::VARCHAR[] END AS noise_paths,
  MAP {{'score_difference': (h % 50) / 1000.0}} AS noise_metrics,
  CASE WHEN noise_result = 'different' THEN ['value'] ELSE []::VARCHAR[] END AS noise_kinds,
  'r1' AS rules, 0::BIGINT AS worker, 1772373600000 AS boot, i AS seq,
  list_transform(differing_paths,
    lambda p: {{'path': p, 'kind': 'value', 'production': '1'::JSON, 'shadow': '2'::JSON}}) AS differences,
  NULL AS noise
FROM (SELECT i, (hash(i) >> 4)::BIGINT AS h FROM range({first}, {last}) AS t(i))
"""


def made(folder: Path, pairs: int) -> Path:
    """The log as columns, once."""
    target = folder / f"parquet-{pairs}"
    if not (target / "done").exists():
        target.mkdir(parents=True, exist_ok=True)
        with database.opened(2 << 30, os.cpu_count() or 1) as con:
            for number, first in enumerate(range(0, pairs, SEGMENT_PAIRS)):
                sql = _PAIRS.format(sides=_SIDES, first=first, last=min(pairs, first + SEGMENT_PAIRS))
                chosen = ", ".join(f'"{name}"' for name in {**columns.PAIR, **columns.DETAIL})
                con.execute(
                    f"COPY (SELECT {chosen} FROM ({sql})) TO $target (FORMAT parquet, COMPRESSION zstd)",
                    {"target": str(target / f"pairs-20260301T140000Z-0-1-{number + 1:06d}.parquet")},
                )
        (target / "done").touch()
    return target


def made_lines(folder: Path, pairs: int) -> Path:
    """The same log as lines."""
    target = folder / f"jsonl-{pairs}"
    if not (target / "done").exists():
        target.mkdir(parents=True, exist_ok=True)
        with database.opened(2 << 30, os.cpu_count() or 1) as con:
            for segment in sorted(made(folder, pairs).glob("pairs-*.parquet")):
                to = str(target / segment.with_suffix(".jsonl").name)
                time_of = "strftime(ts, '%Y-%m-%dT%H:%M:%S.%fZ')"
                lines(
                    con,
                    f"COPY (SELECT * REPLACE ({time_of} AS ts) FROM $LINES) TO '{to}' (FORMAT json)",
                    segment,
                )
        (target / "done").touch()
    return target


def report(path: Path) -> tuple[float, float, int]:
    """(seconds on the wall, seconds of processor time, peak bytes) of one run of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "shadowproxy", "report", str(path), "--format", "json", "-o", os.devnull]
    measured = subprocess.run(["/usr/bin/env", *command], check=False, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if measured.returncode not in (0, 1, 3):
        raise SystemExit(measured.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss * 1024


def scan(path: Path) -> float:
    """Seconds that DuckDB alone needs to read the same columns of the same lines."""
    began = time.perf_counter()
    with database.opened(1 << 30, os.cpu_count() or 1) as con:
        files = sorted(path.glob("pairs-*.jsonl"))
        database.over_lines(con, "CREATE OR REPLACE TABLE t AS SELECT * FROM $LINES", reading.PAIRS, files)
    return time.perf_counter() - began


_SIZES: Final = {Effort.QUICK: (100_000,), Effort.POINT: (1_000_000,), Effort.PROOF: (1_000_000, 10_000_000)}
_ROUNDS: Final = 3


def measure_report(chosen: argparse.Namespace) -> Finding:
    rows, runs, headlines = [], {}, []
    for pairs in _SIZES[chosen.effort]:
        path = made(chosen.cache, pairs)
        rounds = [report(path) for _ in range(_ROUNDS)]
        runs[str(pairs)] = rounds
        wall, cpu, _ = sorted(rounds)[_ROUNDS // 2]
        peak = max(each for _, _, each in rounds)
        goal = GOALS.get(("parquet", pairs))
        limit = f"≤ {goal:g} s" if goal else ""
        rows.append([f"{pairs:,}", f"{wall:.2f}", limit, f"{cpu:.2f}", f"{peak / (1 << 20):,.0f} MiB", "≤ 1,024 MiB"])
        headlines.append(Headline(f"`report` on {pairs:,} pairs", f"{wall:.2f} s", limit))
    columns_ = ["pairs, as Parquet", "wall, s", "goal", "CPU, s", "peak memory", "goal"]
    return Finding(
        tables=[markdown(columns_, rows)],
        data={"rounds": runs},
        headline=headlines,
        load=f"the command as a user runs it, median of {_ROUNDS}",
    )


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, default=Path("bench-cache"), help="where made-up logs are kept")


EXPERIMENT: Final = Experiment("report", __doc__ or "", measure_report, options=_options, cores=1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.report", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--form", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path("bench-cache"))
    wishes = parser.parse_args()
    path = made(wishes.cache, wishes.pairs)
    if wishes.form == "jsonl":
        path = made_lines(wishes.cache, wishes.pairs)
    rounds = [report(path) for _ in range(wishes.rounds)]
    wall, cpu, _ = sorted(rounds)[len(rounds) // 2]
    figures: dict[str, object] = {
        "form": wishes.form,
        "pairs": wishes.pairs,
        "log_mib": round(sum(file.stat().st_size for file in path.iterdir()) / (1 << 20), 1),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_mib": round(max(peak for _, _, peak in rounds) / (1 << 20)),
    }
    is_met = max(peak for _, _, peak in rounds) <= MEMORY_BYTES
    if wishes.form == "jsonl":
        alone = min(scan(path) for _ in range(wishes.rounds))
        figures |= {"duckdb_scan_s": round(alone, 2), "ratio": round(wall / alone, 2)}
        is_met = is_met and wall <= JSONL_RATIO * alone
    elif (goal := GOALS.get((wishes.form, wishes.pairs))) is not None:
        figures["goal_s"] = goal
        is_met = is_met and wall <= goal
    print(json.dumps(figures | {"met": is_met}))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
