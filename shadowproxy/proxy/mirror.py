"""Mirrors: the copies that go to one candidate (or the twin), and what it costs to send them.

Law: `refusal` and `send` are synchronous, bounded and never raise; nobody ever waits for a leg. Each leg that was sent
ends in exactly one outcome, and a mirror shares no connection, limit or timer with production or another mirror.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.core import outcome as o
from shadowproxy.core.breaker import CLOSED, Breaker
from shadowproxy.core.budget import OVERHEAD
from shadowproxy.core.rate import ConnectRate
from shadowproxy.http1.answer import AnswerHead
from shadowproxy.http1.chunked import MANY
from shadowproxy.proxy.pool import Address, Pool
from shadowproxy.proxy.timers import SECOND_NS
from shadowproxy.proxy.upstream import CLOSE, HEAD, IDLE, LENGTH, UpstreamConnection
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.proxy.runtime import Entry
    from shadowproxy.proxy.timers import Timers
    from shadowproxy.settings.snapshot import Candidate

CONNECT_S: Final = 1.0
KEEP_ALIVE_S: Final = 4.0
MAX_AGE_S: Final = 300.0
LEAST_TIMEOUT_NS: Final = 5 * SECOND_NS
LONGEST_TIMEOUT_NS: Final = 600 * SECOND_NS
FACTOR: Final = 3  # times production's own time

READ: Final = 64 << 10  # bytes a leg reads in one turn
TURN_S: Final = 0.01
TURN_BYTES: Final = 4 << 20  # bytes that all legs of a worker read in 10 ms
STEP_S: Final = 0.001
STEP_LEGS: Final = 6  # legs that are let on at a time: 3.8 MiB in 10 ms, but no burst that production waits behind
CHUNKS: Final = 128  # that a leg reads in one turn, more or less: tiny ones cost by their number, 1 µs each
LEAST: Final = 512  # bytes that it reads even so
ANSWER_RESERVE: Final = 4096  # bytes of each answer that are taken from the budget when the copy leaves
JOINED: Final = 16 << 10  # a head and a body up to this length leave as one buffer
MAX_ARRIVALS: Final = 1 << 16  # pieces of a stream whose arrival is kept, each of which costs OVERHEAD

_FAILURES: Final = frozenset({o.CONNECT_ERROR, o.TIMEOUT, o.RESET})


class ReadBudget:
    """What all mirror legs of a worker may read: held bytes do not bound the CPU that discarding them takes.

    A leg that used up its turn is paused and gets its next one 10 ms later, round robin and a few legs at a time: 64
    reads in one go would be 3 ms in which nothing else is served. A timer is set only while legs are paused.
    """

    __slots__ = ("_loop", "_paused", "_scheduled", "_spent", "_turn_ends", "buffer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._paused: deque[tuple[MirrorConnection, float]] = deque()  # and when its next turn is due
        self._scheduled = False
        self._spent = 0
        self._turn_ends = 0.0
        self.buffer = memoryview(bytearray(READ))

    def spend(self, connection: MirrorConnection, size: int) -> None:
        now = self._loop.time()
        if now >= self._turn_ends:
            self._turn_ends = now + TURN_S
            self._spent = 0
        self._spent += size
        if size >= READ or self._spent >= TURN_BYTES:
            connection.transport.pause_reading()
            connection.paused_ns = perf_counter_ns()
            self._paused.append((connection, now + TURN_S))
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_later(TURN_S, self._step)

    def _step(self) -> None:
        self._scheduled = False
        now = self._loop.time()
        paused = self._paused
        let_on = 0
        while paused and paused[0][1] <= now and let_on < STEP_LEGS:
            connection, _ = paused.popleft()
            if not connection.closed:
                connection.read_on()
                let_on += 1
        if paused:
            self._scheduled = True
            self._loop.call_later(max(STEP_S, paused[0][1] - now), self._step)


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


class Mirror:
    """One candidate, or the twin: its pool, breaker and limits live as long as its upstream's identity does."""

    def __init__(
        self,
        settings: Candidate,
        *,
        workers: int,
        timers: Timers,
        reads: ReadBudget,
        rate: ConnectRate,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.timers = timers
        self._rate = rate
        self.in_flight = 0
        self.warmup_ns = 0  # statistics.warmup
        self.warm_until_ns = 0  # 0: the trial's first copy has not left yet
        self._trial = ""
        self.finished: dict[int, int] = {}
        self.keyless = [0]  # requests that were sampled by their id, for they had no `sample_key`
        self.address = Address.of(settings.url)
        self.pool = Pool(
            self.address,
            lambda pool: MirrorConnection(pool, reads),
            limit=1 << 30,  # max_in_flight bounds it
            connect_s=CONNECT_S,
            keep_alive_s=KEEP_ALIVE_S,
            max_age_s=MAX_AGE_S,
            tls=tls,
            server_name=settings.tls.server_name,
            receive_buffer=2 * READ,
        )
        self.breaker = Breaker(settings.breaker.failures, settings.breaker.window, settings.breaker.probe)
        self.update(settings, workers)

    def update(self, settings: Candidate, workers: int) -> None:
        """Take over settings that leave the upstream's identity as it is."""
        self.settings = settings
        if settings.trial != self._trial:
            self._trial = settings.trial
            self.warm_until_ns = 0
        self.longest_body = settings.mirror_up_to
        self.small = 0  # bytes of an answer that no limit concerns; set by the runtime, which knows what is kept
        self.waits = settings.send == "after_production"
        self.max_in_flight = max(1, -(-settings.max_in_flight // workers))
        timeout = settings.timeout
        self._timeout_ns = 0 if timeout is None else round(timeout * SECOND_NS)
        self.first_look_ns = self._timeout_ns or LEAST_TIMEOUT_NS

    def refusal(self, body_bytes: int) -> int:
        """Why no copy may leave now, as an index into core.outcome.DROPPED; 0 reserves a place and must be used."""
        if body_bytes > self.longest_body:
            return o.BODY_TOO_LARGE
        if self.in_flight >= self.max_in_flight:
            return o.IN_FLIGHT
        breaker = self.breaker
        if breaker.state != CLOSED and not breaker.allows(self.timers.now / SECOND_NS):
            return o.BREAKER_OPEN
        if not self.pool.idle and not self._rate.take(self.settings.name, self.address.tls, perf_counter_ns()):
            breaker.unused()
            return o.CONNECT_RATE
        self.in_flight += 1
        if not self.warm_until_ns:
            self.warm_until_ns = self.timers.now + self.warmup_ns
        return 0

    def unused(self) -> None:
        """The place that `refusal` reserved is not used after all."""
        self.in_flight -= 1
        self.breaker.unused()

    def time_left(self, leg: Leg, now: int) -> int:
        """ns until the leg has run too long; positive while that cannot be said yet."""
        ran = now - leg.start_ns
        if self._timeout_ns:
            return self._timeout_ns - ran
        if ran >= LONGEST_TIMEOUT_NS:
            return 0
        production_ns = leg.exchange.total_ns
        if production_ns < 0:
            return SECOND_NS
        return min(max(LEAST_TIMEOUT_NS, FACTOR * production_ns), LONGEST_TIMEOUT_NS) - ran

    def judge(self, outcome: int) -> None:
        """What a copy's end says to the breaker; nothing where it is closed and the copy was answered."""
        if outcome in _FAILURES:
            self.breaker.failed(self.timers.now / SECOND_NS)
        elif self.breaker.state != CLOSED:
            self.breaker.succeeded(self.timers.now / SECOND_NS)
            if self.breaker.state == CLOSED:
                self.warm_until_ns = self.timers.now + self.warmup_ns
