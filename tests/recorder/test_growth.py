"""A recorder holds no more the more it has logged: counted, not timed."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from pathlib import Path

from shadowproxy.core.outcome import LOGGED
from shadowproxy.recorder import heads
from shadowproxy.recorder.plans import Plans
from shadowproxy.recorder.recording import Recording
from shadowproxy.recorder.writer import LogWriter
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.support import frames as f

Make = Callable[[int], frames.Pair]


def alike(number: int) -> frames.Pair:
    other = b'{"label":"a"}' if number % 2 else b'{"label":"b","p":[0.5,0.25]}'
    return f.pair(f.exchange(ms=number % 50 + 1.0), f.candidate(0, other), id=b"%d" % number)


def unlike(number: int) -> frames.Pair:
    """Heads, bodies, decisions and targets that never come again."""
    fields = ("Content-Type: application/json", f"X-Number: {number}")
    body = b'{"label":"%d","x%d":%d.5}' % (number, number, number)
    return f.pair(
        f.exchange(body=body, fields=fields),
        f.candidate(0, body if number % 2 else body + b" ", fields=fields),
        f.candidate(1, body.replace(b".5", b".25"), fields=fields),
        head=f.head(*fields, first=f"POST /predict/{number} HTTP/1.1"),
        id=b"%d" % number,
    )


async def _objects(
    recording: Recording, snapshot: settings.Snapshot, make: Make, portions: tuple[int, ...]
) -> list[int]:
    """How many there are after each portion of pairs, all of them acknowledged."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    await loop.connect_accepted_socket(recording.connection, theirs)
    await loop.sock_sendall(ours, frames.hello(0, f.BOOT) + frames.config(settings.encode(snapshot), 1))
    decoder = frames.Decoder()
    seq, acknowledged, found = 0, -1, []
    for portion in portions:
        for _ in range(portion):
            seq += 1
            await loop.sock_sendall(ours, b"".join(frames.pack_pair(seq, make(seq))))
        while acknowledged < seq:
            for frame in decoder.feed(await loop.sock_recv(ours, 1 << 16)):
                assert frames.unpack_ack(frame.payload) == LOGGED
                acknowledged = frame.seq
        recording.tallies.stats(0)  # as each second: what was observed is folded
        found.append(len(gc.get_objects()))
    ours.close()
    return found


def _counted(folder: Path, make: Make, portions: tuple[int, ...]) -> tuple[list[int], Plans]:
    snapshot = f.snapshot(str(folder), candidates=2)
    plans = Plans(snapshot, lambda *_, **__: None)
    writer = LogWriter(snapshot.pairs, 0, lambda *_, **__: None)
    recording = Recording(plans, writer, 0.01, lambda *_, **__: None, lambda: None)
    gc.collect()
    gc.disable()  # what reference counting does not free shows
    try:
        return asyncio.run(_objects(recording, snapshot, make, portions)), plans
    finally:
        gc.enable()
        writer.close()


def test_a_recorder_holds_no_more_objects_after_a_thousand_pairs(tmp_path: Path) -> None:
    (few, many), _ = _counted(tmp_path, alike, (200, 1000))
    assert abs(many - few) < 50  # one for twenty pairs


def test_what_never_comes_again_is_remembered_within_bounds(tmp_path: Path) -> None:
    counts, plans = _counted(tmp_path, unlike, (1500, 1500))
    (plan,) = plans._by_bytes.values()
    (route,) = plan.routes
    assert len(plan.requests) <= heads._REMEMBERED_HEADS
    assert len(route.heads) <= heads._REMEMBERED_HEADS
    assert len(heads._known) <= heads._REMEMBERED
    assert len(route.rules.by_request) <= 1024
    assert len(route.rules.by_headers) <= 256
    assert len(route.repeats) <= 1024
    # Caches that are emptied when they are full stand anywhere between: in none of them are so many objects.
    assert counts[1] - counts[0] < 15_000
