"""Frames in, lines out, acknowledgements back: one real recorder process and one worker."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from shadowproxy.core.outcome import LOGGED
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.ledger import EXCHANGE_KEYS, PAIR_KEYS, assert_laws, read_log
from tests.support.recorder import RecorderProcess


def test_frames_become_lines_and_are_acknowledged(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path / "pairs"), candidates=2, twin=True)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(f.pair(f.exchange(), f.exchange(1), f.candidate(0), f.candidate(1, b'{"label":"b"}')))
        worker.offer(f.pair(f.exchange(), f.candidate(0), f.dropped(3, 2)))
        assert worker.settle() == {LOGGED: 2}
        log = read_log(tmp_path / "pairs")
        assert [(p["src"], p["candidate"], p["comparison"]["result"]) for p in log.pairs] == [
            ([0, worker.boot, 1], "v2", "same"),
            ([0, worker.boot, 1], "v3", "different"),
            ([0, worker.boot, 2], "v2", "same"),
        ]
        worker.hang_up()
        assert recorder.drain() == 0
    assert_laws(tmp_path / "pairs", clean=False)


def test_a_line_has_every_key_in_the_contracts_order(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    snapshot = f.snapshot(str(folder))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(f.pair())
        worker.settle()
    (file,) = folder.glob("pairs-*.jsonl")
    line = json.loads(file.read_bytes())
    order = (
        "v kind pair_id id key ts src trial origin route protocol candidate answered_by warmup slices request"
        " production shadow twin comparison noise"
    )
    assert list(line) == order.split()
    assert set(line) == PAIR_KEYS
    assert set(line["production"]) == set(line["shadow"]) == EXCHANGE_KEYS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_ledger_rows_get_what_the_recorder_knows(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    row = {
        "trial": "t", "candidate": "v2", "route": "r", "requests": 1, "unmatched": 0, "excluded": {}, "eligible": 1,
        "sampled_out": 1, "dropped": {}, "sent": 0, "in_flight": 0, "finished": {}, "logged": 0, "unlogged": {},
    }  # fmt: skip
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot, worker=3) as worker:
        worker.greet()
        worker.ledger([row, {**row, "route": None}])
        worker.bye()
        worker.flush()
        worker.hang_up()
        assert recorder.drain() == 0
    log = assert_laws(tmp_path)
    assert [(line["worker"], line["boot"], line["route"]) for line in log.ledger] == [
        (3, worker.boot, "r"),
        (3, worker.boot, None),
    ]
    assert list(log.ledger[0])[:6] == ["v", "kind", "ts", "worker", "boot", "trial"]
