"""A recorder's life at its control socket: configured, changed, drained, stopped, orphaned; and its manners."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from pathlib import Path

import pytest

from shadowproxy.core.outcome import LOGGED, QUEUE_FULL, RECORDER_LOST
from shadowproxy.pairlog.names import segments
from shadowproxy.pairlog.reader import find
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from shadowproxy.wire.messages import Abort, Commit, Drain, Drained, Failed, Prepare, Prepared, Stop
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.processes import is_alive
from tests.support.recorder import RecorderProcess
from tests.support.until import until


def test_it_takes_little_from_production(tmp_path: Path) -> None:
    with RecorderProcess(f.snapshot(str(tmp_path))) as recorder:
        assert os.getpriority(os.PRIO_PROCESS, recorder.pid) >= 10
        assert int(Path(f"/proc/{recorder.pid}/oom_score_adj").read_text()) >= 500
        soft, _ = resource.prlimit(recorder.pid, resource.RLIMIT_AS)
        assert 0 < soft <= 4 << 30


def test_a_socket_that_is_none_is_told(tmp_path: Path) -> None:
    recorder = RecorderProcess(f.snapshot(str(tmp_path)))
    listen, recorder._listen = recorder._listen, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        recorder.start(ready=False)
        until(lambda: any(isinstance(message, Failed) for message in recorder.got), 15, "Failed")
        assert recorder.wait() == 1
    finally:
        listen.close()
        recorder.__exit__()


def test_signals_to_the_group_are_the_supervisors(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(recorder.pid, number)
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}


def test_heartbeats_say_what_was_counted(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for body in (b'{"label":"a"}', b'{"label":"b"}'):
            worker.offer(f.pair(f.exchange(), f.candidate(0), f.candidate(1, body)))
        worker.settle()
        beat = recorder.heartbeat()
        assert (beat.healthy, beat.note) == (True, "")
        assert beat.stats.counters['pairs_total{candidate="v2",result="same"}'] == 2
        assert beat.stats.counters['pairs_total{candidate="v3",result="different"}'] == 1
        of_v3 = f'{{candidate="v3",trial="{snapshot.candidates[1].trial}"}}'
        assert beat.stats.counters[f"pairs_agree_total{of_v3}"] == 1
        assert beat.stats.counters[f"pairs_decided_total{of_v3}"] == 2
        assert beat.stats.gauges["log_bytes"] == sum(path.stat().st_size for path in tmp_path.glob("*.jsonl"))


# -- changes -------------------------------------------------------------------------------------------------------


def test_a_change_takes_effect_for_what_comes_after_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    snapshot = f.snapshot(str(one))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(f.pair())
        worker.settle()
        changed = f.snapshot(
            str(two), generation=2, candidates=2, pairs={"bodies": "none", "rotate": settings.Rotate(size=1)}
        )
        assert recorder.change(changed) == ""
        worker.snapshots[2] = changed
        worker.offer(f.pair())
        worker.offer(f.pair(f.exchange(), f.candidate(1), generation=2))
        assert worker.settle() == {LOGGED: 3}
    assert [(pair["src"][2], pair["candidate"]) for pair in find([one]).pairs()] == [(1, "v2")]
    later = list(find([two]).pairs())
    assert [(pair["src"][2], pair["candidate"], pair["production"]["body"]) for pair in later] == [
        (2, "v2", None),
        (3, "v3", None),
    ]


def test_an_invalid_change_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        broken = f.snapshot(str(tmp_path), generation=2, pairs={"redact": settings.Redact(json=("nonsense",))})
        assert "nonsense" in recorder.change(broken)
        recorder.got.clear()
        recorder.send(Prepare(3, b"no snapshot"))
        assert recorder.message(Prepared).error != ""
        recorder.send(Commit(3))
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}


def test_what_was_prepared_and_aborted_is_forgotten(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    snapshot = f.snapshot(str(one))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        recorder.send(Prepare(2, settings.encode(f.snapshot(str(two), generation=2))))
        recorder.message(Prepared)
        recorder.send(Abort(2))
        recorder.send(Commit(2))
        worker.offer(f.pair())
        worker.settle()
    assert not two.exists()


def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    recorder = RecorderProcess(f.snapshot(str(tmp_path), routes=(settings.Route(key="cookie:x"),)))
    try:
        recorder.start(ready=False)
        until(lambda: any(isinstance(message, Failed) for message in recorder.got), 15, "Failed")
        [failed] = [message for message in recorder.got if isinstance(message, Failed)]
        assert "expected id, header:NAME" in failed.reason
        assert recorder.wait() == 1
    finally:
        recorder.__exit__()


# -- pairs that cannot be logged -----------------------------------------------------------------------------------


def test_pairs_that_make_no_sense_cost_only_themselves(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.snapshots[9] = snapshot
        worker.greet()
        worker.offer(f.pair())
        worker.offer(f.pair(route=7))
        worker.offer(f.pair(f.exchange(), f.candidate(5)))
        worker.offer(f.pair(arrival_us=2**62))
        worker.seq += 1
        worker.unacknowledged[worker.seq] = f.pair()
        worker._unsent += (
            (9 + 3).to_bytes(4, "little") + bytes([frames.PAIR]) + worker.seq.to_bytes(8, "little") + b"abc"
        )
        worker.offer(f.pair())
        worker.settle()
        assert [worker.fates[seq] for seq in range(1, 7)] == [LOGGED, *[RECORDER_LOST] * 4, LOGGED]
        assert recorder.event("recorder.pair_failed")["seq"] == 2
        assert recorder.count("recorder.pair_failed") < 4, "a fault that every pair has must not fill the log"
    assert [pair["src"][2] for pair in find([tmp_path]).pairs()] == [1, 6]


def test_a_pair_of_an_unknown_generation_is_lost(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        worker._configured.add(1)
        worker.offer(f.pair())
        assert worker.settle() == {RECORDER_LOST: 1}


def test_lines_that_no_reader_takes_are_refused_as_too_much(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), candidates=3, pairs={"store_up_to": 64 << 20})
    # A control character is written as six: three lines of 4 × 6 MiB.
    body = b"\x01" * (1 << 20)
    fields = ("Content-Type: text/plain",)
    pair = f.pair(
        f.exchange(body=body, fields=fields), *(f.candidate(n, body, fields=fields) for n in range(3)), body=body * 4
    )
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(pair)
        worker.offer(f.pair())
        worker.settle(30)
        assert worker.fates == {1: QUEUE_FULL, 2: LOGGED}


@pytest.mark.parametrize(
    "nonsense",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"".join(frames.pack_pair(1, f.pair())), frames.ledger(b"[]")],
    ids=["http", "zeros", "a pair before hello", "totals before hello"],
)
def test_whoever_is_no_worker_is_cut_off(tmp_path: Path, nonsense: bytes) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(60)
            stranger.connect(recorder.path)
            stranger.sendall(nonsense)
            with contextlib.suppress(ConnectionResetError):
                assert stranger.recv(100) == b""
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}
        assert recorder.event("recorder.connection_refused")["why"]


# -- the end -------------------------------------------------------------------------------------------------------


def test_drained_once_the_last_worker_is_gone_and_all_is_on_disk(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), pairs={"flush": 60.0})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(50):
            worker.offer(f.pair())
        worker.greet()
        worker.flush()
        recorder.send(Drain(0.0, 5.0))
        worker.offer(f.pair())
        worker.flush()
        recorder.heartbeat()
        assert not any(isinstance(message, Drained) for message in recorder.got)
        worker.bye()
        assert worker.settle() == {LOGGED: 51}
        worker.hang_up()
        recorder.message(Drained)
        assert recorder.wait() == 0
    assert len(list(find([tmp_path]).pairs())) == 51
    log = find([tmp_path])
    assert (log.torn_lines, log.bad_lines) == (0, 0)


def test_acknowledgements_come_soon_however_long_a_flush_may_wait(tmp_path: Path) -> None:
    """A worker that ends waits for them, and what it does not hear it counts as lost."""
    snapshot = f.snapshot(str(tmp_path), pairs={"flush": 3600.0})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}


@pytest.mark.parametrize("with_bye", [True, False])
def test_what_a_worker_sent_before_it_died_is_on_disk_at_the_end(tmp_path: Path, with_bye: bool) -> None:
    snapshot = f.snapshot(str(tmp_path), pairs={"flush": 60.0})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        for _ in range(50):
            worker.offer(f.pair())
        if with_bye:
            worker.bye()
        worker.flush()
        worker.hang_up()
        assert recorder.drain() == 0
    assert len(list(find([tmp_path]).pairs())) == 50


def test_stop_ends_it_without_a_worker(tmp_path: Path) -> None:
    with RecorderProcess(f.snapshot(str(tmp_path))) as recorder:
        assert recorder.stop() == 0


def test_stop_waits_for_the_last_worker(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        recorder.send(Stop())
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}
        worker.hang_up()
        assert recorder.wait() == 0


def test_an_orphan_listens_to_its_workers_and_then_ends(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        pid = recorder.pid
        recorder.orphan()
        for _ in range(20):
            worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 20}
        assert is_alive(pid)
        worker.hang_up()
        assert recorder.wait() == 0


def test_an_orphan_waits_a_moment_for_a_worker_that_is_about_to_connect(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        recorder.orphan()
        worker.offer(f.pair())
        assert worker.settle() == {LOGGED: 1}
        worker.hang_up()
        assert recorder.wait() == 0


def test_the_socket_stays_where_it_is_for_a_successor(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        assert recorder.drain() == 0
        assert Path(recorder.path).is_socket()
        worker.offer(f.pair())
        recorder.start()
        assert worker.settle() == {LOGGED: 1}


# -- segments ------------------------------------------------------------------------------------------------------


def test_a_frames_lines_are_never_split_over_segments(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), candidates=3, pairs={"rotate": settings.Rotate(size=20_000)})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(100):
            worker.offer(f.pair(f.exchange(), *(f.candidate(n) for n in range(3))))
            worker.settle()
    found = segments(tmp_path, "pairs")
    assert len(found) >= 5
    places = [{tuple(pair["src"]) for pair in find([segment.path]).pairs()} for segment in found]
    assert sum(map(len, places)) == len(set.union(*places)) == 100
    assert all(segment.size_bytes <= 20_000 for segment in found)


def test_the_oldest_segments_go_when_the_log_is_too_large(tmp_path: Path) -> None:
    pairs = {"rotate": settings.Rotate(size=10_000), "keep": settings.Keep(size=50_000, free=0)}
    snapshot = f.snapshot(str(tmp_path))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        changed = f.snapshot(str(tmp_path), generation=2, pairs=pairs)
        assert recorder.change(changed) == ""
        for _ in range(100):
            worker.offer(f.pair())
            worker.settle()
        assert sum(segment.size_bytes for segment in segments(tmp_path, "pairs")) > 50_000
        assert recorder.change(f.snapshot(str(tmp_path), generation=3, pairs=pairs)) == ""
        until(lambda: sum(segment.size_bytes for segment in segments(tmp_path, "pairs")) <= 50_000, 10, "a smaller log")
        left = segments(tmp_path, "pairs")
        assert [segment.name.counter for segment in left] == sorted(segment.name.counter for segment in left)
        assert left[-1].path.read_bytes().endswith(b"\n")
        recorder.event("log.segment_deleted")
