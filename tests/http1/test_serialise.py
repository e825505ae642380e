from __future__ import annotations

import pytest

from shadowproxy.http1 import answer, request
from shadowproxy.http1.serialise import answer_head, copy_head, request_head

ADDED = b"Via: 1.1 p\r\n"


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


def parsed(*lines: bytes) -> request.RequestHead:
    return request.parse(head(*lines), 100)


# -- production's request

REQUESTS: list[tuple[tuple[bytes, ...], bytes, tuple[bytes, ...]]] = [
    (
        (b"GET /a?b HTTP/1.1", b"hOsT: a.test", b"X-A:  odd ", b"x-a: again"),
        b"",
        (b"GET /a?b HTTP/1.1", b"hOsT: a.test", b"X-A:  odd ", b"x-a: again", b"Via: 1.1 p"),
    ),
    (
        (b"GET / HTTP/1.1", b"A: 1", b"Host: a.test"),
        b"up.test:81",
        (b"GET / HTTP/1.1", b"A: 1", b"Host: up.test:81", b"Via: 1.1 p"),
    ),
    (
        (b"GET / HTTP/1.1", b"Connection: close, A", b"A: 1", b"Host: a.test", b"Keep-Alive: 5"),
        b"",
        (b"GET / HTTP/1.1", b"Host: a.test", b"Via: 1.1 p"),
    ),
    (
        (b"GET / HTTP/1.1", b"Connection: close", b"Host: a.test"),
        b"up.test",
        (b"GET / HTTP/1.1", b"Host: up.test", b"Via: 1.1 p"),
    ),
    (
        (b"POST / HTTP/1.1", b"Host: a.test", b"Transfer-Encoding: chunked"),
        b"",
        (b"POST / HTTP/1.1", b"Host: a.test", b"Transfer-Encoding: chunked", b"Via: 1.1 p"),
    ),
    (
        (b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 3", b"Expect: 100-continue"),
        b"",
        (b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 3", b"Expect: 100-continue", b"Via: 1.1 p"),
    ),
    (
        (b"GET / HTTP/1.1", b"Host: a.test", b"TE: trailers, gzip"),
        b"",
        (b"GET / HTTP/1.1", b"Host: a.test", b"Connection: TE", b"TE: trailers", b"Via: 1.1 p"),
    ),
    (
        (b"GET / HTTP/1.1", b"Host: a.test", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: k"),
        b"",
        (
            b"GET / HTTP/1.1",
            b"Host: a.test",
            b"Sec-WebSocket-Key: k",
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Via: 1.1 p",
        ),
    ),
    (
        (
            b"POST / HTTP/1.1",
            b"Host: a.test",
            b"Upgrade: h2c",
            b"Connection: Upgrade, HTTP2-Settings",
            b"HTTP2-Settings: x",
        ),
        b"",
        (b"POST / HTTP/1.1", b"Host: a.test", b"Via: 1.1 p"),
    ),
    (
        (b"GET http://a.test/x HTTP/1.1", b"Host: a.test"),
        b"",
        (b"GET /x HTTP/1.1", b"Host: a.test", b"Via: 1.1 p"),
    ),
    ((b"GET / HTTP/1.0",), b"", (b"GET / HTTP/1.1", b"Host: ", b"Via: 1.1 p")),
    ((b"GET / HTTP/1.0", b"A: 1"), b"up.test", (b"GET / HTTP/1.1", b"A: 1", b"Host: up.test", b"Via: 1.1 p")),
    ((b"GET http://a.test/ HTTP/1.0",), b"", (b"GET / HTTP/1.1", b"Host: a.test", b"Via: 1.1 p")),
    (
        (b"GET / HTTP/1.1", b"X-Forwarded-For: 1.2.3.4", b"Host: a.test", b"X-Shadow: 1", b"X-Request-ID: no good"),
        b"",
        (b"GET / HTTP/1.1", b"Host: a.test", b"Via: 1.1 p"),
    ),
]


@pytest.mark.parametrize(("came", "host", "leaves"), REQUESTS)
def test_production_gets_the_lines_that_came_less_what_must_not_pass(
    came: tuple[bytes, ...], host: bytes, leaves: tuple[bytes, ...]
) -> None:
    found = parsed(*came)
    before = list(found.lines)
    assert request_head(found, host) + ADDED + b"\r\n" == head(*leaves)
    assert found.lines == before  # a head is shared


# -- a copy


def copy(
    found: request.RequestHead,
    target: bytes | None = None,
    host: bytes = b"",
    without: frozenset[bytes] = frozenset(),
    keep_credentials: bool = False,
) -> bytes:
    target = found.target if target is None else target
    return copy_head(found, target, host, without, keep_credentials, 9) + ADDED + b"\r\n"


CAME = (
    b"POST /v1/a?b HTTP/1.1",
    b"Authorization: secret",
    b"Host: a.test",
    b"Content-Length: 3",
    b"Cookie: c=d",
    b"Expect: 100-continue",
    b"X-Kept:  odd ",
    b"Connection: close",
)


@pytest.mark.parametrize(
    ("how", "leaves"),
    [
        ({}, (b"POST /v1/a?b HTTP/1.1", b"Host: a.test", b"X-Kept:  odd ")),
        ({"target": b"/v1/z?b"}, (b"POST /v1/z?b HTTP/1.1", b"Host: a.test", b"X-Kept:  odd ")),
        ({"host": b"v2.test:81"}, (b"POST /v1/a?b HTTP/1.1", b"Host: v2.test:81", b"X-Kept:  odd ")),
        (
            {"keep_credentials": True},
            (
                b"POST /v1/a?b HTTP/1.1",
                b"Authorization: secret",
                b"Host: a.test",
                b"Cookie: c=d",
                b"X-Kept:  odd ",
            ),
        ),
        ({"without": frozenset({b"x-kept"})}, (b"POST /v1/a?b HTTP/1.1", b"Host: a.test")),
    ],
)
def test_a_copy_has_a_length_of_its_own_and_no_secrets(how: dict[str, object], leaves: tuple[bytes, ...]) -> None:
    found = parsed(*CAME)
    before = list(found.lines)
    assert copy(found, **how) == head(*leaves, b"Content-Length: 9", b"Via: 1.1 p")  # type: ignore[arg-type]
    assert found.lines == before


def test_a_copy_of_a_chunked_request_has_a_length() -> None:
    found = parsed(b"POST / HTTP/1.1", b"Host: a.test", b"Transfer-Encoding: chunked", b"TE: trailers")
    assert copy(found) == head(b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 9", b"Via: 1.1 p")


@pytest.mark.parametrize(
    ("line", "host"), [(b"POST http://a.test/x HTTP/1.1", b"Host: a.test"), (b"POST /x HTTP/1.0", b"Host: a.test")]
)
def test_a_copy_is_in_origin_form_and_http_1_1(line: bytes, host: bytes) -> None:
    assert copy(parsed(line, host)).startswith(b"POST /x HTTP/1.1\r\nHost: a.test\r\n")


@pytest.mark.parametrize(("host", "said"), [(b"", b"Host: "), (b"v2.test", b"Host: v2.test")])
def test_a_copy_of_a_request_without_host_has_one(host: bytes, said: bytes) -> None:
    assert copy(parsed(b"POST / HTTP/1.0"), host=host) == head(
        b"POST / HTTP/1.1", said, b"Content-Length: 9", b"Via: 1.1 p"
    )


# -- an answer

OK, OLD = b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"
SWITCH, UPGRADE, UPGRADED = b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"
FIVE, CHUNKED, B = b"Content-Length: 5", b"Transfer-Encoding: chunked", b"B:  1"
CLOSE, KEEP = b"Connection: close", b"Connection: keep-alive"

# what came, the client speaks HTTP/1.0, the connection ends, what leaves
ANSWERS: list[tuple[tuple[bytes, ...], bool, bool, tuple[bytes, ...]]] = [
    ((b"HTTP/1.1 200 Fine", b"length: 5", B, B), False, False, (b"HTTP/1.1 200 Fine", b"length: 5", B, B, CHUNKED)),
    ((OK, b"content-LENGTH:  5", B, B), False, False, (OK, b"content-LENGTH:  5", B, B)),
    ((OK, FIVE), False, True, (OK, FIVE, CLOSE)),
    ((OK, FIVE), True, False, (OK, FIVE, KEEP)),
    ((OK, FIVE), True, True, (OK, FIVE, CLOSE)),
    ((OK, b"Connection: close, A", b"A: 1", FIVE), False, False, (OK, FIVE)),
    ((OK, CHUNKED, B), False, False, (OK, B, CHUNKED)),
    ((OK, CHUNKED, B), True, True, (OK, B, CLOSE)),
    ((OK, B), False, False, (OK, B, CHUNKED)),
    ((OK, B), False, True, (OK, B, CHUNKED, CLOSE)),
    ((OK, B), True, True, (OK, B, CLOSE)),
    ((OLD, FIVE), False, False, (OK, FIVE)),
    ((b"HTTP/1.1 204 No Content",), False, False, (b"HTTP/1.1 204 No Content",)),
    ((b"HTTP/1.1 304 Not Modified", FIVE), False, False, (b"HTTP/1.1 304 Not Modified", FIVE)),
    ((b"HTTP/1.1 103 Early Hints", B), False, False, (b"HTTP/1.1 103 Early Hints", B)),
    ((SWITCH, UPGRADED, UPGRADE, B), False, False, (SWITCH, UPGRADE, B, UPGRADED)),
]


@pytest.mark.parametrize(("came", "old_client", "close", "leaves"), ANSWERS)
def test_the_client_gets_production_s_lines_and_our_framing(
    came: tuple[bytes, ...], old_client: bool, close: bool, leaves: tuple[bytes, ...]
) -> None:
    found = answer.parse(head(*came), head_request=False)
    assert answer_head(found, old_client=old_client, close=close) == head(*leaves)


def test_one_line_may_be_added_to_an_answer() -> None:
    found = answer.parse(head(b"HTTP/1.1 200 OK", b"Content-Length: 5"), head_request=False)
    assert answer_head(found, old_client=False, close=False, added=b"X-Request-ID: 1\r\n") == head(
        b"HTTP/1.1 200 OK", b"Content-Length: 5", b"X-Request-ID: 1"
    )
