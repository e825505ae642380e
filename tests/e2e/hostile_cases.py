"""Answers that no client should get to see, as (id, handler, what the client gets, the exchange's outcome).

What the client gets: `Clean(status, kind)` is the proxy's own problem+json; `CUT` is production's head and then a
connection that ends before the answer does; `CUT_OR_CLEAN` either, as the fault may be seen before the head has left;
`Kept(...)` is a good answer in spite of what came with it.
"""

from __future__ import annotations

import gzip
from typing import NamedTuple

from tests.support.upstream import Connection, Handler, Request, replies


class Clean(NamedTuple):
    status: int
    kind: tuple[str, ...]


class Kept(NamedTuple):
    status: int
    body: bytes


CUT = "cut"
CUT_OR_CLEAN = "cut or clean"
PROTOCOL = Clean(502, ("protocol_error",))
CLOSED = Clean(502, ("upstream_closed",))
RESET = Clean(502, ("reset", "upstream_closed"))  # a reset on a used connection is told from a close only by luck
TIMEOUT = Clean(504, ("timeout",))

BROKEN = ("protocol_error",)
SHORT = ("truncated",)
GONE = ("reset", "truncated", "protocol_error")  # nothing came: no document names the one word for it
TORN = ("reset", "truncated")


class Hostile(NamedTuple):
    id: str
    handler: Handler
    client: Clean | Kept | str
    outcomes: tuple[str, ...]
    method: bytes = b"POST"

    @property
    def target(self) -> bytes:
        return b"/hostile/" + self.id.encode()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIVE = b"Content-Length: 5\r\n\r\nhello"


def _status_lines() -> list[Hostile]:
    rows = [
        ("garbage", b"garbage\r\n\r\n"),
        ("binary", bytes(range(128, 256)) * 4),
        ("another-protocol", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("smtp", b"220 mail.test ESMTP\r\n"),
        ("a-request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("tls-alert", b"\x15\x03\x03\x00\x02\x02\x28"),
        ("http-2.0", b"HTTP/2.0 200 OK\r\n" + FIVE),
        ("http-0.9", b"<html>hello</html>\r\n"),
        ("http-9.9", b"HTTP/9.9 200 OK\r\n" + FIVE),
        ("no-version", b"200 OK\r\n" + FIVE),
        ("lower-case", b"http/1.1 200 OK\r\n" + FIVE),
        ("icecast", b"ICY 200 OK\r\n" + FIVE),
        ("rtsp", b"RTSP/1.0 200 OK\r\n" + FIVE),
        ("no-status", b"HTTP/1.1\r\n" + FIVE),
        ("status-letters", b"HTTP/1.1 abc OK\r\n" + FIVE),
        ("status-two-digits", b"HTTP/1.1 20 OK\r\n" + FIVE),
        ("status-four-digits", b"HTTP/1.1 2000 OK\r\n" + FIVE),
        ("status-000", b"HTTP/1.1 000 Zero\r\n" + FIVE),
        ("status-099", b"HTTP/1.1 099 Low\r\n" + FIVE),
        ("status-negative", b"HTTP/1.1 -200 OK\r\n" + FIVE),
        ("101-unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        ("nul-in-reason", b"HTTP/1.1 200 O\0K\r\n" + FIVE),
        ("cr-in-reason", b"HTTP/1.1 200 O\rK\r\n" + FIVE),
        ("reason-endless", b"HTTP/1.1 200 " + b"a" * (1 << 20)),
    ]
    return [Hostile(f"line-{id_}", replies(raw, "close"), PROTOCOL, BROKEN) for id_, raw in rows]


def _fields() -> list[Hostile]:
    rows = [
        ("no-colon", b"X-A\r\n"),
        ("no-name", b": b\r\n"),
        ("space-before-colon", b"X-A : b\r\n"),
        ("space-in-name", b"X A: b\r\n"),
        ("nul-in-name", b"X\0A: b\r\n"),
        ("nul-in-value", b"X-A: b\0c\r\n"),
        ("cr-in-value", b"X-A: b\rSet-Cookie: a=b\r\n"),
        ("folded", b"X-A: b\r\n c\r\n"),
        ("folded-first", b" X-A: b\r\n"),
        ("two-lengths", b"Content-Length: 6\r\n"),
        ("length-and-chunked", b"Transfer-Encoding: chunked\r\n"),
        ("coding-gzip", b"Transfer-Encoding: gzip\r\n"),
        ("connection-names-length", b"Connection: Content-Length\r\n"),
    ]
    cases = [(id_, OK + line + FIVE) for id_, line in rows]
    cases += [
        ("length-negative", OK + b"Content-Length: -5\r\n\r\nhello"),
        ("length-letters", OK + b"Content-Length: five\r\n\r\nhello"),
        ("length-list", OK + b"Content-Length: 5, 5\r\n\r\nhello"),
        ("length-empty", OK + b"Content-Length:\r\n\r\nhello"),
        ("length-overflow", OK + b"Content-Length: 18446744073709551621\r\n\r\nhello"),
        ("coding-unknown", OK + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("coding-twice", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding-gzip-chunked", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("coding-in-1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("huge-value", OK + b"X-A: " + b"a" * (2 << 20) + b"\r\n" + FIVE),
        ("huge-cookie", OK + b"Set-Cookie: a=" + b"b" * (1 << 20) + b"\r\n" + FIVE),
        ("many-fields", OK + b"X-A: b\r\n" * 50000 + FIVE),
    ]
    return [Hostile(f"field-{id_}", replies(raw, "close"), PROTOCOL, BROKEN) for id_, raw in cases]


def _chunks() -> list[Hostile]:
    """The head was good and may have left: then all that remains is to cut."""
    either = CUT_OR_CLEAN
    rows: list[tuple[str, bytes, tuple[str, ...]]] = [
        ("size-letter", b"5\r\nhello\r\nxyz\r\n", BROKEN),
        ("size-negative", b"5\r\nhello\r\n-1\r\nhello\r\n0\r\n\r\n", BROKEN),
        ("size-wraps", b"5\r\nhello\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", BROKEN),
        ("spill", b"5\r\nhello!!\r\n0\r\n\r\n", BROKEN),
        ("lf", b"5\r\nhello\n0\r\n\r\n", BROKEN),
        ("extension-endless", b"5\r\nhello\r\n5;" + b"a" * (1 << 20), BROKEN),
        ("trailers-endless", b"5\r\nhello\r\n0\r\n" + b"X: aaaa\r\n" * 100000, BROKEN),
        ("trailer-no-colon", b"5\r\nhello\r\n0\r\nX\r\n\r\n", BROKEN),
        ("no-last", b"5\r\nhello\r\n", SHORT),
        ("half-chunk", b"5\r\nhello\r\nff\r\nhello", SHORT),
        ("half-size", b"5\r\nhello\r\n5", SHORT),
        ("half-last", b"5\r\nhello\r\n0\r\n", SHORT),
    ]
    return [Hostile(f"chunk-{id_}", replies(CHUNKED + raw, "close"), either, outcomes) for id_, raw, outcomes in rows]


def _ends() -> list[Hostile]:
    def closes(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.close()

    def closes_unread(connection: Connection, request: Request) -> None:
        connection.close()

    def resets(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.reset()

    def half_head(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(OK + b"Content-")
        connection.finish()

    def reset_in_head(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(OK + b"Content-")
        connection.reset()

    short = OK + b"Content-Length: 50\r\n\r\nhello"
    half = Clean(502, ("protocol_error", "upstream_closed"))
    return [
        Hostile("end-at-once", closes, CLOSED, GONE),
        Hostile("end-unread", closes_unread, RESET, GONE),
        Hostile("end-reset", resets, RESET, GONE),
        Hostile("end-in-head", half_head, half, (*BROKEN, *SHORT)),
        Hostile("end-reset-in-head", reset_in_head, Clean(502, (*half.kind, "reset")), GONE),
        Hostile("end-after-100", replies(b"HTTP/1.1 100 Continue\r\n\r\n", "close"), half, GONE),
        Hostile("end-short", replies(short, "close"), CUT_OR_CLEAN, SHORT),
        Hostile("end-short-reset", replies(short, "reset"), CUT_OR_CLEAN, TORN),
        Hostile("end-chunked-reset", replies(CHUNKED + b"5\r\nhello\r\n", "reset"), CUT_OR_CLEAN, TORN),
        Hostile("end-until-close-reset", replies(OK + b"\r\nhello", "reset"), CUT_OR_CLEAN, TORN),
    ]


def _silent() -> list[Hostile]:
    def says(raw: bytes) -> Handler:
        def handler(connection: Connection, request: Request) -> None:
            connection.read_body(request)
            connection.send(raw)
            connection.wait_end()

        return handler

    def endless(piece: bytes, first: bytes = b"") -> Handler:
        def handler(connection: Connection, request: Request) -> None:
            connection.read_body(request)
            connection.send(first)
            while not connection.ended:
                connection.send(piece)

        return handler

    slow = ("timeout",)
    return [
        Hostile("silent-at-all", says(b""), TIMEOUT, slow),
        Hostile("silent-in-line", says(b"HTTP/1.1 2"), TIMEOUT, slow),
        Hostile("silent-in-head", says(OK + b"X-A: b\r\n"), TIMEOUT, slow),
        Hostile("silent-after-100", says(b"HTTP/1.1 100 Continue\r\n\r\n"), TIMEOUT, slow),
        Hostile("silent-in-body", says(OK + b"Content-Length: 50\r\n\r\nhello"), CUT, slow),
        Hostile("silent-in-chunk", says(CHUNKED + b"5\r\nhello\r\n5\r\nhe"), CUT, slow),
        Hostile("endless-head", endless(b"X-A: b\r\n" * 1000, OK), PROTOCOL, BROKEN),
        Hostile("endless-line", endless(b"a" * 8000, b"HTTP/1.1 200 "), PROTOCOL, BROKEN),
        Hostile("endless-100", endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 300), PROTOCOL, BROKEN),
        Hostile("endless-trailers", endless(b"X: aaaa\r\n" * 1000, CHUNKED + b"5\r\nhello\r\n0\r\n"), CUT, BROKEN),
    ]


def _tolerated() -> list[Hostile]:
    """More came than the answer: the answer is good, the connection is not used again."""
    whole = ("complete",)
    zipped = gzip.compress(b"a" * (1 << 20))
    tail = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    drip = OK + FIVE

    def drips(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.drip(drip)

    return [
        Hostile("more-after-length", replies(OK + FIVE + b"more"), Kept(200, b"hello"), whole),
        Hostile("more-is-an-answer", replies(OK + FIVE + tail), Kept(200, b"hello"), whole),
        Hostile("more-after-204", replies(b"HTTP/1.1 204 No Content\r\n\r\nhello"), Kept(204, b""), whole),
        Hostile("more-after-304", replies(b"HTTP/1.1 304 Not Modified\r\n\r\nhello"), Kept(304, b""), whole),
        Hostile("more-after-chunks", replies(CHUNKED + b"5\r\nhello\r\n0\r\n\r\nmore"), Kept(200, b"hello"), whole),
        Hostile("drip", drips, Kept(200, b"hello"), whole),
        Hostile(
            "gzip-bomb",
            replies(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(zipped) + zipped),
            Kept(200, zipped),
            whole,
        ),
    ]


CASES = [*_status_lines(), *_fields(), *_chunks(), *_ends(), *_silent(), *_tolerated()]
