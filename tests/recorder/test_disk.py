"""The disk is full, read-only, or taken away: pairs are acknowledged as not logged, and the log resumes by itself."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowproxy.core.outcome import DISK, LOGGED
from shadowproxy.pairlog.names import segments
from shadowproxy.pairlog.reader import find
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire.messages import Heartbeat
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.recorder import RecorderProcess
from tests.support.until import until

BODY = b'{"x":"%s"}' % (b"y" * 8000)
BIG = f.pair(f.exchange(body=BODY), f.candidate(0, BODY), f.candidate(1, BODY), body=BODY)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a tmpfs needs root: " + mounted.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def sources(folder: Path) -> set[int]:
    return {pair["src"][2] for pair in find([folder]).pairs()}


def healthy(recorder: RecorderProcess) -> bool:
    beat = recorder.message(Heartbeat)
    assert isinstance(beat, Heartbeat)
    return beat.healthy


def fill(worker: FakeWorker) -> None:
    """Until a pair is refused."""
    until(lambda: worker.fates[_offered(worker)] == DISK, 20, "a full disk")


def resume(worker: FakeWorker) -> None:
    """Until a pair is logged again: within 5 s of there being room."""
    until(lambda: worker.fates[_offered(worker)] == LOGGED, 5, "a pair in the log")


def _offered(worker: FakeWorker) -> int:
    seq = worker.offer(BIG)
    worker.settle()
    return seq


def assert_consistent(worker: FakeWorker, folder: Path) -> None:
    """What was acknowledged as logged is there, with all its lines; of anything else there is nothing."""
    log = find([folder])
    assert (log.torn_lines, log.bad_lines) == (0, 0)
    lines = sorted((pair["src"][2], pair["candidate"]) for pair in log.pairs())
    logged = sorted(seq for seq, fate in worker.fates.items() if fate == LOGGED)
    assert lines == [(seq, name) for seq in logged for name in ("v2", "v3")]


def test_a_full_disk_costs_pairs_and_nothing_else(small_disk: Path) -> None:
    folder = small_disk / "pairs"
    blocker = small_disk / "blocker"
    blocker.write_bytes(bytes(128 << 10))
    snapshot = f.snapshot(str(folder), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        fill(worker)
        assert LOGGED in worker.fates.values()
        until(lambda: not healthy(recorder), 5, "a heartbeat that says so")
        beat = recorder.message(Heartbeat)
        assert "No space left on device" in beat.note
        assert_consistent(worker, folder)
        blocker.unlink()
        resume(worker)
        until(lambda: healthy(recorder), 5, "a heartbeat that says so")
        assert_consistent(worker, folder)
        fill(worker)
        assert_consistent(worker, folder)
        until(lambda: recorder.count("log.unwritable") == 2, 5, "the second event")
        assert recorder.count("log.writable") == 1
        worker.hang_up()
        assert recorder.drain() == 0


def test_a_disk_that_is_full_at_the_start_and_at_the_end(small_disk: Path) -> None:
    (small_disk / "blocker").write_bytes(bytes(256 << 10))
    snapshot = f.snapshot(str(small_disk / "pairs"), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(BIG)
        assert worker.settle() == {DISK: 1}
        worker.hang_up()
        assert recorder.drain() == 0
        assert recorder.event("log.unwritable")["why"].endswith("No space left on device")


def test_totals_wait_for_room(small_disk: Path) -> None:
    blocker = small_disk / "blocker"
    blocker.write_bytes(bytes(128 << 10))
    snapshot = f.snapshot(str(small_disk / "pairs"), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        fill(worker)
        for requests in (1, 2):
            worker.ledger([{"candidate": "v2", "requests": requests}])
        blocker.unlink()
        until(lambda: list(find([small_disk / "pairs"]).ledger()), 5, "a ledger line")
        rows = list(find([small_disk / "pairs"]).ledger())
        assert [row["requests"] for row in rows] == [2], "totals are cumulative: the newest are enough"


def test_a_limit_on_files_is_a_full_disk_too(tmp_path: Path) -> None:
    """RLIMIT_FSIZE, which needs no root: writes end short, then fail with EFBIG."""
    folder = tmp_path / "pairs"
    snapshot = f.snapshot(str(folder), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        _, hard = resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (100_000, hard))
        fill(worker)
        assert LOGGED in worker.fates.values()
        assert recorder.event("log.unwritable")["why"].endswith("File too large")
        assert_consistent(worker, folder)
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (hard, hard))
        resume(worker)
        assert_consistent(worker, folder)


def test_too_little_free_space_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    keep = settings.Keep(free=1 << 60)
    snapshot = f.snapshot(str(folder), candidates=2, pairs={"keep": keep})
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        recorder.event("log.unwritable")
        worker.offer(BIG)
        assert worker.settle() == {DISK: 1}
        assert "keep.free" in recorder.heartbeat().note
        assert recorder.change(f.snapshot(str(folder), candidates=2, generation=2)) == ""
        resume(worker)
        assert_consistent(worker, folder)


@pytest.mark.parametrize("what", ["the file", "the directory"])
def test_what_is_deleted_while_running_is_made_anew(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "pairs"
    snapshot = f.snapshot(str(folder), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(BIG)
        worker.settle()
        if what == "the file":
            [segment] = segments(folder, "pairs")
            segment.path.unlink()
        else:
            shutil.rmtree(folder)
        worker.offer(BIG)
        assert worker.settle() == {LOGGED: 2}
    assert sources(folder) == {2}


def test_a_directory_that_cannot_be_written_is_told_and_mended(tmp_path: Path) -> None:
    """A file stands where the directory should be: root may write everywhere, but not there."""
    folder = tmp_path / "pairs"
    folder.write_bytes(b"")
    snapshot = f.snapshot(str(folder), candidates=2)
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        worker.offer(BIG)
        assert worker.settle() == {DISK: 1}
        assert not recorder.heartbeat().healthy
        assert str(folder) in recorder.event("log.unwritable")["why"]
        os.unlink(folder)
        resume(worker)
        assert_consistent(worker, folder)
