"""Good requests and good answers of every shape: what arrives through the proxy must be what arrives directly."""

from __future__ import annotations

import gzip
from typing import NamedTuple

from tests.support.client import get, post

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"a": true}'


class Case(NamedTuple):
    id: str
    request: bytes
    answer: bytes = OK
    ends: bool = False  # the upstream closes behind the answer

    @property
    def method(self) -> bytes:
        return self.request.split(b" ", 1)[0]


def chunked(
    *pieces: bytes, head: bytes = b"POST /chunked HTTP/1.1", trailers: bytes = b"", last: bytes = b"0"
) -> bytes:
    """`pieces` are whole chunks, heads and all."""
    return (
        head
        + b"\r\nHost: model.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(pieces)
        + last
        + b"\r\n"
        + trailers
        + b"\r\n"
    )


def chunk(data: bytes, extension: bytes = b"", form: bytes = b"%x") -> bytes:
    return form % len(data) + extension + b"\r\n" + data + b"\r\n"


def _methods() -> list[Case]:
    bare = ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "PURGE", "M-SEARCH"]
    loaded = ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "PROPFIND"]
    return [
        *[Case(f"method-{m.lower()}", get("/m", method=m)) for m in bare],
        *[Case(f"method-{m.lower()}-with-body", post("/m", b"hello", method=m)) for m in loaded],
    ]


def _targets() -> list[Case]:
    rows = {
        "encoded-slash": "/a%2Fb",
        "encoded-slash-lower": "/a%2fb%2F",
        "encoded-percent": "/a%25b",
        "encoded-nul": "/a%00b",
        "encoded-space": "/a%20b",
        "bad-percent": "/a%zz%",
        "double-slash": "//a//b",
        "only-slashes": "///",
        "dot": "/./a",
        "dot-dot": "/a/../b/..",
        "encoded-dot-dot": "/%2e%2e/a",
        "plus": "/a+b?c+d",
        "query": "/a?b=c&d=e",
        "empty-query": "/a?",
        "two-question-marks": "/a?b?c",
        "query-slash": "/a?b=/c//d",
        "semicolon": "/a;v=1;w/b;",
        "colon": "/v1/models/m:predict",
        "sub-delims": "/!$&'()*+,;=:@",
        "brackets": "/a?b[]=1&b[]=2",
        "tilde": "/~me/-_.",
        "encoded-utf8": "/%E4%BD%A0%e5%a5%bd",
        "long": "/" + "a" * 8000,
        "long-query": "/?" + "a=b&" * 2000,
        "absolute": "http://model.test/a?b",
        "absolute-empty-path": "http://model.test",
        "absolute-query-only": "http://model.test?a=b",
        "absolute-upper-case": "HTTP://MODEL.test/A",
        "root": "/",
    }
    return [
        *[Case(f"target-{id_}", get(target)) for id_, target in rows.items()],
        Case("target-options-star", get("*", method="OPTIONS")),
        Case("target-absolute-with-port", get("http://model.test:8080/a", host="model.test:8080")),
        Case("target-options-absolute", get("http://model.test", method="OPTIONS")),
    ]


def _fields() -> list[Case]:
    def with_lines(*lines: bytes) -> bytes:
        return b"GET /f HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"

    host = b"Host: model.test"
    count = [b"X-%02d: v" % i for i in range(99)]
    size = (16 << 10) - len(with_lines(host, b"X-Long: "))
    rows: dict[str, tuple[bytes, ...]] = {
        "order": (b"Zebra: 1", b"Accept: */*", host, b"alpha: 2", b"MIDDLE: 3"),
        "spelling": (b"hOST: model.test", b"x-UPPER-lower: a", b"ACCEPT: b", b"Dnt: 1"),
        "duplicates": (host, b"X-A: 1", b"X-B: 2", b"X-A: 3", b"x-a: 1"),
        "no-space": (b"Host:model.test", b"X-A:b", b"X-B:"),
        "much-space": (host, b"X-A:   \t b", b"X-B: c  \t"),
        "empty-values": (host, b"X-A:", b"X-B: ", b"Accept:"),
        "obs-text": (host, b"X-A: caf\xe9 \xff\x80", b"X-B: \xe4\xbd\xa0"),
        "tab-inside": (host, b"X-A: b\tc"),
        "odd-names": (host, b"!#$%&'*+-.^_`|~: a", b"X_Y: b", b"1: c"),
        "odd-values": (host, b'X-A: "a\\"b", (c), <d>; e=f,,g', b"X-B: ::::"),
        "cookies": (host, b"Cookie: a=b; c=d", b"Cookie: e=f"),
        "authorization": (host, b"Authorization: Bearer abc.def", b"X-Api-Key: secret"),
        "trace": (host, b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"tracestate: a=b"),
        "range": (host, b"Range: bytes=0-4", b'If-None-Match: "x"'),
        "long-value": (host, b"X-Long: " + b"a" * size),
        "many": (host, *count),
        "ipv6-host": (b"Host: [::1]:8080",),
        "host-with-port": (b"Host: model.test:80",),
        "expectation-of-others": (host, b"X-Expect: 100-continue"),
        "trailer-announced": (host, b"Trailer: X-Sum"),
    }
    return [Case(f"field-{id_}", with_lines(*lines)) for id_, lines in rows.items()]


def _hops() -> list[Case]:
    rows: dict[str, tuple[str, ...]] = {
        "keep-alive": ("Connection: keep-alive", "Keep-Alive: timeout=5", "X-A: b"),
        "named": ("X-Before: 1", "Connection: X-Gone, x-also", "X-Gone: 1", "X-Also: 2", "X-After: 2"),
        "named-twice": ("Connection: X-Gone", "Connection: X-Also", "X-Gone: 1", "X-Also: 2", "X-Gone: 3"),
        "te": ("Connection: TE", "TE: trailers, deflate;q=0.5", "X-A: b"),
        "proxy-connection": ("Proxy-Connection: keep-alive", "X-A: b"),
        "upgrade-h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "X-A: b"),
        "upgrade-unknown": ("Connection: upgrade", "Upgrade: foo/2", "X-A: b"),
        "upgrade-unnamed": ("Upgrade: websocket", "X-A: b"),
        "close-named": ("Connection: close, X-Gone", "X-Gone: 1"),
    }
    return [
        *[Case(f"hop-{id_}", get("/h", *lines)) for id_, lines in rows.items()],
        Case("hop-h2c-with-body", post("/h", b"hello", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")),
        Case("hop-websocket-post", post("/h", b"hello", "Connection: Upgrade", "Upgrade: websocket")),
    ]


def _bodies() -> list[Case]:
    blob = bytes(range(256)) * 40
    return [
        Case("body-empty", post("/b", b"")),
        Case("body-one-byte", post("/b", b"x")),
        Case("body-binary", post("/b", blob)),
        Case("body-crlf", post("/b", b"\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")),
        Case("body-gzip", post("/b", gzip.compress(blob), "Content-Encoding: gzip")),
        Case("body-64k", post("/b", b"a" * 65536)),
        Case("body-300k", post("/b", blob * 30)),
        Case("body-length-spelling", get("/b", "cONTENT-lENGTH:  5 ", "X-After: 1", method="POST") + b"hello"),
        Case("body-length-zeros", get("/b", "Content-Length: 0005", method="POST") + b"hello"),
        Case("chunked-empty", chunked()),
        Case("chunked-one", chunked(chunk(b"hello"))),
        Case("chunked-bytes", chunked(*[chunk(bytes([code])) for code in range(256)])),
        Case("chunked-upper-hex", chunked(chunk(b"a" * 0xABC, form=b"%X"))),
        Case("chunked-zeros", chunked(chunk(b"hello", form=b"0000%x"), last=b"000")),
        Case("chunked-extensions", chunked(chunk(b"hello", b";a=b;c"), chunk(b"you", b';q="x y"'), last=b"0;z")),
        Case("chunked-trailers", chunked(chunk(b"hello"), trailers=b"X-Sum: abc\r\nx-other:  d\r\n")),
        Case("chunked-crlf-inside", chunked(chunk(b"\r\n0\r\n\r\n"), chunk(b"\r\n"))),
        Case("chunked-sizes", chunked(*[chunk(b"b" * size) for size in (1, 15, 16, 17, 255, 4095, 4097, 65535)])),
        Case("chunked-coding-case", chunked(chunk(b"hello")).replace(b": chunked", b": Chunked")),
        Case("chunked-get", chunked(chunk(b"hello"), head=b"GET /chunked HTTP/1.1")),
        Case("chunked-300k", chunked(chunk(blob * 30))),
    ]


def _answers() -> list[Case]:
    def says(line: bytes, *lines: bytes, body: bytes = b"") -> bytes:
        return line + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body

    ok, five, te = b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Transfer-Encoding: chunked"
    zipped = gzip.compress(b"hello" * 100)
    rows: dict[str, bytes] = {
        "status-201": says(b"HTTP/1.1 201 Created", b"Location: /a", five, body=b"hello"),
        "status-404": says(b"HTTP/1.1 404 Not Found", five, body=b"hello"),
        "status-500": says(b"HTTP/1.1 500 Internal Server Error", five, body=b"hello"),
        "status-503": says(b"HTTP/1.1 503 Busy", b"Retry-After: 7", five, body=b"hello"),
        "status-299": says(b"HTTP/1.1 299 Odd", five, body=b"hello"),
        "status-599": says(b"HTTP/1.1 599 Odd", five, body=b"hello"),
        "status-418": says(b"HTTP/1.1 418 I'm a teapot", five, body=b"hello"),
        "redirect": says(b"HTTP/1.1 302 Found", b"Location: //elsewhere.test/%2F", b"Content-Length: 0"),
        "reason-odd": says(b"HTTP/1.1 200 Sure thing! (\xe9) \t:-)", five, body=b"hello"),
        "reason-empty": says(b"HTTP/1.1 200 ", five, body=b"hello"),
        "reason-absent": says(b"HTTP/1.1 200", five, body=b"hello"),
        "no-fields-but-length": says(ok, five, body=b"hello"),
        "length-zero": says(ok, b"Content-Length: 0"),
        "204": says(b"HTTP/1.1 204 No Content", b"X-A: b"),
        "304": says(b"HTTP/1.1 304 Not Modified", b'ETag: "x"'),
        "304-with-length": says(b"HTTP/1.1 304 Not Modified", b'ETag: "x"', b"Content-Length: 500"),
        "206": says(b"HTTP/1.1 206 Partial Content", b"Content-Range: bytes 0-4/50", five, body=b"hello"),
        "order": says(ok, b"Zebra: 1", b"server: x", five, b"alpha: 2", b"DATE: now", body=b"hello"),
        "no-date": says(ok, b"X-A: b", five, body=b"hello"),
        "duplicates": says(ok, b"X-A: 1", b"Vary: a", b"X-A: 2", b"vary: b", five, body=b"hello"),
        "set-cookies": says(
            ok, b"Set-Cookie: a=b", b"Set-Cookie: c=d; Path=/", b"set-cookie: a=b", five, body=b"hello"
        ),
        "spaces": says(ok, b"X-A:b", b"X-B:  \t c \t", b"X-C:", b"Content-Length:5", body=b"hello"),
        "obs-text": says(ok, b"X-A: caf\xe9 \xff", five, body=b"hello"),
        "odd-names": says(ok, b"!#$%&'*+-.^_`|~: a", b"X_Y: b", five, body=b"hello"),
        "named": says(ok, b"Connection: X-Gone", b"X-Gone: 1", b"X-Stays: 2", five, body=b"hello"),
        "keep-alive": says(ok, b"Connection: keep-alive", b"Keep-Alive: timeout=5, max=9", five, body=b"hello"),
        "via-and-id": says(ok, b"Via: 1.1 other", b"X-Request-ID: mine", b"X-Shadow: 1", five, body=b"hello"),
        "gzip": says(ok, b"Content-Encoding: gzip", b"Content-Length: %d" % len(zipped), body=zipped),
        "gzip-chunked": says(ok, b"Content-Encoding: gzip", te, body=chunk(zipped) + b"0\r\n\r\n"),
        "chunked": says(ok, te, body=chunk(b"hello") + chunk(b"you") + b"0\r\n\r\n"),
        "chunked-empty": says(ok, te, body=b"0\r\n\r\n"),
        "chunked-extension": says(ok, te, body=chunk(b"hello", b";a=b") + b"0;c\r\n\r\n"),
        "chunked-trailers": says(ok, te, b"Trailer: X-Sum", body=chunk(b"hello") + b"0\r\nX-Sum: a\r\nx-b:\r\n\r\n"),
        "chunked-bytes": says(ok, te, body=b"".join(chunk(bytes([c])) for c in range(256)) + b"0\r\n\r\n"),
        "large-head": says(ok, *[b"X-%d: %b" % (i, b"v" * 200) for i in range(60)], five, body=b"hello"),
        "large-body": says(ok, b"Content-Length: 3000000", body=b"0123456789" * 300000),
        "100": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        "102": b"HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n" * 2 + OK,
        "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n" + OK,
        "many-1xx": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    }
    closing: dict[str, bytes] = {
        "until-close": says(ok, b"X-A: b", body=b"hello" * 1000),
        "until-close-empty": says(ok, b"X-A: b"),
        "until-close-1.0": says(b"HTTP/1.0 200 OK", b"X-A: b", body=b"hello"),
        "until-close-named": says(ok, b"Connection: close", body=b"hello"),
        "length-and-close": says(ok, b"Connection: close", five, body=b"hello"),
        "chunked-and-close": says(ok, b"Connection: close", te, body=chunk(b"hello") + b"0\r\n\r\n"),
        "length-1.0": says(b"HTTP/1.0 200 Fine", five, body=b"hello"),
        "204-and-close": says(b"HTTP/1.1 204 No Content", b"Connection: close"),
    }
    return [
        *[Case(f"answer-{id_}", get("/a"), raw) for id_, raw in rows.items()],
        *[Case(f"answer-{id_}", get("/a"), raw, ends=True) for id_, raw in closing.items()],
        Case(
            "answer-length-1.0-kept",
            get("/a"),
            says(b"HTTP/1.0 200 OK", b"Connection: keep-alive", five, body=b"hello"),
        ),
    ]


def _heads() -> list[Case]:
    """Answers to HEAD have the fields of an answer with a body, and none."""
    request = get("/head", method="HEAD")
    ok = b"HTTP/1.1 200 OK\r\n"
    return [
        Case("head-length", request, ok + b"Content-Length: 500\r\n\r\n"),
        Case("head-length-zero", request, ok + b"Content-Length: 0\r\n\r\n"),
        Case("head-no-length", request, ok + b"X-A: b\r\n\r\n"),
        Case("head-chunked", request, ok + b"Transfer-Encoding: chunked\r\n\r\n"),
        Case("head-404", request, b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"),
    ]


def _old() -> list[Case]:
    """HTTP/1.0 clients; their connection ends with the answer unless they ask for more."""
    line = b"GET /old HTTP/1.0\r\nHost: model.test\r\n"
    post_line = b"POST /old HTTP/1.0\r\nHost: model.test\r\nContent-Length: 5\r\n\r\nhello"
    piece = chunk(b"hello")
    return [
        Case("old-get", line + b"\r\n"),
        Case("old-keep-alive", line + b"Connection: keep-alive\r\n\r\n"),
        Case("old-post", post_line),
        Case(
            "old-chunked-answer",
            line + b"\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + piece + b"0\r\n\r\n",
        ),
        Case("old-until-close", line + b"\r\n", b"HTTP/1.0 200 OK\r\n\r\nhello", ends=True),
        Case(
            "old-head",
            b"HEAD /old HTTP/1.0\r\nHost: model.test\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        ),
    ]


CASES = [*_methods(), *_targets(), *_fields(), *_hops(), *_bodies(), *_answers(), *_heads(), *_old()]
