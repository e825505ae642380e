"""Requests that must be refused: one table a family, each row with what is wrong and the rule that says so.

`BAD` is 400 bad_request. Where the documents leave the choice open a row allows more than one answer, and says why.
A request in `HEADS` is wrong in its head, one in `BODIES` in its body: its head is good.
"""

from __future__ import annotations

from typing import NamedTuple

Expected = tuple[tuple[int, str], ...]

BAD: Expected = ((400, "bad_request"),)
VERSION: Expected = ((505, "version"),)
BAD_VERSION: Expected = BAD + VERSION  # not of the form HTTP/d.d: malformed, or a version that is not spoken
UNKNOWN: Expected = ((501, "not_implemented"),)
BAD_OR_UNKNOWN: Expected = BAD + UNKNOWN  # no known name, and spelled as none of ours would be
TOO_LARGE: Expected = ((431, "head_too_large"),)
LONG_TARGET: Expected = ((414, "head_too_large"),)
BODY_TOO_LARGE: Expected = ((413, "body_too_large"),)
METERED: Expected = BAD + TOO_LARGE  # bytes without progress: either, says the rule on one read
LOOP: Expected = ((508, "loop"),)

HOST = b"Host: model.test"
BODY_LIMIT = 4096  # what the proxy under test allows
HEAD_LIMIT = 16 << 10


class Case(NamedTuple):
    id: str
    raw: bytes
    expected: Expected
    why: str


def _head(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    return end.join((*lines, b"", b""))


def _lines() -> list[Case]:
    rows: list[tuple[str, bytes, Expected, str]] = [
        ("two-spaces-before-target", b"GET  / HTTP/1.1", BAD, "RFC 9112 §3: single spaces"),
        ("two-spaces-before-version", b"GET /  HTTP/1.1", BAD, "RFC 9112 §3"),
        ("space-in-front", b" GET / HTTP/1.1", BAD, "RFC 9112 §3"),
        ("space-behind", b"GET / HTTP/1.1 ", BAD, "RFC 9112 §3"),
        ("fourth-word", b"GET / HTTP/1.1 more", BAD, "RFC 9112 §3"),
        ("space-in-target", b"GET /a b HTTP/1.1", BAD, "RFC 9112 §3.2: no white space in a target"),
        ("tab-for-space", b"GET\t/\tHTTP/1.1", BAD, "RFC 9112 §3"),
        ("tab-before-version", b"GET /\tHTTP/1.1", BAD, "RFC 9112 §3"),
        ("vertical-tab", b"GET\x0b/ HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9112 §3"),
        ("cr-in-line", b"GET /\r HTTP/1.1", BAD_VERSION, "RFC 9112 §2.2: a bare CR"),
        (
            "lf-and-a-field-behind",
            b"GET /\nX: HTTP/1.1",
            BAD,
            "RFC 9112 §2.2: llhttp takes it for HTTP/0.9 and a field X",
        ),
        ("no-target", b"GET HTTP/1.1", BAD_VERSION, "RFC 9112 §3"),
        ("empty-target", b"GET  HTTP/1.1", BAD, "RFC 9112 §3.2"),
        ("no-version", b"GET /", BAD_VERSION, "HTTP/0.9 has no fields, and is not spoken"),
        ("no-version-but-space", b"GET / ", BAD_VERSION, "RFC 9112 §3"),
        ("method-only", b"GET", BAD_OR_UNKNOWN, "RFC 9112 §3"),
        ("an-answer", b"HTTP/1.1 200 OK", BAD_OR_UNKNOWN, "an answer is no request"),
        ("http-2.0", b"GET / HTTP/2.0", VERSION, "RFC 9110 §15.6.6"),
        ("http-3.0", b"GET / HTTP/3.0", VERSION, "RFC 9110 §15.6.6"),
        ("http-0.9", b"GET / HTTP/0.9", BAD_VERSION, "RFC 9110 §15.6.6"),
        ("http-1.2", b"GET / HTTP/1.2", BAD_VERSION, "1.0 and 1.1 only"),
        ("http-9.9", b"GET / HTTP/9.9", BAD_VERSION, "1.0 and 1.1 only"),
        ("http-1.10", b"GET / HTTP/1.10", BAD_VERSION, "RFC 9112 §2.3: one digit each"),
        ("http-01.1", b"GET / HTTP/01.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-1", b"GET / HTTP/1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-1.", b"GET / HTTP/1.", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-.1", b"GET / HTTP/.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-x.y", b"GET / HTTP/x.y", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-1.1.1", b"GET / HTTP/1.1.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-1,1", b"GET / HTTP/1,1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-minus", b"GET / HTTP/-1.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-lower-case", b"GET / http/1.1", BAD_VERSION, "RFC 9112 §2.3: case-sensitive"),
        ("http-mixed-case", b"GET / Http/1.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("http-space", b"GET / HTTP /1.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("https-version", b"GET / HTTPS/1.1", BAD_VERSION, "RFC 9112 §2.3"),
        ("icecast", b"GET / ICE/1.0", BAD_VERSION, "llhttp knows it, HTTP does not"),
        ("rtsp", b"DESCRIBE / RTSP/1.0", BAD_VERSION + UNKNOWN, "llhttp knows it, HTTP does not"),
        ("source", b"SOURCE / ICE/1.0", BAD_VERSION + UNKNOWN, "llhttp knows it, HTTP does not"),
        ("method-lower-case", b"get / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §9.1: case-sensitive"),
        ("method-mixed-case", b"Get / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §9.1"),
        ("method-unknown", b"FOO / HTTP/1.1", UNKNOWN, "RFC 9110 §9.1: 501"),
        ("method-at", b"G@T / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §5.6.2: no token"),
        ("method-parentheses", b"(GET) / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §5.6.2"),
        ("method-colon", b"GET: / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §5.6.2"),
        ("method-nul", b"GE\0T / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §5.6.2"),
        ("method-obs-text", b"G\xc9T / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9110 §5.6.2"),
        ("method-empty", b" / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9112 §3"),
        ("method-long", b"A" * 1000 + b" / HTTP/1.1", BAD_OR_UNKNOWN, "no method is so long"),
        ("nul-in-front", b"\0GET / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9112 §3"),
        ("byte-order-mark", b"\xef\xbb\xbfGET / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9112 §3"),
        ("connect", b"CONNECT model.test:443 HTTP/1.1", BAD_OR_UNKNOWN, "no tunnels to anywhere"),
        ("connect-path", b"CONNECT / HTTP/1.1", BAD_OR_UNKNOWN, "RFC 9112 §3.2.3"),
    ]
    return [Case(f"line-{id_}", _head(line, HOST), expected, why) for id_, line, expected, why in rows]


def _targets() -> list[Case]:
    rows: list[tuple[str, bytes, bytes, Expected, str]] = [
        ("fragment", b"GET", b"/a#b", BAD, "RFC 9112 §3.2: no fragment in a target"),
        ("fragment-empty", b"GET", b"/#", BAD, "RFC 9112 §3.2"),
        ("fragment-in-query", b"GET", b"/?a#b", BAD, "RFC 9112 §3.2"),
        ("star-get", b"GET", b"*", BAD, "RFC 9112 §3.2.4: OPTIONS only"),
        ("star-put", b"PUT", b"*", BAD, "RFC 9112 §3.2.4"),
        ("star-more", b"OPTIONS", b"*x", BAD, "RFC 9112 §3.2.4"),
        ("relative", b"GET", b"a", BAD, "RFC 9112 §3.2"),
        ("dot-dot", b"GET", b"../a", BAD, "RFC 9112 §3.2"),
        ("query-only", b"GET", b"?a=b", BAD, "RFC 9112 §3.2"),
        ("backslash", b"GET", b"\\a", BAD, "RFC 9112 §3.2"),
        ("authority-form", b"GET", b"model.test:80", BAD, "RFC 9112 §3.2.3: CONNECT only"),
        ("other-host", b"GET", b"http://other.test/", BAD, "RFC 9112 §3.2.2 against Host"),
        ("other-port", b"GET", b"http://model.test:81/", BAD, "RFC 9112 §3.2.2 against Host"),
        ("userinfo", b"GET", b"http://me@model.test/", BAD, "RFC 9110 §4.2.4"),
        ("userinfo-is-host", b"GET", b"http://model.test@other.test/", BAD, "RFC 9110 §4.2.4"),
        ("no-authority", b"GET", b"http:///a", BAD, "RFC 9110 §4.2.1"),
        ("scheme-only", b"GET", b"http://", BAD, "RFC 9110 §4.2.1"),
        ("one-slash", b"GET", b"http:/a", BAD, "RFC 9110 §4.2.1"),
        ("ftp", b"GET", b"ftp://model.test/", BAD, "a scheme that is not served"),
        ("file", b"GET", b"file:///etc/passwd", BAD, "a scheme that is not served"),
        ("no-scheme", b"GET", b"://model.test/", BAD, "RFC 3986 §3.1"),
        ("control", b"GET", b"/a\x01b", BAD, "RFC 3986 §2"),
        ("nul", b"GET", b"/a\0b", BAD, "RFC 3986 §2"),
        ("delete", b"GET", b"/a\x7fb", BAD, "RFC 3986 §2"),
        ("escape", b"GET", b"/a\x1bb", BAD, "RFC 3986 §2"),
        ("form-feed", b"GET", b"/a\x0cb", BAD, "RFC 3986 §2"),
        ("too-long", b"GET", b"/" + b"a" * 20000, LONG_TARGET, "limits.head; RFC 9112 §3: 414"),
        ("query-too-long", b"GET", b"/?" + b"a" * 20000, LONG_TARGET, "limits.head; RFC 9112 §3: 414"),
    ]
    return [
        Case(f"target-{id_}", _head(b"%b %b HTTP/1.1" % (method, target), HOST), expected, why)
        for id_, method, target, expected, why in rows
    ]


def _hosts() -> list[Case]:
    rows: list[tuple[str, bytes, str]] = [
        ("empty", b"", "nothing is served without a name"),
        ("path", b"model.test/a", "RFC 9110 §7.2: host and port only"),
        ("userinfo", b"me@model.test", "RFC 9110 §7.2"),
        ("list", b"model.test, other.test", "RFC 9110 §7.2"),
        ("space", b"model test", "RFC 9110 §7.2"),
        ("tab", b"model\ttest", "RFC 9110 §7.2"),
        ("scheme", b"http://model.test", "RFC 9110 §7.2"),
        ("query", b"model.test?a", "RFC 9110 §7.2"),
        ("fragment", b"model.test#a", "RFC 9110 §7.2"),
        ("angle", b"<model.test>", "RFC 9110 §7.2"),
        ("quote", b'"model.test"', "RFC 9110 §7.2"),
        ("backslash", b"model.test\\a", "RFC 9110 §7.2"),
        ("obs-text", b"mod\xe9l.test", "RFC 9110 §7.2"),
        ("port-name", b"model.test:http", "RFC 3986 §3.2.3: digits"),
        ("port-minus", b"model.test:-1", "RFC 3986 §3.2.3"),
        ("port-plus", b"model.test:+80", "RFC 3986 §3.2.3"),
        ("two-ports", b"model.test:80:80", "RFC 3986 §3.2.3"),
        ("bare-ipv6", b"::1", "RFC 3986 §3.2.2: in brackets"),
        ("open-bracket", b"[::1", "RFC 3986 §3.2.2"),
        ("empty-bracket-tail", b"[::1]x", "RFC 3986 §3.2.2"),
        ("no-ipv6", b"[model.test]", "RFC 3986 §3.2.2"),
    ]
    cases = [Case(f"host-{id_}", _head(b"GET / HTTP/1.1", b"Host: " + value), BAD, why) for id_, value, why in rows]
    wrong: list[tuple[str, tuple[bytes, ...]]] = [
        ("missing", ()),
        ("missing-with-others", (b"Accept: */*",)),
        ("twice", (HOST, HOST)),
        ("twice-different", (HOST, b"Host: other.test")),
        ("twice-apart", (HOST, b"Accept: */*", b"host: model.test")),
        ("space-before-colon", (b"Host : model.test",)),
        ("folded", (b"Host: model.test", b" other.test")),
    ]
    return cases + [
        Case(f"host-{id_}", _head(b"GET / HTTP/1.1", *lines), BAD, "RFC 9112 §3.2: exactly one") for id_, lines in wrong
    ]


def _fields() -> list[Case]:
    rows: list[tuple[str, bytes, str]] = [
        ("space-before-colon", b"X-A : b", "RFC 9112 §5.1"),
        ("tab-before-colon", b"X-A\t: b", "RFC 9112 §5.1"),
        ("no-colon", b"X-A", "RFC 9112 §5"),
        ("no-name", b": b", "RFC 9112 §5"),
        ("space-in-name", b"X A: b", "RFC 9112 §5.1"),
        ("folded", b"X-A: b\r\n c", "RFC 9112 §5.2: obs-fold"),
        ("folded-by-tab", b"X-A: b\r\n\tc", "RFC 9112 §5.2"),
        ("folded-empty", b"X-A: b\r\n ", "RFC 9112 §5.2"),
        ("nul-in-name", b"X\0A: b", "RFC 9110 §5.1"),
        ("control-in-name", b"X\x01A: b", "RFC 9110 §5.1"),
        ("delete-in-name", b"X\x7fA: b", "RFC 9110 §5.1"),
        ("obs-text-in-name", b"X\xe9A: b", "RFC 9110 §5.1"),
        ("nul-in-value", b"X-A: b\0c", "RFC 9110 §5.5"),
        ("nul-value", b"X-A: \0", "RFC 9110 §5.5"),
        ("cr-in-value", b"X-A: b\rc", "RFC 9110 §5.5"),
        ("cr-then-field", b"X-A: b\rContent-Length: 5", "RFC 9112 §2.2"),
        ("cr-at-value-end", b"X-A: b\r", "RFC 9112 §2.2"),
        ("lf-in-value", b"X-A: b\nc", "RFC 9112 §2.2"),
        ("lf-line", b"X-A: b\nX-B: c", "RFC 9112 §2.2: a bare LF"),
        ("lf-hides-length", b"X-A: b\nContent-Length: 5", "RFC 9112 §2.2"),
        ("control-in-value", b"X-A: b\x01c", "RFC 9110 §5.5"),
        ("delete-in-value", b"X-A: b\x7fc", "RFC 9110 §5.5"),
    ]
    cases = [Case(f"field-{id_}", _head(b"GET / HTTP/1.1", HOST, line), BAD, why) for id_, line, why in rows]
    cases += [
        Case(f"field-name-{ord(char):02x}", _head(b"GET / HTTP/1.1", HOST, b"X%cA: b" % char), BAD, "RFC 9110 §5.6.2")
        for char in (bytes([code]) for code in b'"(),/;<=>?@[\\]{}')
    ]
    return [*cases, *_layout(), *_large()]


def _layout() -> list[Case]:
    return [
        Case("layout-field-folded-first", _head(b"GET / HTTP/1.1", b" X-A: b", HOST), BAD, "RFC 9112 §2.2"),
        Case("layout-line-feeds-only", _head(b"GET / HTTP/1.1", HOST, end=b"\n"), BAD, "RFC 9112 §2.2 and §11.2"),
        Case("layout-lf-after-line", b"GET / HTTP/1.1\nHost: model.test\r\n\r\n", BAD, "RFC 9112 §2.2"),
        Case("layout-lf-after-host", b"GET / HTTP/1.1\r\nHost: model.test\n\r\n", BAD, "RFC 9112 §2.2"),
        Case("layout-lf-at-end", b"GET / HTTP/1.1\r\nHost: model.test\r\n\n", BAD, "RFC 9112 §2.2"),
        Case("layout-cr-cr-lf", b"GET / HTTP/1.1\r\r\nHost: model.test\r\n\r\n", BAD_VERSION, "RFC 9112 §2.2"),
        Case("layout-cr-only", b"GET / HTTP/1.1\rHost: model.test\r\r", BAD_VERSION, "RFC 9112 §2.2"),
        Case("layout-cr-in-end", b"GET / HTTP/1.1\r\nHost: model.test\r\n\rX: y\r\n\r\n", BAD, "RFC 9112 §2.2"),
        Case("layout-tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, BAD_OR_UNKNOWN, "TLS"),
        Case("layout-http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION + UNKNOWN, "RFC 9113 §3.4"),
        Case("layout-socks", b"\x05\x01\x00" + b"\0" * 20, BAD_OR_UNKNOWN, "no HTTP at all"),
    ]


def _large() -> list[Case]:
    get = b"GET / HTTP/1.1"
    many = [b"X-%d: a" % i for i in range(120)]
    long = [b"X-%d: %b" % (i, b"a" * 1000) for i in range(20)]
    return [
        Case("large-value", _head(get, HOST, b"X-A: " + b"a" * 20000), TOO_LARGE, "limits.head"),
        Case("large-name", _head(get, HOST, b"X" * 20000 + b": a"), TOO_LARGE, "limits.head"),
        Case("large-sum", _head(get, HOST, *long), TOO_LARGE, "limits.head"),
        Case("large-count", _head(get, HOST, *many), TOO_LARGE, "limits.headers"),
        Case("large-without-end", b"\r\n".join([get, HOST, *long]), TOO_LARGE, "limits.head without an empty line"),
        Case("large-just-over", _sized(HEAD_LIMIT + 1), TOO_LARGE, "limits.head"),
        Case("large-cookies", _head(get, HOST, *[b"Cookie: a=b"] * 101), TOO_LARGE, "limits.headers"),
    ]


def _sized(size: int) -> bytes:
    """A good head of exactly `size` bytes."""
    empty = len(_head(b"GET / HTTP/1.1", HOST, b"X-A: "))
    return _head(b"GET / HTTP/1.1", HOST, b"X-A: " + b"a" * (size - empty))


def _lengths() -> list[Case]:
    values: list[tuple[str, bytes]] = [
        ("negative", b"-1"),
        ("plus", b"+5"),
        ("two-numbers", b"5 5"),
        ("list-same", b"5, 5"),
        ("list-tight", b"5,5"),
        ("list-different", b"5, 6"),
        ("hex", b"0x5"),
        ("float", b"5.0"),
        ("exponent", b"1e1"),
        ("empty", b""),
        ("letters", b"five"),
        ("tail", b"5a"),
        ("semicolon", b"5;"),
        ("underscore", b"1_0"),
        ("quoted", b'"5"'),
        ("arabic-digits", "٥".encode()),
        ("superscript", b"\xb2"),
        ("nul", b"5\0"),
        ("vertical-tab", b"\x0b5"),
        ("beyond-64-bits", b"18446744073709551621"),
        ("many-digits", b"9" * 100),
    ]
    head = b"POST / HTTP/1.1"
    cases = [
        Case(f"length-{id_}", _head(head, HOST, b"Content-Length: " + v) + b"hello", BAD, "RFC 9110 §8.6: digits, once")
        for id_, v in values
    ]
    # A number of 100 digits is a number: too large is as true of it as malformed.
    cases[-2:] = [case._replace(expected=BAD + BODY_TOO_LARGE) for case in cases[-2:]]
    five, six = b"Content-Length: 5", b"Content-Length: 6"
    return [
        *cases,
        Case("length-twice", _head(head, HOST, five, five) + b"hello", BAD, "RFC 9112 §6.3"),
        Case("length-twice-different", _head(head, HOST, five, six) + b"hello!", BAD, "RFC 9112 §6.3"),
        Case("length-twice-zero", _head(head, HOST, b"Content-Length: 0", five) + b"hello", BAD, "RFC 9112 §6.3"),
        Case("length-twice-get", _head(b"GET / HTTP/1.1", HOST, five, six) + b"hello", BAD, "RFC 9112 §6.3"),
        Case("length-space-colon", _head(head, HOST, b"Content-Length : 5") + b"hello", BAD, "RFC 9112 §5.1"),
        Case("length-folded", _head(head, HOST, b"Content-Length:", b" 5") + b"hello", BAD, "RFC 9112 §5.2"),
        Case("length-over-limit", _head(head, HOST, b"Content-Length: 4097"), BODY_TOO_LARGE, "limits.body"),
        Case("length-far-over", _head(head, HOST, b"Content-Length: 99999999999"), BODY_TOO_LARGE, "limits.body"),
    ]


def _codings() -> list[Case]:
    chunked, five = b"Transfer-Encoding: chunked", b"Content-Length: 5"
    body = b"5\r\nhello\r\n0\r\n\r\n"
    values: list[tuple[str, bytes, Expected]] = [
        ("gzip", b"gzip", UNKNOWN),
        ("identity", b"identity", UNKNOWN),
        ("gzip-chunked", b"gzip, chunked", UNKNOWN),
        ("chunked-gzip", b"chunked, gzip", BAD_OR_UNKNOWN),
        ("chunked-identity", b"chunked, identity", BAD_OR_UNKNOWN),
        ("chunked-chunked", b"chunked, chunked", BAD_OR_UNKNOWN),
        ("comma-behind", b"chunked,", BAD_OR_UNKNOWN),
        ("comma-in-front", b",chunked", BAD_OR_UNKNOWN),
        ("prefix", b"xchunked", BAD_OR_UNKNOWN),
        ("suffix", b"chunkedx", BAD_OR_UNKNOWN),
        ("parameter", b"chunked;q=1", BAD_OR_UNKNOWN),
        ("quoted", b'"chunked"', BAD_OR_UNKNOWN),
        ("single-quoted", b"'chunked'", BAD_OR_UNKNOWN),
        ("space-inside", b"chun ked", BAD_OR_UNKNOWN),
        ("vertical-tab", b"\x0bchunked", BAD_OR_UNKNOWN),
        ("form-feed", b"chunked\x0c", BAD_OR_UNKNOWN),
        ("nul", b"chunked\0", BAD_OR_UNKNOWN),
        ("obs-text", b"\xffchunked", BAD_OR_UNKNOWN),
        ("empty", b"", BAD_OR_UNKNOWN),
        ("kelvin-sign", "chun\u212aed".encode(), BAD_OR_UNKNOWN),
    ]
    post = b"POST / HTTP/1.1"
    why = "RFC 9112 §6.1: a coding that is not understood"
    both = "RFC 9112 §6.1: both are an attack until proven otherwise"
    cases = [
        Case(f"coding-{id_}", _head(post, HOST, b"Transfer-Encoding: " + value) + body, expected, why)
        for id_, value, expected in values
    ]
    rows: list[tuple[str, tuple[bytes, ...], Expected, str]] = [
        ("and-length", (post, HOST, chunked, five), BAD, both),
        ("length-first", (post, HOST, five, chunked), BAD, both),
        ("and-length-zero", (post, HOST, b"Content-Length: 0", chunked), BAD, both),
        ("get-and-length", (b"GET / HTTP/1.1", HOST, chunked, five), BAD, both),
        ("twice", (post, HOST, chunked, chunked), BAD_OR_UNKNOWN, "RFC 9112 §6.1: applied once"),
        ("then-identity", (post, HOST, chunked, b"Transfer-Encoding: identity"), BAD_OR_UNKNOWN, why),
        ("identity-first", (post, HOST, b"Transfer-Encoding: identity", chunked), BAD_OR_UNKNOWN, why),
        ("then-gzip", (post, HOST, chunked, b"Transfer-Encoding: gzip"), BAD_OR_UNKNOWN, why),
        ("http-1.0", (b"POST / HTTP/1.0", HOST, chunked), BAD, "RFC 9112 §6.1: none in HTTP/1.0"),
        ("http-1.0-and-length", (b"POST / HTTP/1.0", HOST, chunked, five), BAD, "RFC 9112 §6.1"),
        ("space-before-colon", (post, HOST, b"Transfer-Encoding : chunked"), BAD, "RFC 9112 §5.1"),
        ("folded", (post, HOST, b"Transfer-Encoding:", b" chunked"), BAD, "RFC 9112 §5.2"),
        ("lf-hidden", (post, HOST, five, b"X: y\nTransfer-Encoding: chunked"), BAD, "RFC 9112 §2.2"),
        ("cr-hidden", (post, HOST, five, b"X: y\rTransfer-Encoding: chunked"), BAD, "RFC 9112 §2.2"),
        ("unknown-and-length", (post, HOST, five, b"Transfer-Encoding: xchunked"), BAD_OR_UNKNOWN, both),
    ]
    return cases + [Case(f"coding-{id_}", _head(*lines) + body, expected, w) for id_, lines, expected, w in rows]


def _connections() -> list[Case]:
    get, five = b"GET / HTTP/1.1", b"Content-Length: 5"
    socket = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: eA==")
    named = "naming it would change what the message is"
    post = _head(b"POST / HTTP/1.1", HOST, b"Connection: content-length", five) + b"hello"
    via = b"Via: 1.1 shadowproxy"
    chunked = b"Transfer-Encoding: chunked"
    return [
        Case("connection-host", _head(get, HOST, b"Connection: Host"), BAD, named),
        Case("connection-host-listed", _head(get, HOST, b"Connection: close, hOsT"), BAD, named),
        Case("connection-length", post, BAD, named),
        Case("connection-coding", _head(get, HOST, b"Connection: keep-alive, Transfer-Encoding"), BAD, named),
        Case("connection-second-line", _head(get, HOST, b"Connection: x", b"Connection: host"), BAD, named),
        Case("websocket-length", _head(get, HOST, *socket, five) + b"hello", BAD, "a handshake has no body"),
        Case("websocket-length-zero", _head(get, HOST, *socket, b"Content-Length: 0"), BAD, "a handshake has no body"),
        Case("websocket-chunked", _head(get, HOST, *socket, chunked) + b"0\r\n\r\n", BAD, "a handshake has no body"),
        Case("loop-one-line", _head(get, HOST, b"Via: 1.1 shadowproxy, 1.1 shadowproxy, 1.1 shadowproxy"), LOOP, "Via"),
        Case("loop-three-lines", _head(get, HOST, via, via, via), LOOP, "RFC 9110 §7.6.3"),
        Case("loop-mixed", _head(get, HOST, via, b"Via: 1.0 a, 1.1 shadowproxy", via), LOOP, "RFC 9110 §7.6.3"),
    ]


def _bodies() -> list[Case]:
    size = "RFC 9112 §7.1: chunk-size is hexadecimal digits"
    end = "RFC 9112 §7.1: CRLF after chunk-data"
    line = "RFC 9112 §7.1 and §11.2: lines end with CRLF"
    trailer = "RFC 9112 §7.1.2"
    zero = b"0\r\n\r\n"
    rows: list[tuple[str, bytes, Expected, str]] = [
        ("size-letter", b"g\r\nhello\r\n" + zero, BAD, size),
        ("size-negative", b"-5\r\nhello\r\n" + zero, BAD, size),
        ("size-plus", b"+5\r\nhello\r\n" + zero, BAD, size),
        ("size-0x", b"0x5\r\nhello\r\n" + zero, BAD, size),
        ("size-empty", b"\r\nhello\r\n" + zero, BAD, size),
        ("size-space-in-front", b" 5\r\nhello\r\n" + zero, BAD, size),
        ("size-tab-in-front", b"\t5\r\nhello\r\n" + zero, BAD, size),
        ("size-underscore", b"1_0\r\n" + b"a" * 16 + b"\r\n" + zero, BAD, size),
        ("size-comma", b"5,\r\nhello\r\n" + zero, BAD, size),
        ("size-quoted", b'"5"\r\nhello\r\n' + zero, BAD, size),
        ("size-float", b"5.0\r\nhello\r\n" + zero, BAD, size),
        ("size-nul", b"5\0\r\nhello\r\n" + zero, BAD, size),
        ("size-wraps", b"10000000000000005\r\nhello\r\n" + zero, BAD + BODY_TOO_LARGE, "65 bits"),
        ("size-64-bits", b"ffffffffffffffff\r\nhello\r\n" + zero, BAD + BODY_TOO_LARGE, "64 bits"),
        ("size-many-digits", b"f" * 200 + b"\r\nhello\r\n" + zero, BAD + BODY_TOO_LARGE, "800 bits"),
        ("size-none-but-extension", b";a=b\r\nhello\r\n" + zero, BAD, size),
        ("size-arabic", "٥".encode() + b"\r\nhello\r\n" + zero, BAD, size),
        ("data-too-long", b"5\r\nhello!\r\n" + zero, BAD, end),
        ("data-far-too-long", b"2\r\nhello\r\n" + zero, BAD, end),
        ("data-too-short", b"6\r\nhello\r\n" + zero, BAD, end),
        ("data-without-crlf", b"5\r\nhello" + zero, BAD, end),
        ("data-then-lf", b"5\r\nhello\n" + zero, BAD, end),
        ("data-then-cr", b"5\r\nhello\r" + zero, BAD, end),
        ("data-then-cr-x", b"5\r\nhello\rX" + zero, BAD, end),
        ("data-spills-over", b"5\r\nhello" + b"X" * 7 + b"\r\n" + zero, BAD, end),
        ("line-lf", b"5\nhello\r\n" + zero, BAD, line),
        ("line-cr", b"5\rhello\r\n" + zero, BAD, line),
        ("line-cr-x", b"5\rX\nhello\r\n" + zero, BAD, line),
        ("line-all-lf", b"5\nhello\n0\n\n", BAD, line),
        ("last-lf", b"5\r\nhello\r\n0\n\n", BAD, line),
        ("last-lf-at-end", b"5\r\nhello\r\n0\r\n\n\r\n", BAD, line),
        ("last-letter", b"5\r\nhello\r\n0x\r\n\r\n", BAD, size),
        ("extension-lf", b"5;a\nb\r\nhello\r\n" + zero, BAD, "RFC 9112 §7.1.1"),
        ("extension-only-lf", b"5;\nhello\r\n" + zero, BAD, "RFC 9112 §7.1.1"),
        ("extension-cr", b"5;a\rb\r\nhello\r\n" + zero, BAD, "RFC 9112 §7.1.1"),
        ("extension-nul", b"5;a\0b\r\nhello\r\n" + zero, BAD, "RFC 9112 §7.1.1"),
        ("extension-long", b"5;" + b"a" * 20000 + b"\r\nhello\r\n" + zero, METERED, "bounded by limits.head"),
        ("extension-lf-in-last", b"5\r\nhello\r\n0;\n\r\n", BAD, "RFC 9112 §7.1.1"),
        ("trailer-no-colon", b"5\r\nhello\r\n0\r\nX\r\n\r\n", BAD, trailer),
        ("trailer-no-name", b"5\r\nhello\r\n0\r\n: y\r\n\r\n", BAD, trailer),
        ("trailer-space-before-colon", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", BAD, trailer),
        ("trailer-folded", b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", BAD, trailer),
        ("trailer-lf", b"5\r\nhello\r\n0\r\nX: y\nZ: a\r\n\r\n", BAD, trailer),
        ("trailer-cr", b"5\r\nhello\r\n0\r\nX: y\rZ: a\r\n\r\n", BAD, trailer),
        ("trailer-nul", b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n", BAD, trailer),
        ("trailer-a-request", b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n", BAD, trailer),
        ("trailer-long", b"5\r\nhello\r\n0\r\nX: " + b"a" * 20000 + b"\r\n\r\n", METERED, "bounded by limits.head"),
        ("trailer-many", b"5\r\nhello\r\n0\r\n" + b"X: aaaa\r\n" * 3000 + b"\r\n", METERED, "bounded by limits.head"),
        ("over-limit", b"1001\r\n" + b"a" * 4097 + b"\r\n" + zero, BODY_TOO_LARGE, "limits.body"),
        ("over-limit-in-two", (b"c00\r\n" + b"a" * 3072 + b"\r\n") * 2 + zero, BODY_TOO_LARGE, "limits.body"),
        ("over-limit-announced", b"fffffff\r\n" + b"a" * 5000, BODY_TOO_LARGE, "limits.body"),
    ]
    head = _head(b"POST /body HTTP/1.1", HOST, b"Transfer-Encoding: chunked")
    return [Case(f"chunk-{id_}", head + body, expected, why) for id_, body, expected, why in rows]


HEADS = [*_lines(), *_targets(), *_hosts(), *_fields(), *_lengths(), *_codings(), *_connections()]
BODIES = _bodies()
