"""Whole batches or nothing: short writes, full disks, rotation, deleted files, and what a dead writer left."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from shadowproxy.pairlog import segment as module
from shadowproxy.pairlog.names import parse, segments
from shadowproxy.pairlog.segment import Rotation, SegmentWriter, end_of_lines, is_open

NEVER = Rotation(1 << 30, 3600.0)


class Clock:
    now = 1_772_373_600.0

    def __call__(self) -> float:
        return self.now


class Disk:
    """os.write, of which each call takes as many bytes as the script says: an error number fails instead."""

    def __init__(self, *script: int | OSError) -> None:
        self.script = list(script)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        step = self.script.pop(0) if self.script else len(data)
        if isinstance(step, OSError):
            raise step
        return os.write(fd, data[:step])


FULL = OSError(errno.ENOSPC, "No space left on device")
Make = Callable[..., SegmentWriter]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    made: list[SegmentWriter] = []

    def writer(rotation: Rotation = NEVER, disk: Disk | None = None, slot: int = 0, **more: object) -> SegmentWriter:
        write = disk.write if disk is not None else os.write
        one = SegmentWriter(tmp_path / "log", "pairs", slot, rotation, write, **more)  # type: ignore[arg-type]
        made.append(one)
        return one

    return writer


def texts(folder: Path) -> list[bytes]:
    return [segment.path.read_bytes() for segment in segments(folder / "log", "pairs")]


def die(writer: SegmentWriter) -> None:
    """As SIGKILL does it: the descriptor closes, the file stays as it is."""
    os.close(writer._fd)
    writer._fd = -1


def test_batches_are_appended_to_one_private_file(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a\n")
    writer.write(b"b\nc\n")
    assert texts(tmp_path) == [b"a\nb\nc\n"]
    assert writer.path is not None
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700
    name = parse(writer.path.name)
    assert name is not None
    assert (name.kind, name.slot, name.pid, name.counter) == ("pairs", 0, os.getpid(), 1)


def test_a_directory_that_exists_keeps_its_mode(make: Make, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir(mode=0o755)
    make().write(b"a\n")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o755


def test_a_short_write_is_finished(make: Make, tmp_path: Path) -> None:
    make(disk=Disk(3, 1, 2)).write(b"abcdefgh\n")
    assert texts(tmp_path) == [b"abcdefgh\n"]


def test_a_large_batch_is_written_in_pieces_between_which_others_may_run(make: Make, tmp_path: Path) -> None:
    sizes: list[int] = []

    class Counting(Disk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            sizes.append(len(data))
            return super().write(fd, data)

    large = b"x" * (3 * module.PIECE + 5) + b"\n"
    writer = make(disk=Counting())
    writer.write(large)
    assert sizes == [module.PIECE] * 3 + [6]
    assert texts(tmp_path) == [large]
    with pytest.raises(OSError, match="No space left"):
        make(disk=Disk(module.PIECE, FULL), slot=1).write(large)
    assert texts(tmp_path) == [large, b""]


@pytest.mark.parametrize("script", [(FULL,), (3, FULL), (3, 2, FULL), (3, 0)], ids=str)
def test_what_cannot_be_written_whole_is_taken_back(
    make: Make, tmp_path: Path, script: tuple[int | OSError, ...]
) -> None:
    disk = Disk()
    writer = make(disk=disk)
    writer.write(b"before\n")
    disk.script = list(script)
    with pytest.raises(OSError, match=r"No space left|the disk took no byte"):
        writer.write(b"lost, all of it\n")
    assert texts(tmp_path) == [b"before\n"]
    writer.write(b"after\n")
    assert texts(tmp_path) == [b"before\nafter\n"]


def test_nothing_is_written_behind_a_rest_that_cannot_be_taken_back(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    writer = make(disk=disk)
    writer.write(b"before\n")

    def refuse(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(module.os, "ftruncate", refuse)
        disk.script = [4, FULL]
        with pytest.raises(OSError, match="No space left"):
            writer.write(b"lost\n")
        with pytest.raises(OSError, match="cannot be taken back"):
            writer.write(b"too early\n")
        assert texts(tmp_path) == [b"before\nlost"]
    writer.write(b"after\n")
    assert texts(tmp_path) == [b"before\nafter\n"]


def test_a_segment_ends_before_it_would_be_too_large_and_batches_stay_whole(make: Make, tmp_path: Path) -> None:
    writer = make(Rotation(10, 3600.0))
    for batch in (b"1234\n", b"5678\n", b"9\n", b"a batch beyond the limit\n", b"z\n"):
        writer.write(batch)
    assert texts(tmp_path) == [b"1234\n5678\n", b"9\n", b"a batch beyond the limit\n", b"z\n"]


@pytest.mark.parametrize("step_s", [60.0, -60.0], ids=["time passes", "the clock is set back"])
def test_a_segment_ends_at_its_age(make: Make, tmp_path: Path, step_s: float) -> None:
    clock = Clock()
    writer = make(Rotation(1 << 20, 30.0), clock=clock)
    writer.write(b"a\n")
    clock.now += step_s
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"a\n", b"b\n"]


def test_an_idle_segment_is_closed_at_its_age_too(make: Make) -> None:
    clock = Clock()
    writer = make(Rotation(1 << 20, 30.0), clock=clock)
    writer.write(b"a\n")
    path = writer.path
    writer.close_if_old()
    assert writer.path == path
    clock.now += 31
    writer.close_if_old()
    assert writer.path is None


def test_a_deleted_file_is_begun_anew(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a\n")
    assert writer.path is not None
    writer.path.unlink()
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"b\n"]


def test_a_deleted_directory_is_made_anew(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a\n")
    (tmp_path / "log").rename(tmp_path / "moved away")
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"b\n"]


def test_a_file_put_in_its_place_is_left_alone(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a\n")
    assert writer.path is not None
    first = writer.path
    first.rename(tmp_path / "kept")
    first.write_bytes(b"somebody else's\n")
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"somebody else's\n", b"b\n"]


def test_a_file_that_somebody_emptied_goes_on(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a long line\n")
    assert writer.path is not None
    os.truncate(writer.path, 0)
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"b\n"]


def test_a_link_in_the_directory_is_not_followed(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "victim"
    target.write_bytes(b"precious\n")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "pairs-20260301T140000Z-0-1-000001.jsonl").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        make().adopt()
    assert target.read_bytes() == b"precious\n"


# -- what a dead writer left ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b"a\nb\n", b"a\nb\n"),
        (b"a\nb", b"a\n"),
        (b"torn", b""),
        (b"", b""),
        (b"a\n" + bytes(70_000), b"a\n"),
        (b"a\n" + b"x" * (3 << 20), b"a\n"),  # longer than a block of the search
    ],
    ids=["whole", "torn", "one torn line", "empty", "room reserved", "long"],
)
def test_an_unfinished_line_is_cut_off_before_anything_is_written(
    make: Make, tmp_path: Path, left: bytes, kept: bytes
) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "pairs-20260301T140000Z-0-1-000007.jsonl"
    path.write_bytes(left)
    writer = make(clock=Clock())
    assert writer.adopt() == path
    assert path.read_bytes() == kept
    writer.write(b"next\n")
    assert texts(tmp_path) == [kept + b"next\n"]


def test_a_segment_whose_writer_lives_is_left_alone(make: Make, tmp_path: Path) -> None:
    living = make()
    living.write(b"a\n")
    other = make()
    assert other.adopt() is None
    other.write(b"b\n")
    living.write(b"c\n")
    assert texts(tmp_path) == [b"a\nc\n", b"b\n"]


def test_the_newest_segment_of_the_slot_is_taken_over_when_its_writer_is_dead(make: Make, tmp_path: Path) -> None:
    dead = make(Rotation(4, 3600.0))
    dead.write(b"a\n")
    dead.write(b"bb\n")
    newest = dead.path
    neighbour = make(slot=1)
    neighbour.write(b"other slot\n")
    die(dead)
    writer = make()
    assert writer.adopt() == newest
    writer.write(b"c\n")
    assert texts(tmp_path) == [b"a\n", b"bb\nc\n", b"other slot\n"]


def test_counters_go_on_over_lives(make: Make, tmp_path: Path) -> None:
    for _ in range(3):
        writer = make()
        writer.write(b"a\n")
        writer.close()
    assert [segment.name.counter for segment in segments(tmp_path / "log", "pairs")] == [1, 2, 3]


def test_there_is_nothing_to_take_over_in_a_new_directory(make: Make) -> None:
    assert make().adopt() is None


def test_an_adopted_segment_keeps_its_age(make: Make, tmp_path: Path) -> None:
    clock = Clock()
    dead = make(Rotation(1 << 20, 30.0), clock=clock)
    dead.write(b"a\n")
    die(dead)
    clock.now += 31
    writer = make(Rotation(1 << 20, 30.0), clock=clock)
    writer.adopt()
    writer.write(b"b\n")
    assert texts(tmp_path) == [b"a\n", b"b\n"]


# -- looking -------------------------------------------------------------------------------------------------------


def test_probing_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.probe()
    writer.close_if_empty()
    assert texts(tmp_path) == []
    writer.write(b"a\n")
    writer.probe()
    writer.close_if_empty()
    assert texts(tmp_path) == [b"a\n"]


def test_probing_tells_that_there_is_no_room(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make()
    writer.write(b"a\n")

    def refuse(fd: int, offset: int, size: int) -> None:
        raise FULL

    monkeypatch.setattr(module.os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space left"):
        writer.probe()
    assert texts(tmp_path) == [b"a\n"]


def test_a_segment_is_open_while_its_writer_has_it(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.write(b"a\n")
    [segment] = segments(tmp_path / "log", "pairs")
    assert is_open(segment)
    writer.close()
    assert not is_open(segment)
    segment.path.unlink()
    assert not is_open(segment)


def test_closing_an_empty_segment_removes_it(make: Make, tmp_path: Path) -> None:
    writer = make()
    writer.probe()
    writer.close()
    writer.close()
    assert texts(tmp_path) == []


def test_the_end_of_lines_is_found_in_any_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TAIL_BLOCK", 4)
    path = tmp_path / "file"
    for data, expected in [(b"", 0), (b"ab\n", 3), (b"ab\ncdefghij", 3), (b"abcdefghij", 0), (b"abc\n" + b"x" * 8, 4)]:
        path.write_bytes(data)
        fd = os.open(path, os.O_RDONLY)
        try:
            assert end_of_lines(fd) == expected
        finally:
            os.close(fd)
