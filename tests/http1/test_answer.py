from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.http1.answer import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, AnswerHead, parse
from shadowproxy.http1.refusal import Refused


def head(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def framed(found: AnswerHead) -> tuple[int, int]:
    return found.framing, found.length


ACCEPTED: list[tuple[bytes, tuple[int, int], dict[str, Any]]] = [
    (head(b"Content-Length: 5"), (LENGTH, 5), {"status": 200, "keep_alive": True, "drop": (), "old": False}),
    (head(b"Content-Length: 0"), (LENGTH, 0), {}),
    (head(b"content-length:5 "), (LENGTH, 5), {"drop": ()}),
    (head(b"Transfer-Encoding: chunked"), (CHUNKED, 0), {"drop": (1,)}),
    (head(b"Transfer-Encoding: Chunked "), (CHUNKED, 0), {}),
    (head(), (UNTIL_CLOSE, 0), {}),
    (head(line=b"HTTP/1.1 200"), (UNTIL_CLOSE, 0), {}),
    (head(line=b"HTTP/1.1 200 "), (UNTIL_CLOSE, 0), {}),
    (head(b"X: \xff", line=b"HTTP/1.1 200 Tr\xe8s bien"), (UNTIL_CLOSE, 0), {}),
    (head(b"X:", b"Y: 1", b"Content-Length: 1"), (LENGTH, 1), {}),
    (head(line=b"HTTP/1.1 204 No Content"), (NONE, 0), {}),
    (head(b"Content-Length: 7", line=b"HTTP/1.1 304 Not Modified"), (NONE, 7), {"drop": ()}),
    (head(b"Transfer-Encoding: chunked", line=b"HTTP/1.1 204 No Content"), (NONE, 0), {"drop": (1,)}),
    (head(line=b"HTTP/1.1 103 Early Hints"), (NONE, 0), {"status": 103}),
    (head(b"Content-Length: 1", line=b"HTTP/1.1 599 ?"), (LENGTH, 1), {"status": 599}),
    (head(b"Connection: close", b"Content-Length: 1"), (LENGTH, 1), {"keep_alive": False, "drop": (1,)}),
    (head(b"Connection: Keep-Alive", b"Content-Length: 1"), (LENGTH, 1), {"keep_alive": True, "drop": (1,)}),
    (head(b"Connection: keep-alive, CLOSE"), (UNTIL_CLOSE, 0), {"keep_alive": False}),
    (head(b"A: 1", b"Connection: a, x-b", b"X-B: 2", b"C: 3"), (UNTIL_CLOSE, 0), {"drop": (3, 2, 1)}),
    (head(b"Keep-Alive: timeout=5", b"Proxy-Connection: x", b"TE: x"), (UNTIL_CLOSE, 0), {"drop": (3, 2, 1)}),
    (head(b"Upgrade: h2c", b"Connection: upgrade", b"Content-Length: 1"), (LENGTH, 1), {"drop": (2, 1)}),
    (head(b"Set-Cookie: a", b"Set-Cookie: b", b"Content-Length: 1"), (LENGTH, 1), {"drop": ()}),
    (head(b"Set-Cookie: a", b"Set-Cookie: b", b"Connection: close"), (UNTIL_CLOSE, 0), {"drop": (3,)}),
    (head(line=b"HTTP/1.0 200 OK"), (UNTIL_CLOSE, 0), {"old": True, "keep_alive": False}),
    (
        head(b"Connection: keep-alive", b"Content-Length: 1", line=b"HTTP/1.0 200 OK"),
        (LENGTH, 1),
        {"keep_alive": True},
    ),
    (
        head(b"Upgrade: websocket", b"Connection: Upgrade", line=b"HTTP/1.1 101 Switching Protocols"),
        (NONE, 0),
        {"status": 101, "drop": (2, 1)},
    ),
]


@pytest.mark.parametrize(("raw", "framing", "facts"), ACCEPTED)
def test_a_head_says_how_its_body_is_framed_and_what_the_client_does_not_get(
    raw: bytes, framing: tuple[int, int], facts: dict[str, Any]
) -> None:
    found = parse(raw, head_request=False)
    assert framed(found) == framing
    assert {name: getattr(found, name) for name in facts} == facts
    assert found.raw == raw


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: 1"])
def test_an_answer_to_head_has_no_body_whatever_it_says(field: bytes) -> None:
    assert parse(head(field), head_request=True).framing == NONE


@pytest.mark.parametrize(
    "raw",
    [
        head(line=b"HTTP/1.1 099 Low"),
        head(line=b"HTTP/1.1 600 High"),
        head(line=b"HTTP/1.1 20 Short"),
        head(line=b"HTTP/1.1 2000 Long"),
        head(line=b"HTTP/1.1 abc"),
        head(line=b"HTTP/2.0 200 OK"),
        head(line=b"HTTP/1.2 200 OK"),
        head(line=b"ICY 200 OK"),
        head(line=b"http/1.1 200 OK"),
        head(line=b"HTTP/1.1 200 O\0K"),
        head(line=b"GET / HTTP/1.1"),
        head(b"Content-Length: 5", b"Content-Length: 5"),
        head(b"Content-Length: 5", b"content-length: 6"),
        head(b"Content-Length: 5, 5"),
        head(b"Content-Length: -5"),
        head(b"Content-Length: +5"),
        head(b"Content-Length: 5a"),
        head(b"Content-Length: "),
        head(b"Content-Length: 99999999999999999999"),
        head(b"Content-Length: 9999999999999999999"),
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        head(b"Transfer-Encoding: gzip"),
        head(b"Transfer-Encoding: gzip, chunked"),
        head(b"Transfer-Encoding: chunked, gzip"),
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        head(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK"),
        head(b"Connection: content-length"),
        head(b"Connection: close, Transfer-Encoding"),
        head(b"X: 1", b" folded"),
        head(b"X : 1"),
        head(b"X"),
        head(b": 1"),
        head(b"X: a\0b"),
        head(b"X: a\rb"),
        head(b"X: a\nb: c"),
        b"HTTP/1.1 200 OK\nX: 1\r\n\r\n",
    ],
)
def test_what_no_client_should_see_is_a_502(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse(raw, head_request=False)
    assert (caught.value.status, caught.value.kind) == (502, "protocol_error")
    assert caught.value.detail.endswith(".")


def test_the_number_of_fields_is_bounded() -> None:
    raw = head(*[b"X: 1"] * 11)
    assert parse(raw, False, max_fields=11).status == 200
    with pytest.raises(Refused):
        parse(raw, False, max_fields=10)
