"""Closed segments become columns behind the recorder's back, and nothing is lost or doubled, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from shadowproxy.core.outcome import LOGGED
from shadowproxy.pairlog.names import COLUMNS, LINES, SegmentName, segments
from shadowproxy.pairlog.reader import find
from shadowproxy.recorder.converting import LOOK_EVERY_S, QUIET_S, Converting
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire.messages import Hold
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.pairs import PairLog
from tests.support.processes import Process, family, is_alive
from tests.support.recorder import RecorderProcess
from tests.support.until import until


def forms(folder: Path) -> Counter[str]:
    return Counter(segment.name.form for segment in segments(folder, "pairs"))


def logged(folder: Path) -> Counter[tuple[tuple[int, int, int], str]]:
    return Counter((tuple(pair["src"]), pair["candidate"]) for pair in find([folder]).pairs())


def snapshot_of(folder: Path) -> settings.Snapshot:
    return f.snapshot(str(folder), candidates=2, pairs={"rotate": settings.Rotate(size=1 << 18), "flush": 0.005})


def offer(worker: FakeWorker, pairs: int) -> None:
    for _ in range(pairs):
        body = b'{"x":"%s"}' % (b"y" * 10_000)
        worker.offer(f.pair(f.exchange(body=body), f.candidate(0, body), f.candidate(1, body), body=body))


def test_a_closed_segment_becomes_columns_and_the_open_one_stays_lines(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        offer(worker, 20)
        assert worker.settle() == {LOGGED: 20}
        recorder.event("log.segment_converted", within_s=30)
        until(lambda: forms(tmp_path)[LINES] == 1, 30, "one segment of lines")
        assert recorder.count("log.not_converted") == 0
        worker.hang_up()
        assert recorder.drain() == 0
    assert forms(tmp_path)[COLUMNS] >= 2
    assert set(logged(tmp_path).values()) == {1}
    assert len(logged(tmp_path)) == 40


def test_killed_at_random_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Recorder and converter die together, at once or while a segment is on its way."""
    rng = random.Random(1)
    snapshot = snapshot_of(tmp_path)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(1):
            offer(worker, rng.randrange(15, 25))
            worker.settle()
            children = until(lambda: converters(recorder.pid), 20, "a converter")
            for _ in range(rng.randrange(0, 400)):
                worker.turn(0.0005)
            recorder.kill()
            until(lambda gone=children: not any(is_alive(child.pid) for child in gone), 10, "the converter's end")
            recorder.start()
        worker.settle()
        until(lambda: forms(tmp_path)[LINES] <= 1 and not converters(recorder.pid), 40, "all closed segments converted")
        worker.hang_up()
        assert recorder.drain() == 0
    got = logged(tmp_path)
    assert set(got.values()) == {1}
    assert len(got) == 2 * worker.seq
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def converters(parent: int) -> list[Process]:
    return [process for process in family(parent) if "shadowproxy.pairlog" in process.command]


async def sooner_or_later(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, condition, 30, what)


class Scene:
    """A converter on a manual clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.events: list[str] = []
        self.folder = folder
        self.converting = Converting(self, lambda level, event, **_: self.events.append(event), self.clock)
        self.now += QUIET_S

    def clock(self) -> float:
        return self.now

    async def until(self, event: str) -> None:
        await sooner_or_later(lambda: event in self.events, f"{event} in {self.events}")


def closed_segment(folder: Path, *extra: str) -> Path:
    log = PairLog(folder)
    log.pair(times=3)
    log.pairs += extra
    log.write("x")
    path = folder / str(SegmentName("pairs", 1_772_373_600, 0, 1, 1))
    (folder / "pairs-x.jsonl").rename(path)
    return path


async def test_while_a_worker_lags_nothing_is_begun(tmp_path: Path) -> None:
    path = closed_segment(tmp_path)
    scene = Scene(tmp_path)
    scene.converting.hold()
    scene.converting.tick()
    assert converters(os.getpid()) == []
    scene.now += QUIET_S + LOOK_EVERY_S
    scene.converting.tick()
    await scene.until("log.segment_converted")
    assert not path.exists()
    await scene.converting.close()


async def test_a_conversion_under_way_is_stopped_and_goes_on(tmp_path: Path) -> None:
    closed_segment(tmp_path)
    scene = Scene(tmp_path)
    scene.converting.tick()
    await sooner_or_later(lambda: converters(os.getpid()), "a converter")
    [child] = converters(os.getpid())
    scene.converting.hold()
    await sooner_or_later(lambda: any(child.state == "T" for child in converters(os.getpid())), "a stop")
    scene.now += QUIET_S - 1
    scene.converting.tick()
    assert [child.state for child in converters(os.getpid())] == ["T"]
    scene.now += 1
    scene.converting.tick()
    await scene.until("log.segment_converted")
    await scene.converting.close()
    assert not is_alive(child.pid)


async def test_what_cannot_be_converted_is_told_once_and_left(tmp_path: Path) -> None:
    path = closed_segment(tmp_path, '{"v": 2}')
    scene = Scene(tmp_path)
    scene.converting.tick()
    await scene.until("log.not_converted")
    await sooner_or_later(lambda: not converters(os.getpid()), "its end")
    for _ in range(3):
        scene.now += LOOK_EVERY_S
        scene.converting.tick()
    await asyncio.sleep(0)
    assert converters(os.getpid()) == []
    assert (scene.events, path.exists()) == (["log.not_converted"], True)
    await scene.converting.close()


async def test_closing_does_not_wait_for_a_conversion(tmp_path: Path) -> None:
    path = closed_segment(tmp_path)
    scene = Scene(tmp_path)
    scene.converting.tick()
    await asyncio.sleep(0)
    await scene.converting.close()
    assert converters(os.getpid()) == []
    assert path.exists() or (tmp_path / path.with_suffix(".parquet").name).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_converter_that_dies_is_told_of_and_followed_by_another(number: signal.Signals, tmp_path: Path) -> None:
    closed_segment(tmp_path)
    scene = Scene(tmp_path)
    scene.converting.tick()
    await sooner_or_later(lambda: converters(os.getpid()), "a converter")
    [child] = converters(os.getpid())
    os.kill(child.pid, number)
    await scene.until("log.converter_ended")
    await sooner_or_later(lambda: not converters(os.getpid()), "its end")
    await asyncio.sleep(0.01)
    scene.now += LOOK_EVERY_S
    scene.converting.tick()
    await scene.until("log.segment_converted")
    await scene.converting.close()
    assert scene.events == ["log.converter_ended", "log.segment_converted"]
    assert forms(tmp_path) == {COLUMNS: 1}


def test_a_hold_is_a_message_that_a_recorder_knows(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        recorder.send(Hold())
        offer(worker, 20)
        worker.settle()
        recorder.send(Hold())
        recorder.heartbeat(after=1)
        assert forms(tmp_path)[COLUMNS] == 0
        worker.hang_up()
        assert recorder.stop() == 0
