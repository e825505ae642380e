"""One connection to an upstream, production's or a mirror's: it reads answers and tells its owner what came.

Law: each request that was begun on a connection ends in exactly one of `whole`, `ended` or `failed`. Framing decides
where an answer ends; what an upstream sends beyond that only forbids that the connection is used again.

    state      bytes are                                   the connection's end is
    IDLE       unasked for: the connection is closed       expected
    HEAD       an answer's head, after any 1xx             upstream_closed, or reset
    LENGTH     the body, so many bytes of it               truncated
    CHUNKED    the body in chunks                          truncated
    CLOSE      the body                                    its end, unless it was a reset
    TUNNEL     the tunnel's                                the tunnel's end
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from shadowproxy.core import outcome as o
from shadowproxy.http1 import answer as a
from shadowproxy.http1.chunked import ChunkedDecoder, ChunkedError
from shadowproxy.http1.refusal import Refused

if TYPE_CHECKING:
    from shadowproxy.proxy.pool import Pool

IDLE: Final = 0
HEAD: Final = 1
LENGTH: Final = 2
CHUNKED: Final = 3
CLOSE: Final = 4
ENDED: Final = 5
TUNNEL: Final = 6

MAX_HEAD: Final = 64 << 10  # bytes of an answer's head
MAX_INTERIM: Final = 32  # 1xx answers before the answer
_END: Final = b"\r\n\r\n"


class UpstreamConnection(asyncio.BaseProtocol):
    """Subclasses say what happens to what was read; `failed` gets an outcome's code and one sentence."""

    def __init__(self, pool: Pool[Any]) -> None:
        self.pool = pool
        self.heads = pool.heads
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)  # set by connection_made, before any use
        self.state = IDLE
        self.deadline = 0
        self.armed = 0
        self.born_ns = 0
        self.idle_since_ns = 0
        self.uses = 0
        self.closed = False
        self.reusable = True
        self.poll: Callable[[int], object] | None = None  # asks the kernel; none before the connection stands
        self._held = b""
        self._left = 0
        self._interim = 0
        self._head_request = False
        self._decoder: ChunkedDecoder | None = None

    # -- what subclasses do ---------------------------------------------------------------------------------------

    def whole(self, head: a.AnswerHead, body: bytes) -> None:
        """A whole answer, head and body, came in one read. The connection is IDLE or closed afterwards."""
        raise NotImplementedError

    def began(self, head: a.AnswerHead, more: bool) -> None:
        """The head of an answer whose body comes in pieces; `more`: some of it follows within this read."""
        raise NotImplementedError

    def caught_up(self) -> None:
        """The read that brought a head has been read to its end, and the body goes on."""

    def interim(self, head: a.AnswerHead) -> None:
        """A 1xx answer; the answer itself follows."""

    def pieces(self, pieces: list[bytes]) -> None:
        raise NotImplementedError

    def ended(self, trailers: list[tuple[bytes, bytes]]) -> None:
        raise NotImplementedError

    def failed(self, code: int, kind: str, detail: str) -> None:
        raise NotImplementedError

    def tunnelled(self, data: bytes) -> None:
        """Bytes of a tunnel."""

    def tunnel_over(self) -> None:
        """The upstream ended its side of a tunnel."""

    # -- life ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        poller = select.poll()
        poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)
        self.poll = poller.poll

    def is_made(self) -> bool:
        """Whether the connection ever came to stand."""
        return self.closed or self.poll is not None

    def expect(self, head_request: bool) -> None:
        """A request is about to be written: an answer is due."""
        self.state = HEAD
        self.uses += 1
        self._interim = 0
        self._head_request = head_request

    def is_quiet(self) -> bool:
        """Nothing came and nobody hung up while the connection was idle: asked of the kernel, not of the loop."""
        return self.poll is not None and not self.poll(0)

    def has_unsent(self) -> bool:
        """Whether some of the request is still in our buffer."""
        return not self.closed and self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed:
            return
        self.closed = True
        self.deadline = 0
        self.poll = None
        self.pool.lost(self)
        self._finish_by_end(exc)
        self._decoder = None

    def eof_received(self) -> bool:
        self._finish_by_end(None)
        return False

    def _finish_by_end(self, exc: Exception | None) -> None:
        state = self.state
        if state in (IDLE, ENDED):
            return
        self.reusable = False
        if state == TUNNEL:
            self.state = ENDED
            self.tunnel_over()
            return
        if state == HEAD:
            if self._held:
                self._fail(
                    o.TRUNCATED, "upstream_closed", "The upstream closed the connection within its answer's head."
                )
            elif exc is None:
                self._fail(o.RESET, "upstream_closed", "The upstream closed the connection without an answer.")
            else:
                self._fail(o.RESET, "reset", f"The connection to the upstream broke: {_reason(exc)}.")
        elif state == CLOSE and exc is None:
            self.state = ENDED
            self.ended([])
        else:
            self._fail(o.TRUNCATED, "upstream_closed", "The upstream's answer ended before its end.")

    def _fail(self, code: int, kind: str, detail: str) -> None:
        self.state = ENDED
        self.reusable = False
        self.failed(code, kind, detail)

    def give_up(self) -> None:
        """Nothing more is wanted from this connection: close it at once."""
        self.state = ENDED
        self.reusable = False
        self.deadline = 0
        if not self.closed:
            self.transport.abort()

    # -- reading ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state == HEAD:
            self._read_head(data)
        elif state == LENGTH:
            self._read_length(data)
        elif state == CHUNKED:
            self._read_chunks(data)
        elif state == CLOSE:
            self.pieces([data])
        elif state == TUNNEL:
            self.tunnelled(data)
        else:
            # Bytes nobody asked for: whatever they are, they must not be taken for the next answer.
            self.give_up()

    def _read_head(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        end = data.find(_END) + 4
        size = len(data)
        raw = data if end == size else data[:end]
        recall = self.heads.recall
        head = None if self._head_request else recall(raw)
        if head is None:
            head = self._parsed(data, end)
            if head is None:
                return
        if head.usual and size - end == head.length:
            self.state = IDLE
            self.whole(head, data[end:])
        elif head.status < 200 and head.status != 101:
            self._pass_interim(head, data[end:])
        else:
            self._begin(head, data, end)

    def _parsed(self, data: bytes, end: int) -> a.AnswerHead | None:
        """The head that ends at `end` (3: it has not ended), None where there is none that can be used."""
        if end == 3:
            self._hold(data)
        elif end > MAX_HEAD:
            self._too_long()
        else:
            try:
                return self.heads.parse(data[:end], self._head_request)
            except Refused as e:
                self._fail(o.PROTOCOL_ERROR, "protocol_error", e.detail)
        return None

    def _pass_interim(self, head: a.AnswerHead, rest: bytes) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            self._fail(o.PROTOCOL_ERROR, "protocol_error", "The upstream sent interim answers without end.")
            return
        self.interim(head)
        if rest and self.state == HEAD:
            self._read_head(rest)

    def _too_long(self) -> None:
        detail = f"The upstream's answer has a head of over {MAX_HEAD} bytes."
        self._fail(o.PROTOCOL_ERROR, "protocol_error", detail)

    def _hold(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1."[: len(data)]) or b"\n\n" in data:
            self._fail(o.PROTOCOL_ERROR, "protocol_error", "The upstream's answer is not HTTP/1.")
        elif len(data) > MAX_HEAD:
            self._too_long()
        else:
            self._held = data

    def _begin(self, head: a.AnswerHead, data: bytes, end: int) -> None:
        if not head.keep_alive:
            self.reusable = False
        framing = head.framing
        size = len(data)
        if framing == a.LENGTH:
            if size - end >= head.length:
                if size - end > head.length:
                    self.reusable = False
                self.state = IDLE
                self.whole(head, data[end : end + head.length])
                return
            self.state = LENGTH
            self._left = head.length
        elif framing == a.NONE:
            if size > end and head.status != 101:
                self.reusable = False
            self.state = IDLE
            self.whole(head, data[end:] if head.status == 101 else b"")
            return
        elif framing == a.CHUNKED:
            self.state = CHUNKED
            self._decoder = ChunkedDecoder(MAX_HEAD)
        else:
            self.state = CLOSE
            self.reusable = False
        self.began(head, size > end)
        if size > end and self.state != ENDED:
            self.data_received(data[end:])
            if self.state == CHUNKED:
                self.caught_up()

    def _read_length(self, data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            self.pieces([data])
            return
        if left < 0:
            self.reusable = False
            data = data[:left]
        self.state = IDLE
        self.pieces([data])
        self.ended([])

    def _read_chunks(self, data: bytes) -> None:
        decoder = self._decoder
        assert decoder is not None
        try:
            pieces = decoder.feed(data)
        except ChunkedError as e:
            self._fail(o.PROTOCOL_ERROR, "protocol_error", f"The upstream's chunked answer is broken: {e}.")
            return
        if decoder.done:
            self._decoder = None
            if decoder.rest:
                self.reusable = False
            self.state = IDLE
            if pieces:
                self.pieces(pieces)
            self.ended(decoder.trailers)
        elif pieces:
            self.pieces(pieces)


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
