from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.report.select import QueryError, select
from shadowproxy.report.source import find
from tests.support.pairs import PairLog, answer, compared, differing, differs

PARQUET = """
pair_id id key ts trial origin route protocol method target candidate answered_by result reason agrees items
items_disagreeing production_prediction shadow_prediction noise_result noise_agrees latency_ms_difference censored
warmup slices metrics differing_paths noise_paths
"""
OF_ROLES = """
upstream version outcome status bad latency_ms first_token_ms per_token_ms tokens body_bytes
"""


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "log")
    log.pair(slices={"country": "DE"}, comparison=compared(metrics={"tv": 0.5}))
    log.pair(comparison=differing("a", "b", differences=[differs("$.a[3]"), differs("$.b")]), twin=answer(ms=3))
    log.pair(candidate="v3", trial="v3-1", src=[0, 1, 99])
    log.pair(candidate="v2", src=[0, 1, 99])
    log.ledger(eligible=3, sent=3, finished={"complete": 3}, logged=3)
    return log


def ask(log: PairLog, sql: str, form: str = "json") -> str:
    return select(find([str(log.write())]), sql, form)


def rows(log: PairLog, sql: str) -> list[dict[str, object]]:
    answered = json.loads(ask(log, sql))
    assert isinstance(answered, list)
    return answered


def test_pairs_have_the_columns_of_the_parquet_segments(log: PairLog) -> None:
    types = {row["column_name"]: row["column_type"] for row in rows(log, "DESCRIBE pairs")}
    roles = [f"{role}_{name}" for role in ("production", "shadow", "twin") for name in OF_ROLES.split()]
    wanted = [*PARQUET.split(), *roles]
    assert set(wanted) <= types.keys()
    assert types["ts"] == "TIMESTAMP WITH TIME ZONE"
    assert (types["shadow_status"], types["shadow_latency_ms"], types["shadow_tokens"]) == (
        "SMALLINT",
        "DOUBLE",
        "INTEGER",
    )
    assert (types["slices"], types["metrics"]) == ("MAP(VARCHAR, VARCHAR)", "MAP(VARCHAR, DOUBLE)")
    assert (types["differing_paths"], types["production_body_bytes"]) == ("VARCHAR[]", "BIGINT")


def test_values_are_derived_from_the_lines(log: PairLog) -> None:
    (row,) = rows(log, "SELECT * FROM pairs WHERE NOT agrees")
    assert row["differing_paths"] == ["$.a[3]", "$.b"]
    assert (row["shadow_latency_ms"], row["twin_latency_ms"]) == (10.0, 3.0)
    assert (row["production_upstream"], row["shadow_upstream"]) == ("v1", "v2")
    assert rows(log, "SELECT slices['country'] AS c FROM pairs ORDER BY ts LIMIT 1") == [{"c": "DE"}]


def test_each_body_stands_once_however_many_candidates(log: PairLog) -> None:
    found = rows(log, "SELECT role, count(*) AS n FROM bodies GROUP BY role ORDER BY role")
    # 3 requests, one of them with two candidates
    assert found == [
        {"role": "production", "n": 3},
        {"role": "request", "n": 3},
        {"role": "shadow", "n": 4},
        {"role": "twin", "n": 1},
    ]
    columns = [row["column_name"] for row in rows(log, "DESCRIBE bodies")]
    assert " ".join(map(str, columns)) == "pair_id id trial upstream role headers body body_encoding body_truncated"


def test_trials_and_the_ledger(log: PairLog) -> None:
    assert rows(log, "SELECT candidate, pairs FROM trials ORDER BY candidate") == [
        {"candidate": "v2", "pairs": 3},
        {"candidate": "v3", "pairs": 1},
    ]
    assert rows(log, "SELECT finished['complete'] AS n FROM ledger") == [{"n": 3}]


def test_tables_are_aligned_and_harmless(log: PairLog) -> None:
    log.pair(route="\x1b[31m[bold]", candidate="v4")
    sql = "SELECT candidate, count(*) AS n, max(nullif(route, 'predict')) AS route FROM pairs GROUP BY 1 ORDER BY 1;"
    assert ask(log, sql, "table") == (
        "candidate  n  route\n"
        "─────────  ─  ──────────────\n"
        "v2         3\n"
        "v3         1\n"
        "v4         1  \\x1b[31m[bold]\n"
        "(3 rows)\n"
    )  # fmt: skip


def test_csv_quotes(log: PairLog) -> None:
    assert ask(log, "SELECT 'a,\"b' AS x, NULL AS y", "csv") == 'x,y\n"a,""b",\n'


def test_no_rows_are_an_answer(log: PairLog) -> None:
    assert ask(log, "SELECT id FROM pairs WHERE false") == "[]\n"
    assert ask(log, "SELECT id FROM pairs WHERE false", "table") == "id\n──\n(0 rows)\n"
    assert ask(log, "SELECT id FROM pairs WHERE false", "csv") == "id\n"


def test_the_order_asked_for_is_kept(log: PairLog) -> None:
    found = rows(log, "SELECT i FROM range(20000) AS t(i) ORDER BY i DESC -- downwards")
    assert [row["i"] for row in found] == list(range(19999, -1, -1))


def test_what_lies_outside_the_log_is_out_of_reach(log: PairLog, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    target = tmp_path / "written.csv"
    path = log.write()
    before = (path / "pairs-1.jsonl").read_bytes()
    for sql in (
        f"SELECT * FROM '{tmp_path}/secret.csv'",
        f"SELECT * FROM read_text('{tmp_path}/secret.csv')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"SELECT * FROM read_json('{path}/pairs-1.jsonl')",
        f"COPY pairs TO '{target}'",
        f"WITH x AS (COPY (SELECT 1) TO '{target}') SELECT 1",
        f"EXPLAIN ANALYZE COPY pairs TO '{target}'",
        f"COPY pairs TO '{path}/pairs-1.jsonl' (USE_TMP_FILE false)",
        f"ATTACH '{tmp_path}/x.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "DROP VIEW pairs",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "",
    ):
        with pytest.raises(QueryError) as error:
            select(find([str(path)]), sql, "table")
        assert "\n" not in str(error.value), sql
    assert not target.exists()
    assert (path / "pairs-1.jsonl").read_bytes() == before


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing FROM pairs", "SELECT * FROM nowhere", "SELECT 'a'::INT"])
def test_a_wrong_query_is_one_sentence(log: PairLog, sql: str) -> None:
    with pytest.raises(QueryError) as error:
        ask(log, sql)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
