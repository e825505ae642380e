"""The line to the recorder, against a recorder made of a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from shadowproxy.core.budget import Budget
from shadowproxy.core.ledger import Row
from shadowproxy.core.outcome import COMPLETE, DISK, LOGGED
from shadowproxy.proxy import recording as r
from shadowproxy.proxy.recording import Recording
from shadowproxy.wire import frames
from tests.proxy.world import FakeTransport

LIMIT = 1 << 20


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r, "FLUSH_S", 0.0)


class Line:
    """A recording with its budget and one ledger row."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.budget = Budget(limit)
        self.row = Row()
        self.starts = 0
        self.recording = Recording(
            "/nowhere", 3, 77, self.budget, lambda generation: b'{"generation": %d}' % generation
        )
        self.recording.start = self._start  # type: ignore[method-assign]

    def _start(self) -> None:
        self.starts += 1

    def connect(self) -> Recorder:
        return Recorder(self.recording)

    def offer(self, size: int = 100, generation: int = 1) -> bool:
        self.row.sent += 1
        seq = self.recording.next_seq()
        body = b"%06d" % seq + bytes(size)
        parts: list[bytes | bytearray] = [body]
        frame = frames.pack_pair(seq, frames.Pair(generation, 0, 0, 0, 0, b"", b"", parts[0], 0, ()))
        return self.recording.offer(seq, generation, frame, sum(map(len, frame)), [(self.row, COMPLETE)])


class Settled:
    """A pair whose exchanges have ended, which offers itself when it is asked to."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def pack(self) -> None:
        self._line.offer()


class Broken:
    def pack(self) -> None:
        raise ZeroDivisionError


class Recorder:
    """The other end: what came, and acknowledgements."""

    def __init__(self, recording: Recording) -> None:
        self.transport = FakeTransport(recording)
        self._decoder = frames.Decoder()

    def ack(self, seq: int, status: int = LOGGED) -> None:
        self.transport.receive(frames.ack(seq, status))

    def frames(self) -> Iterator[tuple[int, int]]:
        """(kind, seq) of what has come since the last look."""
        data = bytes(self.transport.written)
        self.transport.written.clear()
        for frame in self._decoder.feed(data):
            yield frame.kind, frame.seq

    def pairs(self) -> list[int]:
        return [seq for kind, seq in self.frames() if kind == frames.PAIR]


async def flushed() -> None:
    for _ in range(3):
        await asyncio.sleep(0.001)


async def test_it_says_hello_and_sends_nothing_else_before_it_is_greeted() -> None:
    line = Line()
    line.offer()
    recorder = line.connect()
    await flushed()
    (frame,) = frames.Decoder().feed(bytes(recorder.transport.written))
    assert (frame.kind, frames.unpack_hello(frame.payload)) == (frames.HELLO, (3, 77))
    recorder.transport.written.clear()
    recorder.ack(0)
    assert list(recorder.frames()) == [(frames.CONFIG, 1), (frames.PAIR, 1)]


async def test_a_configuration_is_said_once_before_the_first_pair_that_names_it() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    for generation in (1, 1, 2, 1):
        line.offer(generation=generation)
    await flushed()
    kinds = [(kind, seq) for kind, seq in recorder.frames() if kind != frames.HELLO]
    assert kinds == [
        (frames.CONFIG, 1),
        (frames.PAIR, 1),
        (frames.PAIR, 2),
        (frames.CONFIG, 2),
        (frames.PAIR, 3),
        (frames.PAIR, 4),
    ]


async def test_an_acknowledgement_settles_every_pair_up_to_it_and_gives_their_bytes_back() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    for _ in range(5):
        assert line.offer()
    held = line.budget.held
    assert held == line.recording.bytes > 500
    recorder.ack(3)
    assert (line.row.logged, line.row.in_flight) == (3, 2)
    assert line.budget.held == line.recording.bytes == held * 2 // 5
    recorder.ack(5, DISK)
    assert line.row.unlogged[DISK] == 2
    assert line.budget.held == line.recording.bytes == 0
    recorder.ack(5)  # again: nothing is left to settle
    assert line.row.logged == 3


async def test_what_is_not_acknowledged_is_sent_again_to_the_recorder_that_comes_next() -> None:
    line = Line()
    first = line.connect()
    first.ack(0)
    for _ in range(4):
        line.offer()
    await flushed()
    assert first.pairs() == [1, 2, 3, 4]
    first.ack(1)
    first.transport.lose()
    assert line.starts == 1
    line.offer()
    second = line.connect()
    second.ack(3)  # what the log holds: 2 and 3 were written, and the acknowledgement was lost
    assert line.row.logged == 3
    assert [seq for seq in second.pairs() if seq] == [4, 5]
    second.ack(5)
    assert line.row.logged == 5
    assert line.budget.held == 0


async def test_a_pair_that_does_not_fit_is_lost_and_counted() -> None:
    line = Line(limit=20_000)
    taken = [line.offer(2_000) for _ in range(8)]
    assert taken == [True] * 4 + [False] * 4  # half of the budget
    assert line.row.unlogged[1] == 4
    assert line.row.in_flight == 4
    assert line.budget.held <= 10_000


async def test_a_budget_that_is_used_up_elsewhere_leaves_no_room() -> None:
    line = Line(limit=20_000)
    assert line.budget.take(19_500)
    assert not line.offer(1_000)
    assert line.budget.held == 19_500


async def test_it_is_behind_when_half_of_what_may_wait_is_waiting() -> None:
    line = Line(limit=40_000)
    behind = []
    for _ in range(6):
        line.offer(2_000)
        behind.append(line.recording.is_behind)
    assert behind == [False] * 4 + [True] * 2  # 5 × 2.1 kB is more than a quarter of 40 kB


async def test_a_number_that_was_lost_is_a_gap_that_acknowledgements_pass() -> None:
    line = Line(limit=20_000)
    recorder = line.connect()
    recorder.ack(0)
    line.offer(100)
    line.offer(9_990)
    line.offer(100)
    await flushed()
    assert recorder.pairs() == [1, 3]
    recorder.ack(3)
    assert line.row.logged == 2
    assert line.row.in_flight == 0


async def test_a_full_socket_leaves_the_rest_in_the_ring() -> None:
    line = Line(limit=64 << 20)
    recorder = line.connect()
    recorder.ack(0)
    recorder.transport.peer_reads = False
    for _ in range(20):
        line.offer(1 << 20)
    await flushed()
    sent = recorder.pairs()
    assert 4 <= len(sent) <= 6  # 4 MiB, and what was under way
    recorder.transport.peer_reads = True
    recorder.transport.read_all()
    await flushed()
    assert sent + recorder.pairs() == list(range(1, 21))


async def test_large_frames_are_not_copied_and_small_ones_are_one_buffer() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    line.offer(100)
    line.offer(r.BATCH + 1)
    small, large = line.recording._ring
    assert isinstance(small.buffers, bytes)
    assert isinstance(large.buffers, list)
    await flushed()
    assert recorder.pairs() == [1, 2]


async def test_totals_go_to_a_recorder_that_has_greeted() -> None:
    line = Line()
    line.recording.send_ledger(b"[]")
    recorder = line.connect()
    line.recording.send_ledger(b"[]")
    assert [kind for kind, _ in recorder.frames()] == [frames.HELLO]
    recorder.ack(0)
    line.recording.send_ledger(b"[]")
    assert [kind for kind, _ in recorder.frames()] == [frames.LEDGER]


# -- the end


async def test_a_drain_waits_for_as_long_as_acknowledgements_come() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    for _ in range(4):
        line.offer()
    task = asyncio.create_task(line.recording.drain(5.0))
    for seq in (1, 2, 3):
        await flushed()
        assert not task.done()
        recorder.ack(seq)
    await flushed()
    assert not task.done()
    recorder.ack(4)
    assert await task == 0
    assert line.row.logged == 4


async def test_a_recorder_that_comes_back_within_a_drain_is_waited_for() -> None:
    line = Line()
    line.offer()
    task = asyncio.create_task(line.recording.drain(5.0))
    await flushed()
    recorder = line.connect()
    recorder.ack(0)  # it greets: no pair is settled yet
    await flushed()
    assert not task.done()
    recorder.ack(1)
    assert await task == 0


async def test_what_no_recorder_takes_is_lost_and_counted() -> None:
    line = Line()
    for _ in range(3):
        line.offer()
    assert await line.recording.drain(0.01) == 3
    assert line.row.unlogged[1] == 3
    assert line.budget.held == line.recording.bytes == 0
    assert set(line.recording.generations()) == set()


async def test_a_drain_without_pairs_does_not_wait() -> None:
    assert await Line().recording.drain(100.0) == 0


async def test_it_says_goodbye_with_its_last_totals() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    await line.recording.close(b'[{"last": 1}]')
    assert [kind for kind, _ in recorder.frames()] == [frames.HELLO, frames.LEDGER, frames.BYE]
    assert recorder.transport.lost
    assert line.starts == 0  # and does not come back


async def test_it_keeps_trying_until_there_is_a_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    tried: list[str] = []
    connected = asyncio.Event()

    async def connection(factory: Any, path: str) -> None:
        tried.append(path)
        if len(tried) < 4:
            raise ConnectionRefusedError
        FakeTransport(factory())
        connected.set()

    monkeypatch.setattr(loop, "create_unix_connection", connection)
    monkeypatch.setattr(r, "RETRY_S", (0.0, 0.0))
    recording = Recording("/there", 0, 0, Budget(LIMIT), lambda generation: b"")
    recording.start()
    async with asyncio.timeout(5):
        await connected.wait()
    assert tried == ["/there"] * 4


async def test_pairs_that_settled_are_packed_together() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    for _ in range(r.TOGETHER - 1):
        line.recording.settle(Settled(line))
    assert line.recording.bytes == 0
    line.recording.settle(Settled(line))
    assert line.recording.bytes > 100 * r.TOGETHER
    await flushed()
    assert recorder.pairs() == list(range(1, r.TOGETHER + 1))


async def test_a_pair_that_settled_alone_goes_by_itself_soon() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    line.recording.settle(Settled(line))
    await flushed()
    assert recorder.pairs() == [1]


async def test_what_settled_while_no_recorder_was_there_goes_to_the_one_that_comes() -> None:
    line = Line()
    for _ in range(3):
        line.recording.settle(Settled(line))
    recorder = line.connect()
    recorder.ack(0)
    assert recorder.pairs() == [1, 2, 3]


async def test_what_has_settled_when_the_worker_ends_is_waited_for() -> None:
    line = Line()
    recorder = line.connect()
    recorder.ack(0)
    for _ in range(3):
        line.recording.settle(Settled(line))
    draining = asyncio.ensure_future(line.recording.drain(5.0))
    await flushed()
    recorder.ack(3)
    assert await draining == 0
    assert line.row.logged == 3


async def test_a_pair_that_cannot_be_packed_costs_no_other() -> None:
    line = Line()
    line.recording.settle(Broken())
    line.recording.settle(Settled(line))
    with pytest.raises(ZeroDivisionError):
        line.recording.pack()
    line.recording.pack()
    assert line.recording.bytes > 100
