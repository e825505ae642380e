"""The types for DuckDB fit what is written: every key is named, and reads as it was meant."""

from __future__ import annotations

from pathlib import Path

import duckdb

from shadowproxy.pairlog.schema import LEDGER, PAIRS, columns_clause
from tests.support.ledger import LEDGER_KEYS, PAIR_KEYS
from tests.support.pairs import PairLog, differing, noisy


def test_every_key_of_a_line_has_a_type() -> None:
    assert set(PAIRS) == PAIR_KEYS
    assert set(LEDGER) == LEDGER_KEYS


def test_lines_are_read_with_their_types(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(comparison=differing(metrics={"rank": 0.5}), noise=noisy(), slices={"country": "DE", "tier": None})
    log.ledger(dropped={"in_flight": 2})
    log.write()
    con = duckdb.connect()

    def read(name: str, columns: dict[str, str], what: str) -> tuple[object, ...]:
        clause = columns_clause(columns)
        sql = f"SELECT {what} FROM read_json(?, format = 'newline_delimited', columns = {clause})"
        row = con.execute(sql, [str(tmp_path / f"{name}-1.jsonl")]).fetchone()
        assert row is not None
        return row

    got = read(
        "pairs",
        dict(PAIRS),
        "epoch_us(ts), src[3], request.headers[1][2], production.timing_ms.total, shadow.stream, twin,"
        " slices['country'],"
        " comparison.differences[1].shadow::VARCHAR, noise.differences[1].kind, comparison.metrics['rank'],"
        " comparison.agrees, warmup, production.body",
    )
    assert got == (
        1_772_373_600_000_000, 1, "application/json", 11.0, None, None, "DE", '"b"', "value", 0.5, False, False,
        '{"label": "a"}',
    )  # fmt: skip
    assert read("ledger", dict(LEDGER), "epoch_us(ts), dropped['in_flight']") == (1_772_373_660_000_000, 2)
