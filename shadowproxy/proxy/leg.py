"""One copy of one request, and the connection to the candidate that carries it.

Law: nobody ever waits for a leg. Each that was started ends in exactly one outcome, by `Leg.finish`.
"""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.core import outcome as o
from shadowproxy.core.breaker import CLOSED
from shadowproxy.core.budget import OVERHEAD
from shadowproxy.http1.answer import AnswerHead
from shadowproxy.http1.chunked import MANY
from shadowproxy.proxy.pool import Pool
from shadowproxy.proxy.reads import READ, ReadBudget
from shadowproxy.proxy.timers import SECOND_NS
from shadowproxy.proxy.upstream import CLOSE, HEAD, IDLE, LENGTH, UpstreamConnection
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.proxy.runtime import Entry

CHUNKS: Final = 128  # that a leg reads in one turn, more or less: tiny ones cost by their number, 1 µs each
LEAST: Final = 512  # bytes that it reads even so
ANSWER_RESERVE: Final = 4096  # bytes of each answer that are taken from the budget when the copy leaves
JOINED: Final = 16 << 10  # a head and a body up to this length leave as one buffer
MAX_ARRIVALS: Final = 1 << 16  # pieces of a stream whose arrival is kept, each of which costs OVERHEAD


class MirrorConnection(UpstreamConnection, asyncio.BufferedProtocol):
    """Reads through one buffer that all legs of a worker share, so that one read is at most `READ` bytes.

    Who sends tiny chunks gets less of the buffer, and a turn ends with each read: bytes alone do not bound the CPU that
    an answer takes (test_a_flood_of_tiny_chunks_is_read_by_the_chunk).
    """

    def __init__(self, pool: Pool[MirrorConnection], reads: ReadBudget) -> None:
        super().__init__(pool)
        self.leg: Leg | None = None
        self.paused_ns = 0  # when its turn of the read budget ended, 0 while it reads
        self._reads = reads
        self._buffer = reads.buffer

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        reads = self._reads
        reads.spend(self, nbytes)
        state, leg = self.state, self.leg
        if state == HEAD:
            self._read_head(bytes(reads.buffer[:nbytes]))
        elif leg is not None and leg.truncated and (state == CLOSE or (state == LENGTH and nbytes < self._left)):
            self._left -= nbytes
            leg.passed_by(nbytes)
        else:
            self.data_received(bytes(reads.buffer[:nbytes]))

    def _read_chunks(self, data: bytes) -> None:
        super()._read_chunks(data)
        decoder = self._decoder
        if decoder is None:
            self._buffer = self._reads.buffer
            return
        chunks, reads = decoder.chunks, self._reads
        if chunks <= MANY or chunks * (READ // CHUNKS) <= len(data):
            self._buffer = reads.buffer
            return
        self._buffer = reads.buffer[: max(LEAST, min(READ, CHUNKS * len(data) // chunks))]
        if self.leg is not None and self.transport.is_reading():
            reads.spend(self, READ)

    def read_on(self) -> None:
        """Its next turn. That it was not read meanwhile is no slowness of the candidate's."""
        if self.leg is not None:
            self.leg.stalled_ns += perf_counter_ns() - max(self.paused_ns, self.leg.start_ns)
        self.transport.resume_reading()

    def whole(self, head: AnswerHead, body: bytes) -> None:
        if self.leg is not None:
            self.leg.whole(head, body)

    def began(self, head: AnswerHead, more: bool) -> None:
        if self.leg is not None:
            self.leg.began(head)

    def pieces(self, pieces: list[bytes]) -> None:
        if self.leg is not None:
            self.leg.pieces(pieces)

    def ended(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if self.leg is not None:
            self.leg.finish(o.COMPLETE)

    def failed(self, code: int, kind: str, detail: str) -> None:
        if self.leg is not None:
            self.leg.finish(code, detail)

    def pause_writing(self) -> None:
        """Nothing follows what is being written: there is nobody to pause."""

    def resume_writing(self) -> None:
        if self.leg is not None:
            self.leg.drained()

    def expired(self) -> None:
        if self.leg is not None:
            self.leg.expired()


class Leg:
    """One copy of one request: what was sent, what came back, and when."""

    __slots__ = (
        "_dialing",
        "arrivals",
        "asked",
        "body",
        "body_bytes",
        "connect_ns",
        "connection",
        "done",
        "entry",
        "error",
        "exchange",
        "first_byte_ns",
        "head",
        "mirror",
        "outcome",
        "sent_ns",
        "stalled_ns",
        "start_ns",
        "status",
        "total_ns",
        "truncated",
    )

    def __init__(self, entry: Entry, exchange: Exchange, asked: bytes | bytearray) -> None:
        self.entry = entry
        self.mirror = entry.mirror
        self.exchange = exchange
        self.asked = asked  # the copy's body: the client's own, shared, unless it was rewritten
        self.connection: MirrorConnection | None = None
        self._dialing: asyncio.Task[None] | None = None
        self.done = False
        self.outcome = 0
        self.status = 0
        self.head = b""
        self.body: bytes | bytearray = b""
        self.body_bytes = 0
        self.truncated = False
        self.error = ""
        self.arrivals: list[bytes] = []
        self.start_ns = 0
        self.connect_ns = self.sent_ns = self.first_byte_ns = self.total_ns = frames.UNKNOWN
        self.stalled_ns = 0

    def start(self) -> None:
        pool = self.mirror.pool
        now = self.start_ns = perf_counter_ns()
        connection = pool.take(now)
        if connection is not None:
            self.connect_ns = 0
            self._write(connection)
        else:
            self._dialing = pool.connect(self._connected, self._not_connected)

    def _connected(self, connection: MirrorConnection) -> None:
        self._dialing = None
        now = perf_counter_ns()
        if self.done:
            self.mirror.pool.give_back(connection, now)
            return
        self.connect_ns = now - self.start_ns
        self._write(connection)

    def _not_connected(self, code: int, kind: str, detail: str) -> None:
        self._dialing = None
        if not self.done:
            self.finish(code, detail)

    def _write(self, connection: MirrorConnection) -> None:
        self.connection = connection
        connection.leg = self
        exchange, entry = self.exchange, self.entry
        body = self.asked
        size = len(body)
        head = entry.plan.head(exchange, entry.role, size)
        connection.expect(exchange.plan.head_request)
        if size <= JOINED:
            connection.transport.write(head + body)
        else:
            # Said before the write, which may find the candidate full: `sent` is when the buffer has run empty.
            connection.transport.set_write_buffer_limits(high=0)
            connection.transport.writelines((head, body))
        now = perf_counter_ns()
        if not connection.has_unsent():
            self.sent_ns = now - self.start_ns
        # The deadline is the connection's: it is armed already more often than not, and then costs one assignment.
        mirror = self.mirror
        wait = mirror.first_look_ns - self.connect_ns
        mirror.timers.arm_from(now, connection, wait if wait > 0 else 0)

    def drained(self) -> None:
        """The last byte of a long request has gone to the kernel."""
        if self.sent_ns < 0:
            self.sent_ns = perf_counter_ns() - self.start_ns

    def whole(self, head: AnswerHead, body: bytes) -> None:
        now = perf_counter_ns()
        self.first_byte_ns = now - self.start_ns
        self.status = head.status
        self.head = head.raw
        if head.status == 101:
            self.finish(o.PROTOCOL_ERROR, "The upstream switched protocols without being asked to.")
            return
        size = len(body)
        if size <= self.mirror.small:
            self.body = body  # shared, and within what the budget gave when the copy left
            self.body_bytes = size
        else:
            self._keep(body)
            if size > self.mirror.settings.answer_up_to:
                self._too_long()
                return
        self.finish(o.COMPLETE, "", now)

    def began(self, head: AnswerHead) -> None:
        self.first_byte_ns = perf_counter_ns() - self.start_ns
        self.status = head.status
        self.head = head.raw
        self.body = bytearray()

    def pieces(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._keep(piece)
        arrivals = self.arrivals
        if not self.truncated and len(arrivals) < MAX_ARRIVALS and self.exchange.reserve(OVERHEAD):
            arrivals.append(frames.arrival(perf_counter_ns() - self.start_ns, min(self.body_bytes, 0xFFFFFFFF)))
        if self.body_bytes > self.mirror.settings.answer_up_to:
            self._too_long()

    def passed_by(self, size: int) -> None:
        """Of an answer that is no longer kept: counted, and not even copied out of the buffer that it was read into."""
        self.body_bytes += size
        if self.body_bytes > self.mirror.settings.answer_up_to:
            self._too_long()

    def _too_long(self) -> None:
        self.finish(o.TRUNCATED, f"The answer is longer than {self.mirror.settings.answer_up_to} bytes.")

    def _keep(self, piece: bytes) -> None:
        """Keep what fits into `keep_up_to` and the budget; count everything."""
        kept = len(self.body)
        self.body_bytes += len(piece)
        room = self.exchange.runtime.keep_up_to - kept
        if self.truncated or room <= 0:
            self.truncated = True
            return
        if len(piece) > room:
            piece = piece[:room]
            self.truncated = True
        if kept + len(piece) > ANSWER_RESERVE and not self.exchange.reserve(len(piece) + OVERHEAD):
            self.truncated = True
            return
        if kept:
            self.body += piece
        else:
            self.body = bytearray(piece) if isinstance(self.body, bytearray) else piece

    def expired(self) -> None:
        """`timeout: auto` depends on production's own time, which may not be known yet: look again until it is."""
        now = perf_counter_ns()
        left = self.mirror.time_left(self, now)
        if left <= 0:
            seconds = (now - self.start_ns) / SECOND_NS
            self.finish(o.TIMEOUT, f"No whole answer within {seconds:.3g} s.")
        else:
            assert self.connection is not None
            self.mirror.timers.arm_from(now, self.connection, left)

    def finish(self, outcome: int, error: str = "", now: int = 0) -> None:
        if self.done:
            return
        now = now or perf_counter_ns()
        self.done = True
        self.outcome = outcome
        self.error = error
        self.total_ns = now - self.start_ns
        mirror, exchange = self.mirror, self.exchange
        mirror.in_flight -= 1
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.leg = None
            connection.deadline = 0
            # What the candidate has not read of a long request would come before the next one.
            unsent = len(self.asked) > JOINED and connection.has_unsent()
            if outcome == o.COMPLETE and connection.state == IDLE and not unsent:
                mirror.pool.give_back(connection, now)
            else:
                connection.give_up()
        finished = mirror.finished
        finished[outcome] = finished.get(outcome, 0) + 1
        if outcome != o.COMPLETE or mirror.breaker.state != CLOSED:
            mirror.judge(outcome)
        exchange.leg_done()

    def pack(self, out: list[bytes | bytearray], arrival_ns: int) -> int:
        """Append this leg's part of the pair's frame; returns its length. (BODY_TRUNCATED is 1, as True is.)"""
        head, body = self.head, self.body
        n_head, n_body = len(head), len(body)
        error = self.error.encode()[: frames.MAX_ERROR] if self.error else b""
        came = b"".join(self.arrivals) if self.arrivals else b""
        out += (
            frames.exchange_head(
                self.entry.role,
                self.outcome,
                0,
                self.truncated | frames.WARMING if self.start_ns < self.mirror.warm_until_ns else self.truncated,
                self.status,
                self.start_ns - arrival_ns,
                self.connect_ns,
                self.sent_ns,
                self.first_byte_ns,
                self.total_ns,
                self.stalled_ns,
                n_head,
                n_body,
                self.body_bytes,
                len(error),
                len(came),
            ),
            head,
            body,
            error,
            came,
        )
        return frames.EXCHANGE_BYTES + n_head + n_body + len(error) + len(came)


def give_up_all() -> None:
    """End every copy that is under way, for the worker ends: not the candidate's fault, so it counts as no error.

    They are looked for among all objects, this once, so that no copy has to be entered into a list and taken out again.
    """
    for leg in [found for found in gc.get_objects() if type(found) is Leg and not found.done]:
        leg.finish(o.CLIENT_ABORTED, "The proxy ended before the copy did.")
