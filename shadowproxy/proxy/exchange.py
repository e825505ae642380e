"""One request: its exchange with production, and the decision what else gets a copy.

Law: production's answer goes to the client as it comes; the tee is decided exactly once, after production's last
request byte was written (or can no longer be); when production and all legs have ended, the pair is offered to the
recorder. Whatever happens on the wire ends in exactly one `_production_done`.

    client ──► start, body_pieces, body_complete, client_left, client_full, client_drained
    production ──► connection_made, no_connection, answer_*, production_*
    mirrors ──► leg_done
"""

from __future__ import annotations

import asyncio
import time
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.core import outcome as o
from shadowproxy.core.budget import OVERHEAD
from shadowproxy.core.stateless import is_stateless
from shadowproxy.http1 import answer as a
from shadowproxy.http1 import chunked, serialise
from shadowproxy.http1.refusal import Refused
from shadowproxy.proxy import tee
from shadowproxy.proxy.copies import JsonBody
from shadowproxy.proxy.leg import ANSWER_RESERVE, MAX_ARRIVALS
from shadowproxy.proxy.rescue import Rescue
from shadowproxy.proxy.upstream import IDLE
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.proxy.downstream import Downstream
    from shadowproxy.proxy.leg import Leg
    from shadowproxy.proxy.plan import RequestPlan
    from shadowproxy.proxy.production import Endpoint, ProductionConnection
    from shadowproxy.proxy.runtime import RoutePlan, Runtime
    from shadowproxy.proxy.worker import Worker

JOINED: Final = 16 << 10  # a head and a body up to this length leave as one buffer
PENDING: Final = 64 << 10  # bytes of a request that wait for a connection before the client is paused
MAX_LOOPS: Final = 3
IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"})
_STATUS: Final = {
    "connect_error": 502,
    "reset": 502,
    "upstream_closed": 502,
    "protocol_error": 502,
    "timeout": 504,
    "draining": 503,
}


class Exchange:
    __slots__ = (
        "_client_is_full",
        "_cost",
        "_decided",
        "_early",
        "_out",
        "_pending",
        "_pending_bytes",
        "_rescue",
        "_resend",
        "_resent",
        "_stalled_since",
        "_tried",
        "answer_body",
        "answer_bytes",
        "answer_chunked",
        "answer_close_delimited",
        "answer_head",
        "answer_truncated",
        "arrival_ns",
        "arrival_us",
        "arrivals",
        "began",
        "body",
        "body_bytes",
        "complete",
        "connect_ns",
        "connection",
        "dialing",
        "done",
        "downstream",
        "drop_reason",
        "endpoint",
        "error",
        "first_byte_ns",
        "forwarded",
        "head",
        "keep",
        "left",
        "legs",
        "outcome",
        "plan",
        "refused",
        "request_id",
        "route",
        "runtime",
        "sent_ns",
        "stalled_ns",
        "start_ns",
        "status",
        "status_answered",
        "total_ns",
        "twin_dropped",
        "unreserved",
        "waiting_legs",
        "worker",
    )

    def __init__(
        self, worker: Worker, runtime: Runtime, downstream: Downstream, plan: RequestPlan, arrival_ns: int
    ) -> None:
        self.worker = worker
        self.runtime = runtime
        self.downstream: Downstream | None = downstream
        self.plan = plan
        head = self.head = plan.head
        self.arrival_ns = arrival_ns
        arrival_us = self.arrival_us = time.time_ns() // 1000
        self.request_id = head.request_id or worker.ids.new(arrival_us // 1000)
        self.route: RoutePlan = plan.route
        self.forwarded = b""
        # the request
        self.complete = False
        self.body: bytes | bytearray | None = b""  # None: not kept
        self.body_bytes = 0
        self.keep = plan.keep  # how much of it may be kept
        self.unreserved = 0  # what the kept body costs, where the budget has not given it yet
        self.drop_reason = plan.drop_reason
        self.refused = plan.refused
        self._cost = 0
        # production
        self.endpoint: Endpoint | None = None
        self.connection: ProductionConnection | None = None
        self.dialing: asyncio.Task[None] | None = None
        self._pending: list[bytes | bytearray] | None = None
        self._pending_bytes = 0
        self._resend: tuple[bytes, ...] = ()  # the request as written, while it is in memory
        self._tried = 1
        self._resent = False
        self._early = False
        self._rescue: Rescue | None = None  # while an upload goes on
        self._out = b""
        self.began = False
        self.done = False
        self.outcome = 0
        self.error = ""
        self.status = 0  # production's
        self.status_answered = 0  # the proxy's own, where production's answer did not go to the client
        self.answer_head = b""
        self.answer_body: bytes | bytearray = b""
        self.answer_bytes = 0
        self.answer_truncated = False
        self.answer_chunked = False  # how the client gets it
        self.answer_close_delimited = False
        self.arrivals: list[bytes] = []
        self.start_ns = 0
        self.connect_ns = self.sent_ns = self.first_byte_ns = self.total_ns = frames.UNKNOWN
        self.stalled_ns = 0
        self._stalled_since = 0
        self._client_is_full = False
        # the tee
        self._decided = False
        self.legs: list[Leg] = []
        self.waiting_legs: list[Leg] = []
        self.left = 0
        self.twin_dropped = 0

    # -- the request comes -------------------------------------------------------------------------------------------

    def start(self, body: bytes, wire: bytes, complete: bool) -> None:
        """The head, and what came with it of the body (`wire`: as it goes to production).

        Raises Refused before anything was sent anywhere.
        """
        runtime, plan = self.runtime, self.plan
        head = plan.head
        if head.via:
            self._refuse_loops()
        downstream = self.downstream
        assert downstream is not None
        forwarded = downstream.forwarded.lines(head, runtime)
        if not head.request_id:
            forwarded = b"".join((forwarded, b"X-Request-ID: ", self.request_id, b"\r\n"))
        self.forwarded = forwarded
        size = len(wire)
        request: tuple[bytes, ...]
        if size <= JOINED:
            request = (b"".join((plan.request, forwarded, b"\r\n", wire)),)
        else:
            request = (b"%b%b\r\n" % (plan.request, forwarded), wire)
        now = self.start_ns = perf_counter_ns()
        if complete:
            self.complete = True
            self._retain_whole(body)
            if size <= PENDING:
                self._resend = request
        else:
            if self.keep < 0 or self.drop_reason:
                self.body = None
            if body:
                self._retain(body)
        connection = runtime.production.take(self, now)
        if connection is None:
            if not self.done:
                self._pending = list(request)
                self._pending_bytes = sum(map(len, request))
            return
        self.connect_ns = 0
        self.connection = connection
        connection.serve(self, plan.head_request)
        if size <= JOINED:
            connection.transport.write(request[0])
        else:
            connection.transport.writelines(request)
        if complete:
            # As in _request_written, of a request that needed no patience.
            written_ns = perf_counter_ns()
            self.sent_ns = written_ns - now
            self.worker.timers.arm_from(written_ns, connection, runtime.first_byte_ns)
            self._decide(self.drop_reason)
        else:
            self._long_upload(connection)

    def _refuse_loops(self) -> None:
        name = self.runtime.via.lower()
        seen = sum(
            1 for value in self.head.via for member in value.lower().split(b",") if member.split()[1:2] == [name]
        )
        if seen >= MAX_LOOPS:
            raise Refused(508, "loop", "The request has come through this proxy before.")

    def _choose_by_body(self) -> None:
        """Rules about a JSON body took part for the first time now that it is here."""
        runtime, head, body = self.runtime, self.head, self.body
        if body is None or self.keep < 0:
            return
        document = JsonBody(body)
        number = runtime.router.find(head.method, head.target, head.field, document.value)
        self.route = runtime.no_route if number is None else runtime.routes[number]

    def body_pieces(self, pieces: list[bytes]) -> None:
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._retain(body)
        self._forward(chunked.encode(pieces) if self.head.chunked else body)

    def body_complete(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.complete = True
        if self.head.chunked:
            self._forward(chunked.last_chunk(trailers))
        if self.connection is not None and self._pending is None:
            self._request_written()

    def _forward(self, data: bytes | bytearray) -> None:
        if self._pending is not None:
            self._pending.append(data)
            self._pending_bytes += len(data)
            if self._pending_bytes > PENDING and self.downstream is not None:
                self.downstream.pause_request()
        elif self.connection is not None and not self.connection.closed:
            self.connection.transport.write(data)

    def _retain_whole(self, body: bytes) -> None:
        """A body that came with its head is shared, not copied; the tee takes it from the budget if a copy leaves."""
        size = self.body_bytes = len(body)
        if size <= self.keep:
            self.body = body
            self.unreserved = size + OVERHEAD
        elif self.keep >= 0:
            self._stop_keeping(o.BODY_TOO_LARGE)
        elif size:
            self.body = None

    def _retain(self, body: bytes) -> None:
        """Keep a body that comes in pieces for copies, within `mirror_up_to` and the budget."""
        self.body_bytes += len(body)
        kept = self.body
        if kept is None or self.keep < 0:
            self.body = None
            return
        if len(kept) + len(body) > self.keep:
            self._stop_keeping(o.BODY_TOO_LARGE)
            return
        if not self.reserve(len(body) + OVERHEAD):
            self._stop_keeping(o.BUFFER_FULL)
            return
        # One bytearray a message: a list of small pieces would cost far more.
        if isinstance(kept, bytearray):
            kept += body
        else:
            self.body = bytearray(body)

    def _stop_keeping(self, reason: int) -> None:
        self.body = None
        self.drop_reason = reason
        self.release_cost()

    # -- production takes it -----------------------------------------------------------------------------------------

    def connection_made(self, connection: ProductionConnection) -> None:
        if self.done:
            connection.pool.give_back(connection, perf_counter_ns())
            return
        self.connect_ns = perf_counter_ns() - self.start_ns
        self.connection = connection
        connection.serve(self, self.plan.head_request)
        pending, self._pending = self._pending, None
        if pending is not None:
            # Resumed before the write, which may find production full and pause the client again.
            if self.downstream is not None:
                self.downstream.resume_request()
            connection.transport.writelines(pending)
        if self.complete:
            self._request_written()
        else:
            self._long_upload(connection)

    def no_connection(self, code: int, kind: str, detail: str) -> None:
        """`code` 0: production was not even asked, for all its connections are in use."""
        if self.done:
            return
        production = self.runtime.production
        if code and self._tried < len(production.endpoints):
            self._tried += 1
            self.endpoint = production.endpoint()
            production.connect(self, self.endpoint)
            return
        self.endpoint = None
        if not code:
            self.refused = self.refused or o.EXCLUDED_REFUSED
            self._answer_refused(503, kind, detail)
        else:
            self._answer_refused(504 if kind == "timeout" else 502, kind, detail)
        self._production_done(code, detail)

    def _request_written(self) -> None:
        self.sent_ns = perf_counter_ns() - self.start_ns
        connection = self.connection
        if self._rescue is not None:
            self._close_rescue()
            if connection is not None and not connection.is_quiet():
                # Production answered before it had all of a long upload: it may never read the rest of it, so the
                # connection must not carry another request.
                connection.reusable = False
        if connection is not None and not self.began:
            self.worker.timers.arm(connection, self.runtime.first_byte_ns)
        if not self._decided:
            self._decide(self.drop_reason)

    def _long_upload(self, connection: ProductionConnection) -> None:
        if self._rescue is None:
            self._rescue = Rescue.of(connection)

    def _close_rescue(self) -> None:
        rescue, self._rescue = self._rescue, None
        if rescue is not None:
            rescue.close()

    def production_full(self) -> None:
        """Production reads more slowly than the client sends."""
        if self.downstream is not None:
            self.downstream.pause_request()
        if self.connection is not None:
            self.worker.timers.arm(self.connection, self.runtime.idle_ns)

    def production_drained(self) -> None:
        if self.downstream is not None:
            self.downstream.resume_request()
        connection = self.connection
        if connection is None:
            return
        if self.complete and not self.began:
            self.sent_ns = perf_counter_ns() - self.start_ns
            self.worker.timers.arm(connection, self.runtime.first_byte_ns)
        elif not self.began:
            connection.deadline = 0

    # -- production answers ------------------------------------------------------------------------------------------

    def answer_interim(self, head: a.AnswerHead) -> None:
        self._resent = True  # an answer byte has come: never send the request again
        if self.downstream is not None and not self.head.old:
            self.downstream.write(serialise.answer_head(head, old_client=False, close=False))

    def answer_whole(self, head: a.AnswerHead, body: bytes) -> None:
        now = perf_counter_ns()
        self.first_byte_ns = self.total_ns = now - self.start_ns
        self.status = head.status
        self.answer_head = head.raw
        if head.status == 101:
            self._switch(head, body)
            return
        size = self.answer_bytes = len(body)
        if self.legs or not self._decided:
            if size <= ANSWER_RESERVE and size <= self.runtime.keep_up_to and self.keep >= 0:
                self.answer_body = body  # shared, and within what the budget gave when the copies left
            elif size:
                self.answer_bytes = 0
                self._keep_answer(body)
        downstream = self.downstream
        if downstream is not None:
            asked = self.head
            if not self.complete or asked.old or downstream.closes_after(asked, now) or self.runtime.answers_id:
                close = self._closes(head, now)
                raw = serialise.answer_head(head, old_client=asked.old, close=close, added=self.answer_id())
            else:
                raw = head.passed or serialise.passed_head(head)
            if size <= JOINED:
                downstream.transport.write(raw + body)
            else:
                downstream.writelines((raw, body))
        self._answered(now)

    def answer_began(self, head: a.AnswerHead, more: bool) -> None:
        self.first_byte_ns = perf_counter_ns() - self.start_ns
        self.began = True
        self.status = head.status
        self.answer_head = head.raw
        self.answer_body = bytearray()
        old = self.head.old
        self.answer_close_delimited = old and head.framing >= a.CHUNKED
        self.answer_chunked = not old and head.framing >= a.CHUNKED
        if self.downstream is not None:
            close = self._closes(head, perf_counter_ns())
            raw = serialise.answer_head(head, old_client=old, close=close, added=self.answer_id())
            if more:
                self._out = raw
            else:
                self.downstream.write(raw)
        if self.connection is not None:
            self.worker.timers.arm(self.connection, self.runtime.idle_ns)
            if self._client_is_full:
                self.client_full()

    def flush_head(self) -> None:
        """Nothing of the body followed the head within its read after all."""
        out, self._out = self._out, b""
        if out and self.downstream is not None:
            self.downstream.write(out)

    def answer_id(self) -> bytes:
        """The one line that may be added to an answer, where `answer_request_id` asks for it."""
        if not self.runtime.answers_id:
            return b""
        return b"X-Request-ID: " + self.request_id + b"\r\n"

    def _closes(self, head: a.AnswerHead, now: int) -> bool:
        """Whether the client's connection ends after this answer."""
        downstream = self.downstream
        assert downstream is not None
        close = not self.complete or downstream.closes_after(self.head, now)
        if self.head.old and head.framing >= a.CHUNKED:
            close = True
        downstream.will_close = close
        return close

    def answer_pieces(self, pieces: list[bytes]) -> None:
        connection = self.connection
        for piece in pieces:
            self._keep_answer(piece)
        # Of what is kept of the answer, to its end or to where the budget or `store_up_to` cut it off.
        if not self.answer_truncated and len(self.arrivals) < MAX_ARRIVALS and self.reserve(OVERHEAD):
            now = perf_counter_ns() - self.start_ns
            self.arrivals.append(frames.arrival(now, min(self.answer_bytes, 0xFFFFFFFF)))
        if connection is not None and not self._client_is_full:
            self.worker.timers.arm(connection, self.runtime.idle_ns)
        if self.downstream is not None:
            out, self._out = self._out, b""
            if self.answer_chunked:
                self.downstream.write(out + chunked.encode(pieces))
            elif len(pieces) == 1 and not out:
                self.downstream.write(pieces[0])
            else:
                self.downstream.writelines((out, *pieces) if out else pieces)

    def answer_ended(self, trailers: list[tuple[bytes, bytes]]) -> None:
        now = perf_counter_ns()
        self.total_ns = now - self.start_ns
        downstream = self.downstream
        if downstream is not None:
            out, self._out = self._out, b""
            if self.answer_chunked:
                out += chunked.last_chunk(trailers)
            if out:
                downstream.write(out)
        self._answered(now)

    def _answered(self, now: int) -> None:
        """Production's answer is whole and with the client."""
        connection, self.connection = self.connection, None
        if connection is not None:
            if not self.complete:
                self._early = True
                connection.drop()
            elif self.body_bytes > JOINED and connection.has_unsent():
                connection.drop()  # production answered without reading: the rest would come before the next request
            else:
                connection.release(now)
        self._production_done(o.COMPLETE, "")

    def _keep_answer(self, piece: bytes) -> None:
        size = len(piece)
        self.answer_bytes += size
        if self.answer_truncated or (self._decided and not self.legs):
            return
        kept = len(self.answer_body)
        room = self.runtime.keep_up_to - kept
        if size > room:
            self.answer_truncated = True
            piece = piece[:room]
        if self.keep < 0 or (kept + size > ANSWER_RESERVE and not self.reserve(len(piece) + OVERHEAD)):
            self.answer_truncated = True
        elif isinstance(self.answer_body, bytearray):
            self.answer_body += piece
        else:
            self.answer_body = piece

    def _switch(self, head: a.AnswerHead, first: bytes) -> None:
        """101: from here on the two connections are a tunnel."""
        connection, self.connection = self.connection, None
        downstream = self.downstream
        assert connection is not None
        if downstream is None or not self.head.websocket:
            connection.drop()
            self._answer_refused(502, "protocol_error", "The upstream switched protocols without being asked to.")
            self._production_done(o.PROTOCOL_ERROR, "unasked 101")
            return
        raw = serialise.answer_head(head, old_client=False, close=False)
        self.downstream = None
        self._production_done(o.COMPLETE, "")
        downstream.open_tunnel(connection, raw + first, self.runtime)

    # -- production fails --------------------------------------------------------------------------------------------

    def production_failed(self, code: int, kind: str, detail: str) -> None:
        connection = self.connection
        if connection is None:
            return
        rescue = self._rescue
        if rescue is not None and not self.began:
            self._rescue = None
            data = rescue.read()
            if data:
                self._read_rescued(connection, data, code, kind, detail)
                return
        self._failed(code, kind, detail)

    def _read_rescued(self, connection: ProductionConnection, data: bytes, code: int, kind: str, detail: str) -> None:
        connection.expect(self.plan.head_request)
        connection.data_received(data)
        if not self.done:
            connection.eof_received()
        if not self.done:
            self._failed(code, kind, detail)

    def _failed(self, code: int, kind: str, detail: str) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None
        resend = self._may_resend(connection, code)
        connection.drop()
        if resend:
            self._resent = True
            endpoint = self.endpoint
            assert endpoint is not None
            self._pending = list(self._resend)
            self.runtime.production.connect(self, endpoint)
            return
        if code == o.CONNECT_ERROR and self.endpoint is not None:
            self.endpoint.down_until_ns = perf_counter_ns() + 1_000_000_000
        if self.began:
            self._cut_client()
        else:
            self._answer_refused(_STATUS.get(kind, 502), kind, detail)
        self._production_done(code, detail)

    def _may_resend(self, connection: ProductionConnection, code: int) -> bool:
        """Once, and only what cannot have had an effect, or has none: RFC 9110 §9.2.2."""
        return (
            code == o.RESET
            and connection.uses > 1
            and not self._resent
            and not self.began
            and self.complete
            and bool(self._resend)
            and self.downstream is not None
            and (
                self.head.method in IDEMPOTENT
                or self.head.idempotency_key
                or (self.head.method == b"POST" and is_stateless(self.head.target))
            )
        )

    def production_slow(self) -> None:
        """A deadline of production's passed: its first byte, the next one, or its reading of the request."""
        connection, self.connection = self.connection, None
        if connection is None or self.done:
            return
        connection.drop()
        if self.began:
            detail = f"Production sent nothing for {self.runtime.idle_ns / 1e9:g} s within its answer."
            self._cut_client()
        else:
            detail = f"Production did not answer within {self.runtime.first_byte_ns / 1e9:g} s."
            self._answer_refused(504, "timeout", detail)
        self._production_done(o.TIMEOUT, detail)

    def _answer_refused(self, status: int, kind: str, detail: str) -> None:
        self.status = 0
        if self.downstream is not None:
            self.downstream.answer_for(self, status, kind, detail)

    def _cut_client(self) -> None:
        """The answer cannot be finished: the client must not take it for whole."""
        if self.downstream is not None:
            if self._out:
                self.downstream.write(self._out)
            self.downstream.cut(reset=self.answer_close_delimited)

    # -- the client --------------------------------------------------------------------------------------------------

    def client_left(self) -> None:
        """Production is cancelled, copies go on."""
        self.downstream = None
        if self.done:
            return
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.drop()
        else:
            self.runtime.production.leave(self)
        if not self.complete:
            self.drop_reason = o.DROPPED_CLIENT_ABORTED
        self._production_done(o.CLIENT_ABORTED, "The client went away.")

    def refuse_unsent(self, status: int) -> None:
        """The request is refused before a byte of it was sent anywhere."""
        self.downstream = None
        self.refused = o.EXCLUDED_REFUSED
        self.status_answered = status
        self._production_done(0, "The request was refused.")

    def body_refused(self, status: int) -> None:
        """The request's body is faulty or too long: production's message is aborted unfinished, nothing is copied."""
        self.status_answered = status
        self.refused = self.refused or o.EXCLUDED_REFUSED
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.drop()
        else:
            self.runtime.production.leave(self)
        self._production_done(0, "The request was refused.")

    def client_full(self) -> None:
        """The client reads more slowly than production sends: stop reading, and the clock that blames production."""
        self._client_is_full = True
        connection = self.connection
        # IDLE: its answer has come whole, and it must stay readable for the next one.
        if connection is not None and not connection.closed and connection.state != IDLE:
            connection.transport.pause_reading()
            connection.deadline = 0
            self._stalled_since = perf_counter_ns()

    def client_drained(self) -> None:
        self._client_is_full = False
        if self._stalled_since:
            self.stalled_ns += perf_counter_ns() - self._stalled_since
            self._stalled_since = 0
        connection = self.connection
        if connection is not None and not connection.closed:
            connection.transport.resume_reading()
            self.worker.timers.arm(connection, self.runtime.idle_ns)

    # -- the tee -----------------------------------------------------------------------------------------------------

    def _decide(self, drop_reason: int) -> None:
        self._decided = True
        if self.runtime.router.needs_body:
            self._choose_by_body()
        tee.decide(self, drop_reason)
        if not self.legs:
            self.release_cost()
            self.answer_truncated = True

    def _production_done(self, outcome: int, error: str) -> None:
        if self.done:
            return
        self.done = True
        self.outcome = outcome
        self.error = error
        if self.total_ns < 0:
            self.total_ns = perf_counter_ns() - self.start_ns
        self._pending = None
        if self._rescue is not None:
            self._close_rescue()
        if not self._decided:
            if not self.complete and not self.drop_reason:
                # Production has answered, or failed, before the request was whole: there is nothing to copy.
                self.refused = self.refused or o.EXCLUDED_REFUSED
            self._decide(self.drop_reason)
        now = perf_counter_ns()
        status = self.status_answered or self.status or 499
        asked = self.runtime.production.durations if self.start_ns else None
        answered = self.worker.counters.answered
        answered((self.route.counters, status, now - self.arrival_ns, self.total_ns, asked))
        downstream = self.downstream
        if downstream is not None:
            self.downstream = None
            downstream.exchange_done(self._early, now)
        if self.waiting_legs:
            waiting, self.waiting_legs = self.waiting_legs, []
            for leg in waiting:
                leg.start()
        if not self.left:
            self._settle()

    def leg_done(self) -> None:
        left = self.left = self.left - 1
        if not left and self.done:
            self._settle()

    def _settle(self) -> None:
        if self.legs:
            self.worker.recording.settle(self)
        elif self._cost:
            self.release_cost()

    def pack(self) -> None:
        """Hand the pair to the recorder; all that was reserved for it is given back."""
        self.runtime.record(self)
        self.legs = []

    def reserve(self, cost: int) -> bool:
        """Take from the budget what is given back when the pair has gone to the recorder, or nowhere."""
        taken = self.worker.budget.take(cost)
        if taken:
            self._cost += cost
        return taken

    def release_cost(self) -> None:
        if self._cost:
            self.worker.budget.give(self._cost)
            self._cost = 0
