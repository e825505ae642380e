"""A request's head: one strict parse, then the checks that llhttp leaves to its user.

Law: `parse` gets exactly one head, request line to empty line, and returns facts that are safe to act upon, or raises
`Refused`; what it accepts means the same to every RFC 9112 parser behind us. A parser lives for one head and never
sees a body, so no quirk of llhttp at a message's end can reach the next request.

    refused because                                                          status
    a version other than 1.0 and 1.1                                         505
    a method that is unknown, CONNECT; a transfer coding but `chunked`       501
    more fields than allowed (the caller bounds the head's bytes)            431
    everything else that is malformed or ambiguous                           400
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import httptools

from shadowproxy.http1 import fields as f
from shadowproxy.http1.refusal import Refused, bad_request

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
_METHOD: Final = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)")
_VERSION: Final = re.compile(rb"[A-Z-]+ [^ \r\n]+ HTTP/([0-9](?:\.[0-9])?)")
_CODING: Final = re.compile(rb"(?i)\r\ntransfer-encoding:[ \t]*([a-z][a-z0-9, \t-]*)\r\n")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:")
_VALID_ID: Final = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}\Z")
_KEEP_ALIVE: Final = frozenset({b"keep-alive", b"Keep-Alive"})
_KNOWN_HOSTS: Final[set[bytes]] = set()  # values that _HOST accepted; bounded, a mere memo


_CODES: Final = f.Codes(f.REQUEST_FIELDS)

Special = tuple[int, int, bytes]  # code, line, value


class _Sink:
    """llhttp's callbacks: one, and that one a method of a dict, so that a field costs no Python call."""

    __slots__ = ("on_header",)

    def __init__(self, on_header: Callable[[bytes, bytes], None]) -> None:
        self.on_header = on_header


class RequestHead:
    """What a request's head says. It is shared and never changed once `parse` has returned it."""

    __slots__ = (
        "chunked",
        "copy_drop",
        "copy_drop_trusted",
        "drop",
        "expect",
        "forwarded_for",
        "forwarded_host",
        "forwarded_proto",
        "host",
        "host_line",
        "idempotency_key",
        "keep_alive",
        "length",
        "lines",
        "method",
        "old",
        "plain",
        "raw",
        "request_id",
        "seldom",
        "target",
        "te_trailers",
        "traces",
        "via",
        "websocket",
    )

    drop: list[int]  # lines that no upstream gets, descending
    copy_drop: list[int]  # lines that a copy does not get, descending: `drop`, framing, credentials
    copy_drop_trusted: list[int]  # the same where credentials are forwarded

    def __init__(self, raw: bytes, lines: list[bytes]) -> None:
        self.raw = raw
        self.lines = lines  # line 0 is the request line; the last two are empty
        self.method = b""
        self.target = b""  # as it goes upstream: origin-form or `*`
        self.old = False  # HTTP/1.0
        self.plain = False  # the request line goes upstream as it came
        self.seldom = False  # chunked, websocket or te_trailers
        self.host = b""
        self.host_line = 0
        self.length = 0  # of the body, where it is not chunked
        self.chunked = self.websocket = self.te_trailers = False
        self.keep_alive = True
        self.expect = self.idempotency_key = False
        self.request_id = b""  # the client's, when valid
        self.via: tuple[bytes, ...] = ()
        self.traces: tuple[bytes, ...] = ()  # `traceparent`
        self.forwarded_for: tuple[bytes, ...] = ()
        self.forwarded_proto = self.forwarded_host = b""

    def field(self, name: bytes) -> bytes | None:
        """The first value of a field, by a scan of the raw lines: for rules that few routes configure."""
        prefix = name.lower() + b":"
        size = len(prefix)
        for line in self.lines[1:]:
            if line[:size].lower() == prefix:
                return line[size:].strip(b" \t")
        return None


def parse(raw: bytes, max_fields: int) -> RequestHead:
    fields: dict[bytes, bytes] = {}
    parser = httptools.HttpRequestParser(_Sink(fields.__setitem__))
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserInvalidMethodError as unknown:
        raise _unknown_method(raw) from unknown
    except httptools.HttpParserError as e:
        raise _malformed(raw, e) from e
    lines = raw.split(b"\r\n")
    count = len(lines) - 3
    if count > max_fields:
        raise Refused(431, "head_too_large", f"The request has more than {max_fields} header fields.")
    head = RequestHead(raw, lines)
    _request_line(head)
    code_of = _CODES.get
    special: list[Special] = []
    if len(fields) == count:
        for line, name in enumerate(fields, 1):
            code = code_of(name)
            if code != 0:
                code = _CODES.learn(name) if code is None else code
                if code:
                    special.append((code, line, fields[name]))
    else:
        special = _repeated(lines)
    _read_fields(head, special)
    return head


def _repeated(lines: list[bytes]) -> list[Special]:
    """Fields that repeat have overwritten each other in the dict: read them from the lines, which llhttp checked."""
    special = []
    for line, text in enumerate(lines[1:-2], 1):
        name, _, value = text.partition(b":")
        if code := _CODES.learn(name):
            special.append((code, line, value.strip(b" \t")))
    return special


def _malformed(raw: bytes, error: httptools.HttpParserError) -> Refused:
    """llhttp has one error for everything; a few of them have a status of their own."""
    version = _VERSION.match(raw)
    if version is not None and version[1] not in (b"1", b"1.0", b"1.1"):
        return Refused(505, "version", f"HTTP/{version[1].decode()} is not spoken here; use HTTP/1.1.")
    codings = _CODING.findall(raw)
    if codings and b"chunked" not in f.tokens(codings[-1]) and not _LENGTH.search(raw):
        return Refused(501, "not_implemented", "A transfer coding other than `chunked` is not implemented.")
    return bad_request(f"The request's head is malformed: {error}.")


def _unknown_method(raw: bytes) -> Refused:
    if _METHOD.match(raw):
        return Refused(501, "not_implemented", "The request's method is not known here.")
    return bad_request("The request line does not begin with a method.")


def _request_line(head: RequestHead) -> None:
    parts = head.lines[0].split(b" ")
    if len(parts) != 3 or not parts[1]:
        raise bad_request("The request line is not `method SP target SP version`.")
    head.method, target, version = parts
    head.target = target
    if version != b"HTTP/1.1":
        if version != b"HTTP/1.0":
            raise Refused(505, "version", f"{version[:20].decode('latin-1')} is not spoken here; use HTTP/1.1.")
        head.old = True
    if head.method == b"CONNECT":
        raise Refused(501, "not_implemented", "CONNECT is not offered here.")
    if b"\n" in target:  # to llhttp a request line of HTTP/0.9, and the rest of ours a field of its own
        raise bad_request("The request line has a line feed in it.")
    if b"#" in target:
        raise bad_request("The request's target has a fragment.")
    if target[0] == 0x2F:  # "/"
        head.plain = not head.old
    elif target == b"*":
        head.plain = not head.old
        if head.method != b"OPTIONS":
            raise bad_request("The target `*` is for OPTIONS only.")
    elif target[:7].lower() != b"http://" and target[:8].lower() != b"https://":
        raise bad_request("The request's target is neither a path nor an absolute URL.")


def _read_fields(head: RequestHead, special: list[Special]) -> None:
    named: list[bytes] = []
    upgrade: list[bytes] = []
    drop: list[int] = []  # ascending, as the fields come
    copy_drop: list[int] = []
    credentials: list[int] = []
    hosts = lengths = 0
    for code, line, value in special:
        if code == f.HOST:
            hosts += 1
            head.host = value
            head.host_line = line
            if value not in _KNOWN_HOSTS:
                _check_host(value)
        elif code == f.CONTENT_LENGTH:
            lengths += 1
            head.length = _length(value)
            copy_drop.append(line)
        elif code == f.CONNECTION:
            drop.append(line)
            copy_drop.append(line)
            if value not in _KEEP_ALIVE:
                named += f.tokens(value)
            elif head.old:
                named.append(b"keep-alive")
        elif code in f.HOP_BY_HOP:
            drop.append(line)
            copy_drop.append(line)
            _hop_by_hop(head, code, value, upgrade)
        elif code == f.CREDENTIAL:
            credentials.append(line)
        else:
            _seldom(head, code, line, value, drop, copy_drop)
    if hosts != 1 and not (hosts == 0 and head.old):
        raise bad_request(
            "The request has no Host field." if not hosts else "The request has more than one Host field."
        )
    if lengths and (lengths > 1 or head.chunked):
        raise bad_request("The request's body has more than one length.")
    if not head.plain and head.target[0] not in b"/*":
        _absolute(head)
    if named or head.old:
        _connection(head, named, drop, copy_drop)
    if upgrade:
        _upgrade(head, upgrade, named, lengths)
    if head.chunked or head.websocket or head.te_trailers:
        head.seldom = True
    head.drop = drop[::-1]
    head.copy_drop = head.copy_drop_trusted = copy_drop[::-1]
    if credentials:
        head.copy_drop = sorted({*copy_drop, *credentials}, reverse=True)


def _hop_by_hop(head: RequestHead, code: int, value: bytes, upgrade: list[bytes]) -> None:
    if code == f.TRANSFER_ENCODING:
        _transfer_encoding(head, value)
    elif code == f.UPGRADE:
        upgrade += f.tokens(value)
    elif code == f.TE and b"trailers" in f.tokens(value):
        head.te_trailers = True


def _length(value: bytes) -> int:
    value = value.strip(b" \t")
    # llhttp accepts digits only and refuses a repeated or overflowing field; this is the last line of defence.
    if not value.isdigit() or len(value) > 18:
        raise bad_request("Content-Length is not a number.")
    return int(value)


def _transfer_encoding(head: RequestHead, value: bytes) -> None:
    if head.old:
        raise bad_request("Transfer-Encoding has no meaning in HTTP/1.0.")
    if head.chunked:
        raise bad_request("The request has more than one Transfer-Encoding field.")
    if value.strip(b" \t").lower() != b"chunked":
        raise Refused(501, "not_implemented", "A transfer coding other than `chunked` is not implemented.")
    head.chunked = True


def _seldom(head: RequestHead, code: int, line: int, value: bytes, drop: list[int], copy_drop: list[int]) -> None:
    if code == f.VIA:
        head.via += (value,)
        return
    if code == f.IDEMPOTENCY_KEY:
        head.idempotency_key = True
        return
    if code == f.TRACEPARENT:
        head.traces += (value,)
        return
    if code == f.EXPECT:
        head.expect = value.lower() == b"100-continue"
        copy_drop.append(line)
        return
    if code == f.REQUEST_ID and not head.request_id and _VALID_ID.match(value):
        head.request_id = value
        return
    drop.append(line)
    copy_drop.append(line)
    if code == f.FORWARDED_FOR:
        head.forwarded_for += (value,)
    elif code == f.FORWARDED_PROTO:
        head.forwarded_proto = value
    elif code == f.FORWARDED_HOST:
        head.forwarded_host = value


def _check_host(host: bytes) -> None:
    if not _HOST.match(host):
        raise bad_request("The Host field is malformed.")
    if len(_KNOWN_HOSTS) < 256:
        _KNOWN_HOSTS.add(host)


def _absolute(head: RequestHead) -> None:
    """RFC 9112 §3.2.2: absolute-form becomes origin-form; its authority and Host must say the same."""
    scheme, _, rest = head.target.partition(b"://")
    at = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
    authority, path = rest[:at], rest[at:]
    if not _HOST.match(authority):
        raise bad_request("The target's authority is malformed.")
    default = b":80" if scheme.lower() == b"http" else b":443"
    if head.host_line and authority.lower().removesuffix(default) != head.host.lower().removesuffix(default):
        raise bad_request("The target's authority and the Host field differ.")
    if not path and head.method == b"OPTIONS":
        head.target = b"*"
    else:
        head.target = path if path.startswith(b"/") else b"/" + path
    head.host = head.host or authority


# What we make of fields that Connection may name: then they were for us alone, and nobody behind us has them. A request
# is not repeated on the strength of a key that production never saw.
_SAID_ANEW: Final[dict[bytes, tuple[str, object]]] = {
    b"x-request-id": ("request_id", b""),
    b"idempotency-key": ("idempotency_key", False),
    b"traceparent": ("traces", ()),
    b"x-forwarded-for": ("forwarded_for", ()),
    b"x-forwarded-proto": ("forwarded_proto", b""),
    b"x-forwarded-host": ("forwarded_host", b""),
}


def _connection(head: RequestHead, named: list[bytes], drop: list[int], copy_drop: list[int]) -> None:
    head.keep_alive = b"close" not in named and (not head.old or b"keep-alive" in named)
    wanted = set(named) - {b"close", b"keep-alive", b"upgrade", b"te"}
    if not wanted:
        return
    if wanted & f.NOT_REMOVABLE:
        raise bad_request("The Connection field names a field that a message cannot do without.")
    for number, line in enumerate(head.lines[1:-2], 1):
        name = line[: line.find(b":")].lower()
        if name in wanted and number not in drop:
            drop.append(number)
    for name in wanted & _SAID_ANEW.keys():
        setattr(head, *_SAID_ANEW[name])
    drop.sort()
    copy_drop[:] = sorted({*drop, *copy_drop})


def _upgrade(head: RequestHead, upgrade: list[bytes], named: list[bytes], lengths: int) -> None:
    """Only a WebSocket handshake is honoured; any other Upgrade is removed, as RFC 9110 §7.8 lets a recipient do."""
    if upgrade != [b"websocket"] or b"upgrade" not in named or head.method != b"GET" or head.old:
        return
    if lengths or head.chunked:
        raise bad_request("A WebSocket handshake has no body.")
    head.websocket = True


def _ignore(_name: bytes, _value: bytes) -> None:
    pass


class HeadProbe:
    """Reads the beginning of a head that has not come to its end, so that what is wrong is refused at once.

    A head with bare line feeds never shows an empty line of ours; without the probe it would wait for its timeout.
    """

    __slots__ = ("_begun", "_parser", "count")

    def __init__(self) -> None:
        self.count = 0  # bytes fed
        self._begun = b""
        self._parser = httptools.HttpRequestParser(_Sink(_ignore))

    def feed(self, data: bytes) -> None:
        """Raises Refused; `data` continues what was fed before and contains no end of a head."""
        self.count += len(data)
        if len(self._begun) < 40:
            self._begun += data[:40]
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise bad_request("The request's head is malformed.") from None
        except httptools.HttpParserInvalidMethodError as unknown:
            raise _unknown_method(self._begun) from unknown
        except httptools.HttpParserError as e:
            raise _malformed(self._begun, e) from e
