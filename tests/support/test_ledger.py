"""The judge of the pair log is judged: a sound log passes, and each law that is broken is noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger import EXCHANGE_KEYS, PAIR_KEYS, assert_laws, read_log

Row = dict[str, Any]


def ledger_row() -> Row:
    return {
        "v": 1,
        "kind": "ledger",
        "ts": "2026-01-01T00:00:00Z",
        "worker": 0,
        "boot": 7,
        "trial": "v2-0",
        "candidate": "v2",
        "route": "default",
        "requests": 10,
        "unmatched": 1,
        "excluded": {"method": 2},
        "eligible": 7,
        "sampled_out": 1,
        "dropped": {"in_flight": 3},
        "sent": 3,
        "in_flight": 0,
        "finished": {"complete": 2, "timeout": 1},
        "logged": 2,
        "unlogged": {"disk": 1},
    }


def pair_row(seq: int) -> Row:
    exchange: Row = {**dict.fromkeys(EXCHANGE_KEYS), "outcome": "complete"}
    pair: Row = {**dict.fromkeys(PAIR_KEYS), "v": 1, "kind": "pair", "candidate": "v2", "src": [0, 7, seq]}
    return {**pair, "pair_id": f"p{seq}", "id": f"r{seq}", "production": exchange, "shadow": dict(exchange)}


def write(folder: Path, ledger: list[Row], pairs: list[Row], tail: str = "") -> Path:
    (folder / "ledger-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ledger))
    (folder / "pairs-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs) + tail)
    return folder


def test_a_sound_log_passes(tmp_path: Path) -> None:
    log = assert_laws(write(tmp_path, [ledger_row()], [pair_row(1), pair_row(2)]))
    assert log.total("v2", "dropped") == 3
    assert log.reasons("v2", "finished") == {"complete": 2, "timeout": 1}
    assert [pair["id"] for pair in log.of("r2")] == ["r2"]


BREAKS: dict[str, Callable[[Row], Any]] = {
    "requests": lambda row: row.update(requests=11),
    "unmatched": lambda row: row.update(unmatched=0),
    "eligible": lambda row: row.update(eligible=8),
    "sampled_out": lambda row: row.update(sampled_out=2),
    "dropped": lambda row: row["dropped"].update(in_flight=2),
    "sent": lambda row: row.update(sent=4),
    "in_flight": lambda row: row.update(in_flight=1),
    "finished": lambda row: row["finished"].update(timeout=2),
    "logged": lambda row: row.update(logged=3),
    "unlogged": lambda row: row.update(unlogged={}),
    "negative": lambda row: row.update(unlogged={"disk": 2, "queue_full": -1}),
    "unknown-reason": lambda row: row.update(dropped={"tired": 3}),
    "key-missing": lambda row: row.pop("trial"),
    "kind": lambda row: row.update(kind="pair"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_law_is_noticed(tmp_path: Path, name: str) -> None:
    row = ledger_row()
    BREAKS[name](row)
    with pytest.raises(AssertionError):
        assert_laws(write(tmp_path, [row], [pair_row(1), pair_row(2)]))


@pytest.mark.parametrize(
    ("pairs", "tail"),
    [
        ([1], ""),
        ([1, 2, 3], ""),
        ([1, 1], ""),
        ([1, 2], '{"torn'),
    ],
    ids=["a-line-short", "a-line-more", "twice", "torn"],
)
def test_lines_that_the_ledger_does_not_explain_are_noticed(tmp_path: Path, pairs: list[int], tail: str) -> None:
    with pytest.raises(AssertionError):
        assert_laws(write(tmp_path, [ledger_row()], [pair_row(seq) for seq in pairs], tail))


def test_totals_that_shrink_are_noticed(tmp_path: Path) -> None:
    later = copy.deepcopy(ledger_row())
    later.update(requests=9, excluded={"method": 1})
    with pytest.raises(AssertionError, match="went down"):
        assert_laws(write(tmp_path, [ledger_row(), later], [pair_row(1), pair_row(2)]))


def test_a_torn_line_is_counted(tmp_path: Path) -> None:
    assert read_log(write(tmp_path, [], [pair_row(1)], '{"torn')).torn == 1
