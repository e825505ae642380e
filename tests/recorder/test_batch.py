"""What a batch writes, and what the workers are told: runs of one status, in order."""

from __future__ import annotations

from shadowproxy.core.outcome import DISK, LOGGED, QUEUE_FULL, RECORDER_LOST
from shadowproxy.recorder.batch import Batch, Entry, acknowledge
from shadowproxy.recorder.lines import Line


class Ear:
    """In place of a connection."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def acknowledge(self, seq: int, status: int) -> None:
        self.heard.append((seq, status))


def entry(ear: Ear, seq: int, status: int = LOGGED, lines: tuple[Line, ...] = ()) -> Entry:
    return Entry(ear, seq, status, lines)  # type: ignore[arg-type]


LINE = Line("v2", b"{}\n", "same", True, "v2-1")


def test_neighbours_of_one_status_are_acknowledged_together() -> None:
    one, other = Ear(), Ear()
    entries = [
        entry(one, 1), entry(other, 1), entry(one, 2), entry(one, 4, RECORDER_LOST), entry(one, 5, RECORDER_LOST),
        entry(other, 2), entry(one, 6),
    ]  # fmt: skip
    acknowledge(entries)
    assert one.heard == [(2, LOGGED), (5, RECORDER_LOST), (6, LOGGED)]
    assert other.heard == [(2, LOGGED)]


def test_lines_stand_in_the_order_in_which_they_came() -> None:
    batch = Batch()
    for number in range(3):
        batch.add(entry(Ear(), number, LOGGED, (LINE._replace(data=b"%d\n" % number), LINE._replace(data=b"x\n"))))
    assert batch.data == b"0\nx\n1\nx\n2\nx\n"
    assert batch.size_bytes == len(batch.data)


def test_a_failed_write_says_so_of_every_pair_that_had_lines() -> None:
    batch = Batch()
    ear = Ear()
    for one in (
        entry(ear, 1, LOGGED, (LINE,)),
        entry(ear, 2),
        entry(ear, 3, QUEUE_FULL),
        entry(ear, 4, LOGGED, (LINE,)),
    ):
        batch.add(one)
    assert [one.status for one in batch.settled(True)] == [LOGGED, LOGGED, QUEUE_FULL, LOGGED]
    assert [one.status for one in batch.settled(False)] == [DISK, LOGGED, QUEUE_FULL, DISK]
