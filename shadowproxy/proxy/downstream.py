"""One client's connection: requests come in, one at a time; answers go out in their order.

Law: while an answer is owed, what the client sends next stays raw. A FIN while an answer is owed is leaving.

    mode     bytes are                                      the client's silence is limited by
    HEAD     a request's head                               keep_alive before its first byte, head_timeout after it
    BODY     the request's body, streamed to production     body_idle
    OWED     what comes after this request, held raw        (production's timeouts)
    TUNNEL   passed on                                      tunnel_idle
    LINGER   thrown away, for a second or 1 MiB             a second
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from contextlib import suppress
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final, cast

from shadowproxy.core.outcome import CLIENT_ABORTED, TRUNCATED
from shadowproxy.http1 import chunked, refusal
from shadowproxy.http1.chunked import ChunkedDecoder, ChunkedError
from shadowproxy.http1.refusal import Refused, bad_request
from shadowproxy.http1.request import HeadProbe
from shadowproxy.proxy.exchange import Exchange
from shadowproxy.proxy.forwarded import Forwarded
from shadowproxy.proxy.timers import SECOND_NS
from shadowproxy.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.production import ProductionConnection
    from shadowproxy.proxy.runtime import Runtime
    from shadowproxy.proxy.worker import Worker

HEAD: Final = 0
BODY: Final = 1
OWED: Final = 2
TUNNEL: Final = 3
LINGER: Final = 4
CLOSED: Final = 5

_END: Final = b"\r\n\r\n"
LINGER_BYTES: Final = 1 << 20
HIGH_WATER: Final = 64 << 10
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Downstream(asyncio.Protocol):
    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)  # set by connection_made, before any use
        self.exchange: Exchange | None = None
        self.mode = HEAD
        self.deadline = 0
        self.armed = 0
        self.will_close = False
        self._held = b""
        self._probe: HeadProbe | None = None
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self._paused_reading = False
        self._paused_writing = False
        self._unsent = 0
        self._lingered = 0
        self._born_ns = 0
        self._served = False  # an answer has been given on this connection
        self._tunnel: Tunnel | None = None
        self._poller: select.poll | None = None
        self.forwarded = Forwarded("", False)  # whose is not known yet

    # -- life --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        self._born_ns = perf_counter_ns()
        peer = transport.get_extra_info("peername")
        secure = transport.get_extra_info("ssl_object") is not None
        self.forwarded = Forwarded(peer[0] if isinstance(peer, tuple) else "", secure)
        worker = self.worker
        worker.connections.add(self)
        if len(worker.connections) > worker.max_connections:
            worker.counters.refused(503)
            self._refuse(Refused(503, "client_limit", "This proxy has as many connections as it may have."))
            return
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        worker.timers.arm(self, worker.runtime.keep_alive_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        self.mode = CLOSED
        self.deadline = 0
        self.worker.connections.discard(self)
        self.worker.paused.discard(self)
        self._poller = None
        self._probe = None
        self._decoder = None
        self.forwarded.forget()
        self._leave()

    def eof_received(self) -> bool:
        self._leave()
        return False

    def _leave(self) -> None:
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.client_ended()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_left()
            self.transport.abort()

    def close(self) -> None:
        """Send what is buffered, then close; a client that stops reading it is cut off."""
        if self.mode != CLOSED:
            self.mode = CLOSED
            self._watch_reader(self.transport.get_write_buffer_size())
            self.transport.close()

    def _watch_reader(self, unsent: int) -> None:
        """Look again later whether the client has read any of what is buffered for it."""
        self._unsent = unsent
        self.worker.timers.arm(self, self.worker.runtime.client_stall_ns if unsent else 2 * SECOND_NS)

    def drain(self) -> None:
        """The worker ends: an idle connection ends now, one that is busy or about to be after its answer.

        Who has only just connected is about to send a request, and is not told `Connection: close` before an answer.
        """
        if self.mode != HEAD or self.exchange is not None or self._held or self._has_unread():
            return
        if self._served or perf_counter_ns() - self._born_ns > SECOND_NS:
            self.close()

    def give_up(self) -> None:
        """`limits.drain` is over: who has nothing of an answer yet is told so, and may ask elsewhere."""
        exchange = self.exchange
        if exchange is not None and not exchange.began:
            detail = "This proxy is stopping, and production has not answered in time."
            exchange.production_failed(CLIENT_ABORTED, "draining", detail)

    def outlive(self, generation: int) -> None:
        """End a tunnel or a stream that began with a configuration as old as `generation`: few are kept alive."""
        tunnel, exchange = self._tunnel, self.exchange
        if tunnel is not None and tunnel.generation <= generation:
            self._leave()
            self.close()
        elif exchange is not None and exchange.began and exchange.runtime.generation <= generation:
            detail = "The configuration that this stream began with is no longer kept."
            exchange.production_failed(TRUNCATED, "draining", detail)

    def _has_unread(self) -> bool:
        """Whether the kernel holds bytes that the loop has yet to read: closing now would reset the connection."""
        sock = self.transport.get_extra_info("socket")
        if self._paused_reading or sock is None or sock.fileno() < 0:
            return False
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        return bool(poller.poll(0))

    # -- reading -----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        mode = self.mode
        if mode == HEAD:
            self._read_head(data)
        elif mode == BODY:
            self._read_body(data)
        elif mode == OWED:
            self._hold(data)
        elif mode == TUNNEL:
            if self._tunnel is not None:
                self._tunnel.from_client(data)
        elif mode == LINGER:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self.transport.abort()

    def _read_head(self, data: bytes) -> None:
        arrival_ns = perf_counter_ns()
        if self._held:
            data = self._held + data
            self._held = b""
        worker = self.worker
        runtime = worker.runtime
        end = data.find(_END) + 4
        size = len(data)
        raw = data if end == size else data[:end]
        recall = runtime.heads.recall
        plan = recall(raw)
        if plan is None:
            if end == 3 or end > runtime.limits.head or data[0] == 13 or data[0] == 10:
                self._read_partial(data, runtime)
                return
            try:
                plan = runtime.heads.read(raw)
            except Refused as e:
                self._refuse_unparsed(e)
                return
        self._probe = None
        begin = runtime.exchange
        exchange = self.exchange = begin(worker, runtime, self, plan, arrival_ns)
        self.will_close = False
        head = plan.head
        try:
            if head.chunked:
                self._begin_chunked(exchange, data[end:])
            elif size - end == head.length <= runtime.body_limit:
                self.mode = OWED
                self.deadline = 0
                body = data[end:]
                exchange.start(body, body, True)
            else:
                self._begin_sized(exchange, data, end)
        except ChunkedError as fault:
            self._refuse_exchange(exchange, bad_request(f"The request's chunked body is malformed: {fault}."))
        except Refused as e:
            self._refuse_exchange(exchange, e)
        else:
            if self._held and len(self._held) > runtime.limits.head:
                self._pause()

    def _begin_sized(self, exchange: Exchange, data: bytes, end: int) -> None:
        runtime, length = exchange.runtime, exchange.head.length
        if length > runtime.body_limit:
            raise _too_large(runtime)
        body = data[end:]
        left = length - len(body)
        if left > 0:
            self._left = left
            self._expect_body(runtime)
            exchange.start(body, body, False)
            return
        if left < 0:
            self._held = body[length:]
            body = body[:length]
        self.mode = OWED
        self.deadline = 0
        exchange.start(body, body, True)

    def _begin_chunked(self, exchange: Exchange, data: bytes) -> None:
        runtime = exchange.runtime
        decoder = self._decoder = ChunkedDecoder(runtime.limits.head)
        pieces = decoder.feed(data)
        body = b"".join(pieces)
        if len(body) > runtime.body_limit:
            raise _too_large(runtime)
        wire = chunked.encode(pieces)
        if decoder.done:
            self._held = decoder.rest
            self._decoder = None
            self.mode = OWED
            self.deadline = 0
            exchange.start(body, wire + chunked.last_chunk(decoder.trailers), True)
        else:
            self._expect_body(runtime)
            exchange.start(body, wire, False)

    def _expect_body(self, runtime: Runtime) -> None:
        self.mode = BODY
        self.worker.timers.arm(self, runtime.body_idle_ns)

    def _refuse_exchange(self, exchange: Exchange, refused: Refused) -> None:
        """Nothing has been sent anywhere yet."""
        self.exchange = None
        exchange.refuse_unsent(refused.status)
        self._refuse(refused, exchange.request_id, not exchange.plan.head_request)

    def _read_partial(self, data: bytes, runtime: Runtime) -> None:
        """The beginning of a head, or line ends before one; or a head that is too long."""
        stripped = data.lstrip(b"\r\n") if data[:1] in b"\r\n" else data
        if len(stripped) != len(data):
            skipped = data[: len(data) - len(stripped)]
            if skipped.replace(b"\r\n", b""):
                if skipped == b"\r" and not stripped:
                    self._held = data
                    return
                self._refuse_unparsed(bad_request("The request begins with a bare line end."))
                return
            if not stripped:
                return  # RFC 9112 §2.2: empty lines before a request are ignored
            self._read_head(stripped)
            return
        if len(data) > runtime.limits.head or data.find(_END) >= 0:
            line = data.find(b"\r\n")
            status = 414 if line < 0 or line > runtime.limits.head else 431
            self._refuse_unparsed(Refused(status, "head_too_large", f"The head exceeds {runtime.limits.head} bytes."))
            return
        try:
            if self._probe is None:
                self._probe = HeadProbe()
                self._probe.feed(data)
                self.worker.timers.arm(self, runtime.head_timeout_ns)
            else:
                self._probe.feed(data[self._probe.count :])
        except Refused as e:
            self._refuse_unparsed(e)
            return
        self._held = data

    def _read_body(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        self.worker.timers.arm(self, exchange.runtime.body_idle_ns)
        trailers: list[tuple[bytes, bytes]] = []
        decoder = self._decoder
        if decoder is not None:
            try:
                pieces = decoder.feed(data)
            except ChunkedError as e:
                self._abort_body(exchange, bad_request(f"The request's chunked body is malformed: {e}."))
                return
            complete = decoder.done
            if complete:
                self._held = decoder.rest
                trailers = decoder.trailers
                self._decoder = None
            if exchange.body_bytes + sum(map(len, pieces)) > exchange.runtime.body_limit:
                self._abort_body(exchange, _too_large(exchange.runtime))
                return
        else:
            left = self._left - len(data)
            complete = left <= 0
            if left < 0:
                self._held = data[left:]
                data = data[:left]
                left = 0
            self._left = left
            pieces = [data]
        if complete:
            self.mode = OWED
            self._silence_is_fine()
        if pieces:
            exchange.body_pieces(pieces)
        if complete and self.exchange is exchange:
            exchange.body_complete(trailers)

    def _abort_body(self, exchange: Exchange, refused: Refused) -> None:
        self.exchange = None
        exchange.downstream = None
        began = exchange.began
        exchange.body_refused(refused.status)
        if began:
            self.cut(reset=exchange.answer_close_delimited)
        else:
            self._refuse(refused, exchange.request_id)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > self.worker.runtime.limits.head:
            self._pause()

    # -- pausing -----------------------------------------------------------------------------------------------------

    def _pause(self) -> None:
        """With reading paused neither FIN nor RST reaches us (measured): the worker's sweep asks the kernel."""
        if not self._paused_reading and self.mode != CLOSED:
            self._paused_reading = True
            self.transport.pause_reading()
            self.worker.paused.add(self)

    def _resume(self) -> None:
        if self._paused_reading and self.mode != CLOSED:
            self._paused_reading = False
            self.worker.paused.discard(self)
            self.transport.resume_reading()

    def pause_request(self) -> None:
        self._silence_is_fine()
        self._pause()

    def _silence_is_fine(self) -> None:
        """No bytes are due from the client; only its own reading is watched on."""
        if self._paused_writing:
            self._watch_reader(self.transport.get_write_buffer_size())
        else:
            self.deadline = 0

    def resume_request(self) -> None:
        if self.mode == BODY:
            self.worker.timers.arm(self, self.worker.runtime.body_idle_ns)
        if len(self._held) <= self.worker.runtime.limits.head:
            self._resume()

    def has_left(self) -> bool:
        """Whether the kernel knows that the client hung up; asked in the sweep, for paused connections only."""
        if self._poller is None:
            sock = self.transport.get_extra_info("socket")
            if sock is None or sock.fileno() < 0:
                return True
            self._poller = select.poll()
            self._poller.register(sock.fileno(), select.POLLRDHUP)
        return bool(self._poller.poll(0))

    def left_while_paused(self) -> None:
        if self.exchange is not None or self._tunnel is not None:
            self._leave()
            self.transport.abort()
        else:
            self.worker.paused.discard(self)
            self.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def writelines(self, parts: list[bytes] | tuple[bytes, ...]) -> None:
        self.transport.writelines(parts)

    def pause_writing(self) -> None:
        self._paused_writing = True
        if self._tunnel is not None:
            self._tunnel.client_full()
        elif self.exchange is not None:
            self.exchange.client_full()
        elif self.mode == HEAD:
            self._pause()  # no next request before the client reads: what is written for it stays bounded
        self._watch_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._paused_writing = False
        if self.mode != CLOSED:
            self.deadline = 0
        if self._tunnel is not None:
            self._tunnel.client_drained()
        elif self.exchange is not None:
            self.exchange.client_drained()
        if self.mode == BODY:
            self.worker.timers.arm(self, self.worker.runtime.body_idle_ns)
        elif self.mode == HEAD:
            runtime = self.worker.runtime
            self.worker.timers.arm(self, runtime.head_timeout_ns if self._held else runtime.keep_alive_ns)
            if self._held or self._paused_reading:
                self.worker.loop.call_soon(self._next)

    def closes_after(self, head: RequestHead, now: int) -> bool:
        """Whether this connection ends after the present request."""
        worker = self.worker
        return not head.keep_alive or worker.draining or now - self._born_ns > worker.runtime.connection_age_ns

    # -- an exchange's end -------------------------------------------------------------------------------------------

    def exchange_done(self, early: bool, now: int) -> None:
        """The answer is written (or a refusal). `early`: before the request was whole."""
        self.exchange = None
        self._served = True
        if self.mode == CLOSED or self.mode == LINGER:
            return
        if early:
            self._linger()
        elif self.will_close:
            self.close()
        else:
            self.mode = HEAD
            if self._paused_writing:
                self._pause()  # the next request waits until the client has read
                return
            self.worker.timers.arm_from(now, self, self.worker.runtime.keep_alive_ns)
            if self._held or self._paused_reading:
                # Not at once: fifty pipelined requests would be fifty calls deep.
                self.worker.loop.call_soon(self._next)
            elif self.worker.draining:
                self.close()

    def _next(self) -> None:
        if self.mode != HEAD or self.exchange is not None or self._paused_writing:
            return
        held, self._held = self._held, b""
        if held:
            self._read_head(held)
        if self.mode == HEAD or len(self._held) <= self.worker.runtime.limits.head:
            self._resume()

    def answer_for(self, exchange: Exchange, status: int, kind: str, detail: str) -> None:
        """Production's failure, as an answer; the connection stays where the request was read to its end."""
        exchange.status_answered = status
        close = not exchange.complete or self.closes_after(exchange.head, perf_counter_ns()) or exchange.head.old
        self.will_close = close
        body = not exchange.plan.head_request
        self.write(refusal.answer(status, kind, detail, exchange.request_id, close=close, body=body))
        if not exchange.complete:
            self._linger()

    def cut(self, *, reset: bool) -> None:
        """End an answer that cannot be finished so that the client sees it is not whole."""
        if reset:
            sock = self.transport.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.mode = CLOSED
            self.transport.abort()
        else:
            self.close()

    def _refuse_unparsed(self, refused: Refused) -> None:
        self.worker.counters.refused(refused.status)
        self._refuse(refused)

    def _refuse(self, refused: Refused, request_id: bytes = b"", body: bool = True) -> None:
        """A request that did not get as far as an id of its own gets one here, so that its client can name it."""
        request_id = request_id or self.worker.ids.new(time_ns() // 1_000_000)
        self.write(refusal.answer(refused.status, refused.kind, refused.detail, request_id, body=body))
        self._linger()

    def _linger(self) -> None:
        """Let the client read the refusal: closing at once, with its bytes unread, would reset the connection."""
        if self.mode in (CLOSED, LINGER):
            return
        self.mode = LINGER
        self._held = b""
        self._probe = None
        self._decoder = None
        self._lingered = 0
        self._resume_discarding()
        if self.transport.can_write_eof():
            with suppress(OSError):
                self.transport.write_eof()
            self._unsent = self.transport.get_write_buffer_size()
            self.worker.timers.arm(self, SECOND_NS)
        else:
            self.close()

    def _resume_discarding(self) -> None:
        if self._paused_reading:
            self._paused_reading = False
            self.worker.paused.discard(self)
            self.transport.resume_reading()

    def open_tunnel(self, connection: ProductionConnection, first: bytes, runtime: Runtime) -> None:
        self.exchange = None
        self.mode = TUNNEL
        self.write(first)
        self._tunnel = Tunnel(self, connection, runtime)
        held, self._held = self._held, b""
        if held:
            self._tunnel.from_client(held)
        self._resume()

    # -- deadlines ---------------------------------------------------------------------------------------------------

    def expired(self) -> None:
        if self._paused_writing or self.mode in (LINGER, CLOSED):
            left = self.transport.get_write_buffer_size()
            if 0 < left < self._unsent:
                self._watch_reader(left)
                return
            self._leave()
            self.transport.abort()
        elif self.mode == HEAD and self.exchange is None:
            if self._held:
                self._refuse_unparsed(Refused(408, "request_timeout", "The request's head did not come in time."))
            else:
                self.close()
        elif self.mode == BODY and self.exchange is not None:
            self._abort_body(self.exchange, Refused(408, "request_timeout", "The request's body stopped coming."))


def _too_large(runtime: Runtime) -> Refused:
    return Refused(413, "body_too_large", f"The request's body exceeds {runtime.limits.body} bytes.")
