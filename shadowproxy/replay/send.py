"""One request to one upstream: trouble on the wire is data, so every attempt ends in one exchange with an outcome."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Final

import aiohttp
from yarl import URL

from shadowproxy.core import jsontext, outcome
from shadowproxy.proxy.copies import json_keys
from shadowproxy.replay.requests import Request
from shadowproxy.settings.snapshot import Candidate
from shadowproxy.wire import frames

# JUDGEMENT's rule for `timeout: auto`: three times what production took, within these.
_LEAST_S, _MOST_S, _FACTOR = 5.0, 600.0, 3.0
_STREAM: Final = b"text/event-stream"

_TROUBLE: Final[Sequence[tuple[type[BaseException], int]]] = (
    (asyncio.TimeoutError, outcome.TIMEOUT),
    (aiohttp.ClientConnectorError, outcome.CONNECT_ERROR),
    (aiohttp.ClientSSLError, outcome.CONNECT_ERROR),
    (aiohttp.ServerDisconnectedError, outcome.RESET),
    (aiohttp.ClientPayloadError, outcome.RESET),
    (aiohttp.ClientOSError, outcome.RESET),
    (aiohttp.ClientError, outcome.PROTOCOL_ERROR),
    (ValueError, outcome.PROTOCOL_ERROR),
)


class RewriteError(Exception):
    """The body has no place where `json.set` points to."""


class Upstream:
    """An upstream as its settings say that it is spoken to."""

    def __init__(
        self, session: aiohttp.ClientSession, settings: Candidate, role: int, clock: Callable[[], int]
    ) -> None:
        self._session = session
        self._settings = settings
        self._role = role
        self._clock = clock
        self._json = [(json_keys(path), json.dumps(value, ensure_ascii=False)) for path, value in settings.json_set]

    def _body(self, body: bytes) -> bytes:
        try:
            return bytes(jsontext.replaced(body, self._json)) if self._json else body
        except jsontext.NotThereError as e:
            raise RewriteError(str(e)) from e

    def _target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        if self._settings.path_replace:
            path = path.replace(self._settings.path_replace, self._settings.path_with or "", 1)
        return path + mark + query

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        given = self._settings.headers_set
        without = {name.lower() for name, _ in given} | {name.lower() for name in self._settings.headers_remove}
        kept = [(name, value) for name, value in request.headers if name.lower() not in without]
        id_ = str(request.record.get("id") or "")
        if id_.isprintable() and "x-request-id" not in {name.lower() for name, _ in kept}:
            kept.append(("X-Request-ID", id_))
        return [*kept, *given, ("X-Shadow", "1"), ("X-Shadow-Candidate", self._settings.name)]

    def _timeout_s(self, request: Request) -> float:
        if self._settings.timeout is not None:
            return self._settings.timeout
        took = ((request.record.get("production") or {}).get("timing_ms") or {}).get("total") or 0.0
        return min(_MOST_S, max(_LEAST_S, _FACTOR * took / 1000))

    async def ask(self, request: Request, arrived_ns: int) -> frames.Exchange:
        """Raises RewriteError and nothing else. `arrived_ns` is when the request was due, by our clock."""
        body = self._body(request.body)
        began = self._clock()
        seen = SimpleNamespace(connect=frames.UNKNOWN, sent=frames.UNKNOWN)
        answer = _Answer(self._settings.answer_up_to)
        result, error = outcome.COMPLETE, b""
        try:
            async with asyncio.timeout(self._timeout_s(request)):
                await self._exchange(request, body, answer, seen)
        except (TimeoutError, Exception) as e:  # noqa: BLE001 - whatever it is, it ends in an exchange
            result = next((code for kind, code in _TROUBLE if isinstance(e, kind)), outcome.PROTOCOL_ERROR)
            error = (str(e) or type(e).__name__).encode()[:500]
        if result == outcome.COMPLETE and answer.is_cut:
            result = outcome.TRUNCATED
        total = self._clock() - began
        return frames.Exchange(
            role=self._role,
            outcome=result,
            dropped=0,
            flags=frames.BODY_TRUNCATED if answer.is_cut else 0,
            status=answer.status,
            start=max(0, began - arrived_ns),
            connect=_since(seen.connect, began),
            sent=_since(seen.sent, began),
            first_byte=_since(answer.first_ns, began),
            total=total,
            stalled=0,
            head=answer.head,
            body=bytes(answer.body),
            body_bytes=answer.length,
            error=error,
            arrivals=b"".join(frames.arrival(_since(at, began), size) for at, size in answer.arrivals),
        )

    async def _exchange(self, request: Request, body: bytes, answer: _Answer, seen: SimpleNamespace) -> None:
        url = URL(self._settings.url.rstrip("/") + self._target(request.target), encoded=True)
        async with self._session.request(
            request.method,
            url,
            data=body or None,
            headers=self._headers(request),
            allow_redirects=False,
            trace_request_ctx=seen,
        ) as response:
            answer.begin(response, self._clock())
            async for chunk in response.content.iter_any():
                answer.take(chunk, self._clock())
                if answer.is_cut:
                    break


def _since(at: int, began: int) -> int:
    return frames.UNKNOWN if at == frames.UNKNOWN else max(0, at - began)


class _Answer:
    """What came of an answer so far."""

    def __init__(self, limit: int) -> None:
        self.status = 0
        self.head = b""
        self.body = bytearray()
        self.length = 0
        self.first_ns = frames.UNKNOWN
        self.is_cut = False
        self.arrivals: list[tuple[int, int]] = []
        self._limit = limit
        self._is_stream = False

    def begin(self, response: aiohttp.ClientResponse, now: int) -> None:
        self.status = response.status
        self.first_ns = now
        fields = b"".join(b"%s: %s\r\n" % field for field in response.raw_headers)
        self.head = b"HTTP/1.1 %d %s\r\n%s\r\n" % (
            self.status,
            (response.reason or "").encode("latin-1", "replace"),
            fields,
        )
        self._is_stream = response.headers.get("Content-Type", "").encode().startswith(_STREAM)

    def take(self, chunk: bytes, now: int) -> None:
        self.length += len(chunk)
        self.body += chunk[: self._limit - len(self.body)]
        self.is_cut = self.length > self._limit
        if self._is_stream:
            self.arrivals.append((now, self.length))


def tracing(clock: Callable[[], int] = time.monotonic_ns) -> aiohttp.TraceConfig:
    """Notes in a request's context when its connection stood and when its last byte was written."""
    trace = aiohttp.TraceConfig()

    async def connected(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connect = context.trace_request_ctx.sent = clock()

    async def sent(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.sent = clock()

    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(sent)
    trace.on_request_headers_sent.append(sent)
    trace.on_request_chunk_sent.append(sent)
    return trace
