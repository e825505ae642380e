from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.http1.refusal import Refused
from shadowproxy.http1.request import HeadProbe, RequestHead, parse

HOST = b"Host: a.test"


def head(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def parsed(*fields: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = HOST) -> RequestHead:
    return parse(head(line, host, *fields), 100)


def refused(raw: bytes) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        parse(raw, 100)
    assert caught.value.detail.endswith(".")
    return caught.value.status, caught.value.kind


# -- what is accepted


def test_a_plain_request_passes_as_it_came() -> None:
    found = parsed(b"Accept: */*", b"X-Empty:", b"X-Any: \xff\t ~")
    assert (found.method, found.target, found.host, found.host_line) == (b"GET", b"/", b"a.test", 1)
    assert (found.plain, found.seldom, found.old, found.keep_alive) == (True, False, False, True)
    assert (found.drop, found.copy_drop, found.copy_drop_trusted) == ([], [], [])
    assert (found.length, found.chunked, found.websocket, found.request_id) == (0, False, False, b"")


# field, what it means, the fields' numbers (1 is Host) that production, a copy, and a trusted copy do not get
FIELDS: list[tuple[tuple[bytes, ...], dict[str, Any], list[int], list[int], list[int]]] = [
    ((b"Content-Length: 5",), {"length": 5}, [], [2], [2]),
    ((b"Content-Length: 0",), {"length": 0}, [], [2], [2]),
    ((b"Transfer-Encoding: chunked",), {"chunked": True, "seldom": True}, [2], [2], [2]),
    ((b"transfer-encoding:  Chunked ",), {"chunked": True}, [2], [2], [2]),
    ((b"Connection: close",), {"keep_alive": False}, [2], [2], [2]),
    ((b"Connection: CLOSE",), {"keep_alive": False}, [2], [2], [2]),
    ((b"Connection: keep-alive",), {"keep_alive": True}, [2], [2], [2]),
    ((b"Connection: Keep-Alive",), {"keep_alive": True}, [2], [2], [2]),
    ((b"Connection: keep-alive, close",), {"keep_alive": False}, [2], [2], [2]),
    ((b"Connection: keep-alive", b"connection: close"), {"keep_alive": False}, [3, 2], [3, 2], [3, 2]),
    ((b"Connection: ,, ,",), {"keep_alive": True}, [2], [2], [2]),
    ((b"X-A: 1", b"Connection: x-a, X-B", b"x-b: 2", b"X-C: 3"), {}, [4, 3, 2], [4, 3, 2], [4, 3, 2]),
    ((b"Connection: authorization", b"Authorization: b"), {}, [3, 2], [3, 2], [3, 2]),
    ((b"Keep-Alive: timeout=5",), {}, [2], [2], [2]),
    ((b"Proxy-Connection: keep-alive",), {"keep_alive": True}, [2], [2], [2]),
    ((b"TE: gzip",), {"te_trailers": False, "seldom": False}, [2], [2], [2]),
    ((b"TE: gzip, Trailers",), {"te_trailers": True, "seldom": True}, [2], [2], [2]),
    ((b"Connection: TE", b"TE: trailers"), {"te_trailers": True}, [3, 2], [3, 2], [3, 2]),
    ((b"Expect: 100-continue",), {"expect": True}, [], [2], [2]),
    ((b"Expect: 100-Continue",), {"expect": True}, [], [2], [2]),
    ((b"Expect: something",), {"expect": False}, [], [2], [2]),
    ((b"Authorization: Bearer x",), {}, [], [2], []),
    ((b"Proxy-Authorization: Basic x",), {}, [], [2], []),
    ((b"Cookie: a=b", b"cookie: c=d"), {}, [], [3, 2], []),
    ((b"X-Api-Key: k", b"Content-Length: 1"), {"length": 1}, [], [3, 2], [3]),
    ((b"Idempotency-Key: 7",), {"idempotency_key": True}, [], [], []),
    ((b"Via: 1.1 a", b"via: 1.0 b"), {"via": (b"1.1 a", b"1.0 b")}, [], [], []),
    ((b"X-Request-ID: r-1",), {"request_id": b"r-1"}, [], [], []),
    ((b"X-Request-ID: r 1",), {"request_id": b""}, [2], [2], [2]),
    ((b"X-Request-ID: ",), {"request_id": b""}, [2], [2], [2]),
    ((b"X-Request-ID: " + b"a" * 128,), {"request_id": b"a" * 128}, [], [], []),
    ((b"X-Request-ID: " + b"a" * 129,), {"request_id": b""}, [2], [2], [2]),
    ((b"X-Request-ID: a", b"x-request-id: b"), {"request_id": b"a"}, [3], [3], [3]),
    ((b"Connection: x-request-id", b"X-Request-ID: a"), {"request_id": b""}, [3, 2], [3, 2], [3, 2]),
    ((b"Connection: idempotency-key", b"Idempotency-Key: 7"), {"idempotency_key": False}, [3, 2], [3, 2], [3, 2]),
    ((b"traceparent: 00-1-2-01", b"Connection: Traceparent"), {"traces": ()}, [3, 2], [3, 2], [3, 2]),
    ((b"Connection: x-forwarded-for", b"X-Forwarded-For: a"), {"forwarded_for": ()}, [3, 2], [3, 2], [3, 2]),
    ((b"X-Forwarded-Proto: a", b"Connection: x-forwarded-proto"), {"forwarded_proto": b""}, [3, 2], [3, 2], [3, 2]),
    ((b"X-Forwarded-Host: a", b"Connection: x-forwarded-host"), {"forwarded_host": b""}, [3, 2], [3, 2], [3, 2]),
    ((b"X-Forwarded-For: 10.0.0.1",), {"forwarded_for": (b"10.0.0.1",)}, [2], [2], [2]),
    ((b"X-Forwarded-Proto: https",), {"forwarded_proto": b"https"}, [2], [2], [2]),
    ((b"X-Forwarded-Host: b.test",), {"forwarded_host": b"b.test"}, [2], [2], [2]),
    ((b"X-Shadow: 1",), {}, [2], [2], [2]),
    ((b"X-Shadow-Candidate: v9",), {}, [2], [2], [2]),
    ((b"Upgrade: h2c", b"Connection: Upgrade"), {"websocket": False}, [3, 2], [3, 2], [3, 2]),
    ((b"Upgrade: websocket",), {"websocket": False}, [2], [2], [2]),
    ((b"Upgrade: websocket, h2c", b"Connection: Upgrade"), {"websocket": False}, [3, 2], [3, 2], [3, 2]),
    ((b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade"), {"websocket": True}, [3, 2], [3, 2], [3, 2]),
    ((b"X-A: 1", b"x-a: 2", b"X-A: 3"), {}, [], [], []),
    ((b"Accept: a", b"Accept: b", b"Connection: close"), {"keep_alive": False}, [4], [4], [4]),
]


@pytest.mark.parametrize(("fields", "facts", "drop", "copy_drop", "trusted"), FIELDS)
def test_what_a_field_does(
    fields: tuple[bytes, ...], facts: dict[str, Any], drop: list[int], copy_drop: list[int], trusted: list[int]
) -> None:
    found = parsed(*fields)
    assert {name: getattr(found, name) for name in facts} == facts
    assert (found.drop, found.copy_drop, found.copy_drop_trusted) == (drop, copy_drop, trusted)


@pytest.mark.parametrize(
    ("fields", "keep_alive"),
    [
        ((), False),
        ((b"Connection: keep-alive",), True),
        ((b"Connection: Keep-Alive, x",), True),
        ((b"Connection: close",), False),
    ],
)
def test_http_1_0_is_kept_alive_only_when_asked_for(fields: tuple[bytes, ...], keep_alive: bool) -> None:
    found = parsed(*fields, line=b"GET / HTTP/1.0")
    assert (found.old, found.plain, found.keep_alive) == (True, False, keep_alive)


def test_http_1_0_needs_no_host() -> None:
    found = parse(head(b"GET / HTTP/1.0"), 100)
    assert (found.host, found.host_line) == (b"", 0)


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"GET / HTTP/1.0"])
def test_a_websocket_is_opened_by_a_get_of_http_1_1_only(line: bytes) -> None:
    assert not parsed(b"Upgrade: websocket", b"Connection: Upgrade", line=line).websocket


@pytest.mark.parametrize(
    ("line", "host", "target"),
    [
        (b"GET http://a.test HTTP/1.1", HOST, b"/"),
        (b"GET http://a.test/x?y HTTP/1.1", HOST, b"/x?y"),
        (b"GET http://a.test?y HTTP/1.1", HOST, b"/?y"),
        (b"GET http://A.TEST:80/x HTTP/1.1", HOST, b"/x"),
        (b"GET http://a.test/x HTTP/1.1", b"Host: a.test:80", b"/x"),
        (b"GET https://a.test:443/ HTTP/1.1", HOST, b"/"),
        (b"GET HTTP://a.test/ HTTP/1.1", HOST, b"/"),
        (b"GET http://[::1]:8080/ HTTP/1.1", b"Host: [::1]:8080", b"/"),
        (b"GET http://a.test/http://b.test/ HTTP/1.1", HOST, b"/http://b.test/"),
        (b"OPTIONS http://a.test HTTP/1.1", HOST, b"*"),
        (b"OPTIONS http://a.test/ HTTP/1.1", HOST, b"/"),
    ],
)
def test_absolute_form_becomes_origin_form(line: bytes, host: bytes, target: bytes) -> None:
    found = parsed(line=line, host=host)
    assert (found.target, found.plain) == (target, False)


def test_absolute_form_of_http_1_0_says_the_host() -> None:
    assert parse(head(b"GET http://a.test/x HTTP/1.0"), 100).host == b"a.test"


@pytest.mark.parametrize("target", [b"/%2F//../a+b?c=%zz", b"/?", b"//", b"/a;b=c", b"/~!$&'()*+,;=:@"])
def test_a_target_goes_upstream_byte_for_byte(target: bytes) -> None:
    assert parsed(line=b"GET %b HTTP/1.1" % target).target == target


@pytest.mark.parametrize(
    "host", [b"a", b"a.test:", b"a.test:65535", b"127.0.0.1", b"[::1]", b"[::ffff:1.2.3.4]:80", b"a_b-c.test"]
)
def test_hosts_that_are_good(host: bytes) -> None:
    assert parsed(host=b"Host: " + host).host == host


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"])
def test_methods_that_are_known(method: bytes) -> None:
    assert parsed(line=method + b" / HTTP/1.1").method == method


def test_a_field_is_found_whatever_its_case_and_the_first_wins() -> None:
    found = parsed(b"X-Tier:  gold ", b"x-tier: silver")
    assert found.field(b"X-TIER") == b"gold"
    assert found.field(b"x-tie") is None
    assert found.field(b"host") == b"a.test"


# -- what is refused

BAD = (400, "bad_request")
UNKNOWN = (501, "not_implemented")
VERSION = (505, "version")

REFUSED: list[tuple[bytes, tuple[int, str]]] = [
    (head(b"GET / HTTP/1.1"), BAD),
    (head(b"GET / HTTP/1.1", HOST, HOST), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"host: b.test"), BAD),
    (head(b"GET / HTTP/1.0", HOST, HOST), BAD),
    (head(b"GET / HTTP/1.1", b"Host: "), BAD),
    (head(b"GET / HTTP/1.1", b"Host: a b"), BAD),
    (head(b"GET / HTTP/1.1", b"Host: a/b"), BAD),
    (head(b"GET / HTTP/1.1", b"Host: a@b"), BAD),
    (head(b"GET / HTTP/1.1", b"Host: a:123456"), BAD),
    (head(b"GET / HTTP/1.1", b"Host: ::1"), BAD),
    (head(b"GET  / HTTP/1.1", HOST), BAD),
    (head(b"GET / HTTP/1.1 ", HOST), BAD),
    (head(b" GET / HTTP/1.1", HOST), BAD),
    (head(b"get / HTTP/1.1", HOST), BAD),
    (head(b"GET / HTTP/2.0", HOST), VERSION),
    (head(b"GET / HTTP/0.9", HOST), VERSION),
    (head(b"GET / HTTP/1.2", HOST), VERSION),
    (head(b"GET / RTSP/1.0", HOST), VERSION),
    (head(b"PRI * HTTP/2.0"), VERSION),
    (head(b"FOO / HTTP/1.1", HOST), UNKNOWN),
    (head(b"CONNECT a.test:443 HTTP/1.1", HOST), UNKNOWN),
    (head(b"GET /a#b HTTP/1.1", HOST), BAD),
    (head(b"GET * HTTP/1.1", HOST), BAD),
    (head(b"GET a HTTP/1.1", HOST), BAD),
    (head(b"GET ftp://a.test/ HTTP/1.1", HOST), BAD),
    (head(b"GET http://b.test/ HTTP/1.1", HOST), BAD),
    (head(b"GET http://a.test:81/ HTTP/1.1", HOST), BAD),
    (head(b"GET http://u@a.test/ HTTP/1.1", HOST), BAD),
    (head(b"GET http:///x HTTP/1.1", HOST), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X: a", b" folded"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X : a"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b": a"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X: a\0"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X: a\rb"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"X: a\nY: b"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 1", b"Content-Length: 1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 1, 1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: +1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: -1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 0x1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 1 1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 99999999999999999999"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 9999999999999999999"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: "), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Content-Length: 1", b"Transfer-Encoding: chunked"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", b"Content-Length: 1"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), BAD),
    (head(b"POST / HTTP/1.0", HOST, b"Transfer-Encoding: chunked"), BAD),
    (head(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: gzip"), UNKNOWN),
    (head(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: gzip, chunked"), UNKNOWN),
    (head(b"GET / HTTP/1.1", HOST, b"Connection: host"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"Connection: close, Content-Length"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"Connection: transfer-encoding"), BAD),
    (head(b"GET / HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1"), BAD),
    (
        head(b"GET / HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked"),
        BAD,
    ),
    (head(b"\x16\x03\x01\x02\x00\x01", HOST), BAD),
    (head(b"GET /a\nX: HTTP/1.1", HOST), BAD),  # llhttp: a request of HTTP/0.9 and a field X
    (head(b"GET http://a.test/a\nX: HTTP/1.1", HOST), BAD),
]


@pytest.mark.parametrize(("raw", "expected"), REFUSED)
def test_what_is_malformed_or_ambiguous_is_refused(raw: bytes, expected: tuple[int, str]) -> None:
    assert refused(raw) == expected


def test_fields_are_counted_lines_not_names() -> None:
    raw = head(b"GET / HTTP/1.1", HOST, *[b"X: 1"] * 100)
    with pytest.raises(Refused) as caught:
        parse(raw, 100)
    assert (caught.value.status, caught.value.kind) == (431, "head_too_large")
    assert parse(raw, 101).host == b"a.test"


# -- a head that has not come to its end


@pytest.mark.parametrize(("raw", "expected"), REFUSED)
def test_a_probe_says_what_the_whole_head_would(raw: bytes, expected: tuple[int, str]) -> None:
    """Byte by byte; what only the whole shows, a probe lets pass."""
    said = probed(raw)
    assert said in (None, expected)


def probed(raw: bytes) -> tuple[int, str] | None:
    probe = HeadProbe()
    for at in range(len(raw) - 1):
        try:
            probe.feed(raw[at : at + 1])
        except Refused as e:
            return e.status, e.kind
    return None


@pytest.mark.parametrize(
    "raw",
    [b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n\n", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nX: \0"],
)
def test_a_probe_refuses_what_can_never_become_a_head(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        HeadProbe().feed(raw)
    assert caught.value.status == 400


def test_a_probe_lets_a_good_beginning_pass() -> None:
    raw = head(b"POST /v1/predict HTTP/1.1", HOST, b"Content-Length: 5", b"X-Long: " + b"a" * 5000)
    for end in range(1, len(raw) - 3, 97):
        probe = HeadProbe()
        probe.feed(raw[:end])
        probe.feed(raw[end : len(raw) - 3])
        assert probe.count == len(raw) - 3
