"""One request ahead shows what kind of answers come, and each kind is counted as it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shadowproxy.bench.address import parse
from shadowproxy.bench.connection import Connection, Headless, Streaming, Unbounded
from shadowproxy.bench.lane import Lane
from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.plan import Plan, request_bytes
from shadowproxy.bench.probe import kind_of

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\nhello"
EVENTS_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# A comment, an event in two pieces, two events at once with CRLF, the end: three events in two arrivals.
PIECES = [
    EVENTS_HEAD + _chunk(b": alive\n\n"),
    _chunk(b"data: a"),
    _chunk(b"\n\n"),
    _chunk(b"event: t\r\ndata: b\r\n\r\ndata: c\r\n\r\n"),
    b"0\r\n\r\n",
]


@asynccontextmanager
async def _serving(pieces: list[bytes], gap_s: float = 0.0, *, close: bool = False) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    if gap_s:
                        await asyncio.sleep(gap_s)
                if close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _plan(port: int, method: str = "GET", rate_per_s: float = 50) -> Plan:
    request = request_bytes(method, "/", "h", b"", {})
    return Plan(
        parse(f"http://127.0.0.1:{port}/"), [request], rate_per_s, duration_s=0.2, connections=4, timeout_s=2, grace_s=3
    )


async def _offered(plan: Plan) -> tuple[type[Connection], Outcome]:
    kind = await kind_of(plan)
    lane = Lane(plan, kind)
    await lane.open()
    try:
        return kind, await lane.run()
    finally:
        await lane.close()


@pytest.mark.parametrize(
    ("pieces", "method", "close", "expected"),
    [
        ([SIZED], "GET", False, Connection),
        ([HEAD], "HEAD", False, Headless),
        ([UNSIZED], "GET", True, Unbounded),
        (PIECES, "GET", False, Streaming),
    ],
)
async def test_every_kind_of_answer_is_counted(
    pieces: list[bytes], method: str, close: bool, expected: type[Connection]
) -> None:
    async with _serving(pieces, close=close) as port:
        kind, outcome = await _offered(_plan(port, method))
    assert kind is expected
    assert (outcome.ok, outcome.errors) == (10, {})


async def test_events_are_counted_and_timed() -> None:
    async with _serving(PIECES, gap_s=0.02) as port:
        _, outcome = await _offered(_plan(port))
    stream = outcome.stream
    assert stream is not None
    assert (stream.events, stream.first.count, stream.gaps.count) == (30, 10, 10)
    # The first event is whole with the third piece, 40 ms after the request; the next two 20 ms later.
    assert stream.first.smallest_ns >= 38e6
    assert stream.gaps.smallest_ns >= 15e6


async def test_nobody_there_is_an_error() -> None:
    async with _serving([SIZED]) as port:
        pass
    with pytest.raises(OSError, match="onnect"):
        await kind_of(_plan(port))


async def test_a_connection_that_ends_without_an_answer_is_an_error() -> None:
    async with _serving([b""], close=True) as port:
        with pytest.raises(OSError, match="closed without an answer"):
            await kind_of(_plan(port))


async def test_what_is_no_http_is_an_error() -> None:
    async with _serving([b"220 mail ESMTP\r\n"]) as port:
        with pytest.raises(OSError, match="no HTTP"):
            await kind_of(_plan(port))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_server_that_keeps_silent_at_the_handshake_is_given_up_in_time(method: str) -> None:
    """As one does that speaks no TLS and waits for the rest of a request's head."""
    async with _serving([SIZED]) as port:
        plain = _plan(port, method)
        plan = replace(
            plain, address=parse(f"https://127.0.0.1:{port}/"), tls=ssl.create_default_context(), timeout_s=0.2
        )
        with pytest.raises(OSError, match=r"no connection within 0\.2 s"):
            await _offered(plan)
