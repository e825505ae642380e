"""The pair log as it lies on the disk, and the laws that it must keep (CONTRACT.md §4)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shadowproxy.pairlog.reader import find

Row = dict[str, Any]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PAIR_KEYS = _names(
    "v kind pair_id id key ts src trial origin route protocol candidate answered_by warmup slices request production"
    " shadow twin comparison noise"
)
EXCHANGE_KEYS = _names(
    "upstream version fingerprint outcome dropped error bad status headers body body_encoding body_bytes body_truncated"
    " timing_ms stream"
)
LEDGER_KEYS = _names(
    "v kind ts worker boot trial candidate route requests unmatched excluded eligible sampled_out dropped sent"
    " in_flight finished logged unlogged"
)
REASONS = {
    "excluded": _names("method upgrade stateful paused refused"),
    "dropped": _names(
        "body_too_large in_flight breaker_open buffer_full overload recorder_behind connect_rate rewrite_failed"
        " draining client_aborted"
    ),
    "finished": _names("complete connect_error timeout reset protocol_error truncated client_aborted"),
    "unlogged": _names("recorder_lost queue_full disk"),
}
_GROWING = ("requests", "unmatched", "eligible", "sampled_out", "sent", "logged")


@dataclass(slots=True)
class Log:
    pairs: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    torn: int = 0

    def of(self, id_: str, candidate: str | None = None) -> list[Row]:
        """The pairs of one request id."""
        return [p for p in self.pairs if p["id"] == id_ and candidate in (None, p["candidate"])]

    def last_rows(self) -> dict[tuple[Any, ...], Row]:
        """The newest totals by (worker, boot, trial, candidate, route)."""
        return {_key(row): row for row in self.ledger}

    def total(self, candidate: str, figure: str) -> int:
        rows = [row for row in self.last_rows().values() if row["candidate"] == candidate]
        return sum(sum(r[figure].values()) if isinstance(r[figure], dict) else r[figure] for r in rows)

    def reasons(self, candidate: str, figure: str) -> Counter[str]:
        """`excluded`, `dropped`, `finished` or `unlogged` of one candidate, over workers and routes."""
        counted: Counter[str] = Counter()
        for row in self.last_rows().values():
            if row["candidate"] == candidate:
                counted.update(row[figure])
        return counted


def _key(row: Row) -> tuple[Any, ...]:
    return row["worker"], row["boot"], row["trial"], row["candidate"], row["route"]


def _number(path: Path) -> int:
    """A segment's number tells which is the newer; its time does not, for clocks are set back."""
    return int(path.stem.rpartition("-")[2])


def read_log(folder: Path) -> Log:
    """Every line of the segments in `folder`; a last line without its end is torn and counted.

    A test that takes long finds some that have become columns, which the product's own reader reads.
    """
    log = Log()
    files = [path for kind in ("pairs", "ledger") for path in folder.glob(f"{kind}-*")]
    for path in sorted(files, key=_number):
        rows = log.pairs if path.name.startswith("pairs-") else log.ledger
        if path.suffix == ".parquet":
            if not path.with_suffix(".jsonl").exists():
                columns = find([path])
                rows += [*columns.pairs(), *columns.ledger()]
            continue
        if path.suffix != ".jsonl":
            continue
        *lines, tail = path.read_bytes().split(b"\n")
        log.torn += bool(tail)
        rows += [json.loads(line) for line in lines]
    return log


def assert_laws(folder: Path, *, clean: bool = True, steered: bool = False) -> Log:
    """Read the log and assert the laws; `clean` means that every process ended in good order.

    `steered`: candidates and trials came and went, so they need not have seen the same requests.
    """
    log = read_log(folder)
    for row in log.ledger:
        _assert_row(row)
    _assert_growth(log.ledger)
    for pair in log.pairs:
        _assert_pair(pair)
    twice = [key for key, n in Counter((tuple(p["src"]), p["candidate"]) for p in log.pairs).items() if n > 1]
    assert not twice, f"logged twice: {twice[:5]}"
    ids = [key for key, n in Counter(p["pair_id"] for p in log.pairs).items() if n > 1]
    assert not ids, f"pair_id used twice: {ids[:5]}"
    if clean:
        _assert_complete(log, steered)
    return log


def _assert_row(row: Row) -> None:
    assert set(row) >= LEDGER_KEYS, f"a ledger line lacks {LEDGER_KEYS - set(row)}"
    assert (row["v"], row["kind"]) == (1, "ledger"), row
    sums = {}
    for figure, known in REASONS.items():
        assert set(row[figure]) <= known, f"{figure} knows no {set(row[figure]) - known}"
        assert all(n >= 0 for n in row[figure].values()), row
        sums[figure] = sum(row[figure].values())
    assert row["requests"] == row["unmatched"] + sums["excluded"] + row["eligible"], row
    assert row["eligible"] == row["sampled_out"] + sums["dropped"] + row["sent"], row
    assert row["sent"] == sums["finished"] + row["in_flight"], row
    assert sums["finished"] == row["logged"] + sums["unlogged"], row
    assert row["in_flight"] >= 0, row


def _assert_growth(rows: list[Row]) -> None:
    before: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        last = before.get(_key(row))
        if last is not None:
            shrunk = [name for name in _GROWING if row[name] < last[name]]
            assert not shrunk, f"totals went down: {shrunk} from {last} to {row}"
        before[_key(row)] = row


def _assert_pair(pair: Row) -> None:
    assert set(pair) >= PAIR_KEYS, f"a pair's line lacks {PAIR_KEYS - set(pair)}"
    assert (pair["v"], pair["kind"]) == (1, "pair")
    for side in ("production", "shadow", "twin"):
        exchange = pair[side]
        if exchange is None:
            assert side == "twin", f"{side} is null in {pair['pair_id']}"
            continue
        assert set(exchange) >= EXCHANGE_KEYS, f"{side} lacks {EXCHANGE_KEYS - set(exchange)}"
        if exchange["outcome"] is None:
            assert exchange["dropped"] in REASONS["dropped"], exchange
        else:
            assert exchange["outcome"] in REASONS["finished"], exchange
    assert pair["shadow"]["outcome"] is not None, f"{pair['pair_id']} was logged but never sent"


def _assert_complete(log: Log, steered: bool) -> None:
    """After a good end nothing is in flight, and the log holds exactly as many lines as the ledger says."""
    logged: Counter[str] = Counter()
    requests: dict[tuple[Any, ...], set[int]] = {}
    for row in log.last_rows().values():
        assert row["in_flight"] == 0, row
        requests.setdefault((row["worker"], row["boot"], row["route"]), set()).add(row["requests"])
        if row["candidate"] != "twin":
            logged[row["candidate"]] += row["logged"]
    lines = Counter(pair["candidate"] for pair in log.pairs)
    assert +logged == +lines, f"the ledger says {dict(logged)} lines, the log holds {dict(lines)}"
    if steered:
        requests.clear()
    uneven = {key: counts for key, counts in requests.items() if len(counts) > 1}
    assert not uneven, f"candidates of one worker saw different numbers of requests: {uneven}"
    assert log.torn == 0, "a torn line after a good end"
