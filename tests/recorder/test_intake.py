"""Bytes from workers: however they are cut, in turns, and only as fast as they are worked off."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop

from shadowproxy.recorder import intake
from shadowproxy.recorder.intake import MAX_INBOX, MUCH, Connection, Turns, _Frames
from shadowproxy.recorder.plans import Plans
from shadowproxy.recorder.recording import GATHER_S, Recording
from shadowproxy.recorder.writer import LogWriter
from shadowproxy.wire import frames
from tests.support import frames as f

SENT = [
    frames.hello(0, 1),
    frames.bye(),
    *(b"".join(frames.pack_pair(seq, f.pair(body=b"x" * size))) for seq, size in enumerate((0, 10, 5000, 100_000), 1)),
    frames.bye(),
]
STREAM = b"".join(SENT)


def decoded(chunks: list[bytes]) -> list[tuple[int, int, bytes]]:
    taken = _Frames()
    got = []
    for chunk in chunks:
        taken.put(chunk)
        while (frame := taken.next()) is not None:
            got.append((frame.kind, frame.seq, bytes(frame.payload)))
    assert taken.held == 0 or chunks[-1:] != [b""]
    return got


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 12, 13, 14, 1000, 70_000, len(STREAM)])
def test_frames_come_out_however_they_are_cut(size: int) -> None:
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    got = decoded(chunks)
    assert [kind for kind, _, _ in got] == [frames.HELLO, frames.BYE, *[frames.PAIR] * 4, frames.BYE]
    assert [seq for _, seq, _ in got] == [0, 0, 1, 2, 3, 4, 0]
    assert got == decoded([STREAM])


def test_random_cuts_give_the_same_frames() -> None:
    rng = random.Random(7)
    for _ in range(200):
        cuts = sorted(rng.sample(range(1, len(STREAM)), rng.randrange(1, 12)))
        chunks = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert decoded(chunks) == decoded([STREAM])


def test_a_tail_waits_for_the_rest() -> None:
    taken = _Frames()
    taken.put(frames.bye() + SENT[5][:50_000])
    assert taken.next() is not None
    assert taken.next() is None
    assert taken.held == 0, "an unfinished frame is no work"
    taken.put(SENT[5][50_000:])
    frame = taken.next()
    assert frame is not None
    assert frame.seq == 4


@pytest.mark.parametrize("cut", [3, 4, 5, 20])
def test_a_length_that_is_none_is_refused_at_once(cut: int) -> None:
    nonsense = frames.bye() + b"\xff" * 40
    with pytest.raises(frames.FrameError):
        decoded([nonsense[at : at + cut] for at in range(0, len(nonsense), cut)])


def test_a_long_frame_is_not_copied_with_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    real = frames.Decoder.feed

    def counting(self: frames.Decoder, data: bytes) -> object:
        fed.append(len(data))
        return real(self, data)

    monkeypatch.setattr(frames.Decoder, "feed", counting)
    long = b"".join(frames.pack_pair(1, f.pair(body=b"x" * (8 << 20))))
    assert len(decoded([long[at : at + 65536] for at in range(0, len(long), 65536)])) == 1
    assert len(fed) <= 3


# -- connections ---------------------------------------------------------------------------------------------------


class Desk:
    """Works frames off when it is allowed to; remembers whose they were."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.worked: list[int] = []
        self.over: list[Connection] = []
        self.turns = Turns(self.work, self.over.append)
        self.connections: list[Connection] = []

    def connection(self) -> Connection:
        self.connections.append(Connection(self.turns))
        return self.connections[-1]

    def work(self, connection: Connection) -> bool:
        if not self.open.is_set():
            return False
        frame = connection.next_frame()
        if frame is None:
            return False
        if frame.kind == frames.HELLO:
            connection.worker, connection.boot = frames.unpack_hello(frame.payload)
        elif frame.kind == frames.PAIR:
            self.worked.append(connection.worker)
            connection.acknowledge(frame.seq, 0)
        return True


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[tuple[Desk, Callable[[int], socket.socket]]]:
    desk = Desk()
    path = str(folder / "s")
    server = await asyncio.get_running_loop().create_unix_server(desk.connection, path)
    peers: list[socket.socket] = []

    def connect(worker: int) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peer.sendall(frames.hello(worker, 1))
        peer.setblocking(False)
        peers.append(peer)
        return peer

    try:
        yield desk, connect
    finally:
        for peer in peers:
            peer.close()
        server.close()
        await asyncio.sleep(0)


def run(scenario: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())  # type: ignore[arg-type]


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """TimeoutError at the deadline."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - conditions of many kinds, none of them an event
            await asyncio.sleep(0.002)
    assert condition(), what


def test_a_worker_is_read_only_as_fast_as_it_is_worked_off(tmp_path: Path) -> None:
    pair = b"".join(frames.pack_pair(1, f.pair(body=b"x" * 10_000)))

    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            peer = connect(0)
            await eventually(lambda: bool(desk.connections) and desk.connections[0].worker == 0, "HELLO")
            desk.open.clear()
            sent = 0
            quiet = 0
            while quiet < 20:
                try:
                    sent += peer.send(pair)
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                await asyncio.sleep(0.001)
            held = desk.connections[0]._frames.held
            assert MAX_INBOX <= held <= MAX_INBOX + (1 << 20)
            assert sent <= held + (2 << 20), "the rest lies in the socket's buffer, and the worker notices"
            desk.open.set()
            desk.turns.want(desk.connections[0])
            await eventually(lambda: len(desk.worked) >= sent // len(pair), "the rest")

    run(scenario)


def test_a_frame_larger_than_the_inbox_is_read_to_its_end(tmp_path: Path) -> None:
    long = b"".join(frames.pack_pair(1, f.pair(body=b"x" * (3 * MAX_INBOX))))

    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            peer = connect(0)
            async with asyncio.timeout(60):
                await asyncio.get_running_loop().sock_sendall(peer, long * 3)
            await eventually(lambda: len(desk.worked) == 3, "all")
            assert (desk.worked, desk.connections[0]._frames.held) == ([0, 0, 0], 0)

    run(scenario)


def test_a_busy_worker_does_not_delay_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "TURN_S", 0.0)  # the longest may be done with all its frames in a turn

    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            busy, quiet = connect(0), connect(1)
            await eventually(lambda: {c.worker for c in desk.connections} == {0, 1}, "HELLO")
            desk.open.clear()
            many = b"".join(frames.pack_pair(1, f.pair())) * 2000
            loop = asyncio.get_running_loop()
            flood = loop.create_task(loop.sock_sendall(busy, many))
            await loop.sock_sendall(quiet, b"".join(frames.pack_pair(1, f.pair())))
            await eventually(lambda: all(c._frames.held for c in desk.connections), "both waiting")
            desk.open.set()
            for connection in desk.connections:
                desk.turns.want(connection)
            await eventually(lambda: 1 in desk.worked, "the quiet one's turn")
            at = desk.worked.index(1)
            await eventually(lambda: len(desk.worked) == 2001, "all")
            await flood
            assert at < 2000
            assert Counter(desk.worked) == {0: 2000, 1: 1}

    run(scenario)


def test_what_came_waits_for_more_unless_somebody_begins_or_ends_or_sends_much(tmp_path: Path) -> None:
    one = b"".join(frames.pack_pair(1, f.pair()))

    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            desk.turns.gather_s = 3600.0
            short, busy = connect(0), connect(1)
            await eventually(lambda: {c.worker for c in desk.connections} == {0, 1}, "HELLO")
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(short, one)
            await eventually(lambda: any(c._frames.held for c in desk.connections), "read")
            assert desk.worked == []
            await loop.sock_sendall(busy, one * (MUCH // len(one) + 1))
            await eventually(lambda: desk.worked.count(1) > MUCH // len(one), "much")
            assert desk.worked.count(0) == 1, "whoever waits has a turn as well"
            await loop.sock_sendall(short, one)
            short.close()
            await eventually(lambda: desk.worked.count(0) == 2, "the end")

    run(scenario)


def test_gathering_is_part_of_the_time_in_which_lines_are_written(tmp_path: Path) -> None:
    snapshot = f.snapshot(str(tmp_path))
    emit = lambda *_, **__: None  # noqa: E731 - nobody listens
    recording = Recording(Plans(snapshot, emit), LogWriter(snapshot.pairs, 0, emit), 1.0, emit, lambda: None)
    assert recording.turns.gather_s == GATHER_S
    recording.flush_s = 0.01
    assert (recording.flush_s, recording.turns.gather_s) == (0.01, 0.0025)


def test_turns_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of work, without sockets: two connections with endless work take turns of equal length."""
    now = 0.0

    def clock() -> float:
        return now

    monkeypatch.setattr(intake, "perf_counter", clock)
    worked: list[str] = []

    async def scenario() -> None:
        nonlocal now

        def work(connection: str) -> bool:
            nonlocal now
            now += intake.TURN_S / 100
            worked.append(connection)
            return len(worked) < 2000

        turns = Turns(work, lambda connection: None)  # type: ignore[arg-type]
        turns.want("a")  # type: ignore[arg-type]
        turns.want("b")  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while len(worked) < 1000:  # noqa: ASYNC110 - each sleep is one turn of the loop
                await asyncio.sleep(0)

    run(scenario)
    runs = [1]
    for one, other in pairwise(worked[:900]):
        if one == other:
            runs[-1] += 1
        else:
            runs.append(1)
    assert set(runs[:-1]) == {112}, "a hundredth of a turn each, and a look at the clock after every 16"


def test_what_was_sent_before_the_end_is_worked_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            peer = connect(0)
            peer.sendall(b"".join(frames.pack_pair(1, f.pair())) * 50)
            peer.close()
            await eventually(lambda: bool(desk.over), "the end")
            assert (len(desk.worked), desk.turns.connections) == (50, set())

    run(scenario)


def test_a_worker_that_reads_no_acknowledgements_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_UNREAD_ACKS", 10_000)

    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            connect(0)
            await eventually(lambda: bool(desk.connections) and desk.connections[0].worker == 0, "HELLO")
            connection = desk.connections[0]
            for seq in range(1_000_000):
                connection.acknowledge(seq, 0)
                if len(connection._unsent) > 10_000:
                    break
            await eventually(lambda: bool(desk.over), "the end")
            assert len(connection._unsent) <= 10_014

    run(scenario)


def test_acknowledgements_wait_for_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (desk, connect):
            peer = connect(0)
            await eventually(lambda: bool(desk.connections) and desk.connections[0].worker == 0, "HELLO")
            connection = desk.connections[0]
            seq = 0
            while not connection._unsent:
                seq += 1
                connection.acknowledge(seq, 0)
            decoder = frames.Decoder()
            got: list[int] = []
            async with asyncio.timeout(60):
                while not got or got[-1] < seq:
                    data = await asyncio.get_running_loop().sock_recv(peer, 1 << 16)
                    got += [frame.seq for frame in decoder.feed(data)]
            assert got == list(range(1, seq + 1))

    run(scenario)
