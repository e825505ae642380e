"""SIGKILL at random points: nothing is logged twice, nothing is lost, and the log stays readable."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from shadowproxy.core.outcome import LOGGED
from shadowproxy.pairlog.names import segments
from shadowproxy.pairlog.reader import find
from shadowproxy.settings import snapshot as settings
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.recorder import RecorderProcess
from tests.support.until import until

CANDIDATES = 3


def logged(folder: Path) -> Counter[tuple[tuple[int, int, int], str]]:
    return Counter((tuple(pair["src"]), pair["candidate"]) for pair in find([folder]).pairs())


def big_pair(rng: random.Random) -> object:
    """Bodies of some pages, so that a kill can fall into the middle of a write."""
    body = b'{"x":"%s"}' % (b"y" * rng.randrange(50, 20_000))
    return f.pair(f.exchange(body=body), *(f.candidate(n, body) for n in range(CANDIDATES)), body=body)


@pytest.mark.parametrize("seed", range(2))
def test_every_line_is_there_once_however_often_the_recorder_is_killed(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folder = tmp_path / "pairs"
    rotate = settings.Rotate(size=2 << 20)
    snapshot = f.snapshot(str(folder), candidates=CANDIDATES, pairs={"rotate": rotate, "flush": 0.005})
    with RecorderProcess(snapshot) as recorder:
        workers = [FakeWorker(recorder.path, snapshot, worker=n, boot=f.BOOT + n) for n in range(2)]
        for _ in range(5):
            for _ in range(rng.randrange(20, 150)):
                rng.choice(workers).offer(big_pair(rng))  # type: ignore[arg-type]
            for _ in range(rng.randrange(0, 60)):
                for worker in workers:
                    worker.turn(0.0005)
            recorder.kill()
            recorder.start()
        fates = [worker.settle() for worker in workers]
        for worker in workers:
            worker.hang_up()
        assert recorder.drain() == 0
    assert [set(fate) for fate in fates] == [{LOGGED}, {LOGGED}]
    expected = {
        ((worker.worker, worker.boot, seq), f"v{n + 2}")
        for worker in workers
        for seq in range(1, worker.seq + 1)
        for n in range(CANDIDATES)
    }
    got = logged(folder)
    assert set(got) == expected
    assert max(got.values()) == 1
    log = find([folder])
    assert (log.torn_lines, log.bad_lines) == (0, 0)
    assert all(worker.connections >= 2 for worker in workers)


def test_a_frame_that_is_there_in_part_is_completed(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), candidates=CANDIDATES)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        exchanges = [f.candidate(n) for n in range(CANDIDATES)]
        for _ in range(2):
            worker.offer(f.pair(f.exchange(), *exchanges))
        worker.settle()
        recorder.kill()
        # As if the write had ended within the second of the last frame's lines, and no acknowledgement was sent.
        [segment] = segments(tmp_path, "pairs")
        lines = segment.path.read_bytes().splitlines(keepends=True)
        assert len(lines) == 2 * CANDIDATES
        os.truncate(segment.path, sum(map(len, lines[:4])) + 100)
        worker.hang_up()
        worker.unacknowledged[2] = f.pair(f.exchange(), *exchanges)
        recorder.start()
        assert worker.greet() == 1
        worker.settle()
        worker.offer(f.pair(f.exchange(), *exchanges))
        worker.settle()
    got = logged(tmp_path)
    assert set(got.values()) == {1}
    assert len(got) == 3 * CANDIDATES
    assert len(segments(tmp_path, "pairs")) == 1, "the successor goes on with the same segment"


def test_a_frame_that_was_written_but_not_acknowledged_is_not_written_again(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), candidates=CANDIDATES)
    pair = f.pair(f.exchange(), *(f.candidate(n) for n in range(CANDIDATES)))
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(3):
            worker.offer(pair)
        worker.settle()
        recorder.kill()
        worker.hang_up()
        worker.unacknowledged.update({2: pair, 3: pair})
        recorder.start()
        assert worker.greet() == 2
        assert worker.settle() == {LOGGED: 3}
    assert set(logged(tmp_path).values()) == {1}


def test_a_worker_that_connects_anew_is_told_what_it_has_not_heard(tmp_path: Path) -> None:
    """The recorder lives on; what the old connection had not delivered to the end comes again."""
    snapshot = f.snapshot(str(tmp_path), pairs={"flush": 30.0})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(100):
            worker.offer(f.pair())
        worker.flush()
        for _ in range(5):
            worker.hang_up()
            worker.greet()
        assert 0 < worker.marks[-1] <= 100
        worker.flush()
        worker.bye()
        worker.settle()
    got = logged(tmp_path)
    assert len(got) == 100
    assert set(got.values()) == {1}


def test_what_lies_in_the_socket_when_a_worker_dies_is_still_written(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path), pairs={"flush": 0.05})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.greet()
        for _ in range(300):
            worker.offer(f.pair())
        worker.flush()
        worker.hang_up()
        until(lambda: len(logged(tmp_path)) == 300, 10, "all lines")
    assert set(logged(tmp_path).values()) == {1}
