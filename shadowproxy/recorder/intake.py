"""Bytes from workers, taken in turns.

Law: what a worker sends is read only as fast as it is worked off. A connection holds at most `MAX_INBOX` bytes (and one
unfinished frame) that were not worked off yet, then it is not read until half of them are gone; the worker notices by
its socket's buffer and keeps its pairs. Connections take turns of `TURN_S`, and between two rounds the event loop gets
its say: one busy worker delays neither another one nor a heartbeat. What came may wait `Turns.gather_s` for more of it:
a few frames cost most by finding the caches full of what others did. Who begins, ends, or has sent `MUCH` waits for
nothing.

Acknowledgements do not go through the transport: an event loop closes a transport at once when writing fails, and what
a worker that was killed had sent would be lost unread
(test_what_lies_in_the_socket_when_a_worker_dies_is_still_written).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

from shadowproxy.pairlog.marks import NOTHING, Mark
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.recorder.plan import Plan

MAX_INBOX: Final = 1 << 20  # bytes
MUCH: Final = MAX_INBOX // 4  # bytes; who has sent so much waits for nothing
MAX_UNREAD_ACKS: Final = 1 << 20  # bytes; a worker that reads no acknowledgements is of no more use
ACK_AGAIN_S: Final = 0.02
TURN_S: Final = 0.004
CLOCK_EVERY: Final = 16  # frames between two looks at the clock


class Connection(asyncio.Protocol):
    """One worker's socket. `worker` and `boot` are known after its HELLO."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._transport: asyncio.Transport | None = None
        self._frames = _Frames()
        self._paused = False
        self._ended = False
        self._fd = -1
        self._unsent = bytearray()  # acknowledgements
        self._again: asyncio.TimerHandle | None = None
        self.worker = -1
        self.boot = 0
        self.mark: Mark = NOTHING
        self.plans: dict[int, Plan] = {}  # by generation

    # -- called by the event loop ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._fd = self._transport.get_extra_info("socket").fileno()
        self._turns.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._frames.put(data)
        if not self._paused and self._frames.backlog >= MAX_INBOX and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._turns.want(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What it sent before is still worked off."""
        self._transport = None
        self._fd = -1
        self._ended = True
        if self._again is not None:
            self._again.cancel()
        self._turns.want(self)

    # -- called by whoever works the frames off --------------------------------------------------------------------

    def next_frame(self) -> frames.Frame | None:
        """Raises FrameError when the peer is no worker."""
        frame = self._frames.next()
        if self._paused and self._frames.backlog < MAX_INBOX // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return frame

    def acknowledge(self, seq: int, status: int) -> None:
        if self._fd >= 0:
            self._unsent += frames.ack(seq, status)
            self._send()

    def _send(self) -> None:
        if self._fd < 0:
            return
        try:
            del self._unsent[: os.write(self._fd, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            # Nobody listens any more. What was sent before is still read, to its end.
            self._fd = -1
            return
        if len(self._unsent) > MAX_UNREAD_ACKS and self._transport is not None:
            self._transport.abort()
        elif self._unsent and self._again is None:
            self._again = asyncio.get_running_loop().call_later(ACK_AGAIN_S, self._send_again)

    def _send_again(self) -> None:
        self._again = None
        self._send()

    def discard(self) -> None:
        """Forget what it sent and was not worked off: it will come again."""
        self._frames = _Frames()
        self._fd = -1
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_held(self) -> bool:
        return self._paused

    @property
    def is_urgent(self) -> bool:
        """Whether it should not wait for more: it begins or ends, or has sent much."""
        return self.boot == 0 or self._ended or self._frames.held >= MUCH

    @property
    def is_over(self) -> bool:
        return self._ended


class _Frames:
    """Chunks in, frames out, one at a time.

    The decoder copies what it holds with each chunk that it is given, so the chunks of a long frame wait here for the
    last one: 64 MiB in chunks of 208 KiB would else be copied 160 times on average.
    """

    __slots__ = ("_chunks", "_data", "_decoder", "_iterator", "_need", "_start", "_waiting", "held")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._waiting = 0  # bytes in `_chunks`
        self._need = 1  # bytes after which it is worth while to ask the decoder
        self._decoder = frames.Decoder()
        self._iterator: Iterator[frames.Frame] | None = None
        self._data = b""  # what the decoder works on
        self._start = b""  # up to four bytes of the frame that it could not finish
        self.held = 0  # bytes that are not worked off

    @property
    def backlog(self) -> int:
        """Bytes that could be worked off now: none of them belong to a frame whose rest must be read first."""
        return self.held if self._iterator is not None or self._waiting >= self._need else 0

    def put(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting += len(data)
        self.held += len(data)

    def next(self) -> frames.Frame | None:
        while True:
            if self._iterator is not None:
                frame = next(self._iterator, None)
                if frame is not None:
                    return frame
                self._finish()
            if self._waiting < self._need:
                return None
            self._data = b"".join(self._chunks) if len(self._chunks) > 1 else self._chunks[0]
            self._chunks = []
            self._waiting = 0
            self._iterator = self._decoder.feed(self._data)

    def _finish(self) -> None:
        """The decoder has no further frame: how many bytes until the next is whole?"""
        self._iterator = None
        self.held = self._waiting
        pending = self._decoder.pending
        data = self._data
        self._start = data[len(data) - pending :][:4] if pending <= len(data) else (self._start + data)[:4]
        self._need = 4 + int.from_bytes(self._start, "little") - pending if len(self._start) == 4 else 1
        # A length that is none would be waited for in vain: the decoder refuses it at the next byte.
        if self._need > frames.MAX_FRAME:
            self._need = 1
        self._data = b""


class Turns:
    """Who has something to be worked off, in the order of asking. `work(connection)` does one frame: False for none."""

    def __init__(self, work: Callable[[Connection], bool], over: Callable[[Connection], None]) -> None:
        self.connections: set[Connection] = set()
        self._work = work
        self._over = over
        self.gather_s = 0.0  # how long what came may wait for more of it
        self._waiting: deque[Connection] = deque()
        self._scheduled = False
        self._later: asyncio.TimerHandle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether some worker is read more slowly than it sends."""
        return any(connection.is_held for connection in self.connections)

    def want(self, connection: Connection) -> None:
        if connection not in self._waiting:
            self._waiting.append(connection)
        if self.gather_s <= 0 or connection.is_urgent:
            self._schedule()
        elif self._later is None and not self._scheduled:
            self._later = asyncio.get_running_loop().call_later(self.gather_s, self._schedule)

    def _schedule(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        self._scheduled = False
        for _ in range(len(self._waiting)):
            connection = self._waiting.popleft()
            if self._turn(connection):
                self._waiting.append(connection)
            elif connection.is_over and connection in self.connections:
                self.connections.discard(connection)
                self._over(connection)
        if self._waiting:
            self._schedule()

    def _turn(self, connection: Connection) -> bool:
        """Whether there may be more."""
        until = perf_counter() + TURN_S
        while True:
            for _ in range(CLOCK_EVERY):
                if not self._work(connection):
                    return False
            if perf_counter() > until:
                return True
