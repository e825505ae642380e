"""An answer's head: one strict parse, and how its body is framed.

Law: the framing decided here, not the parser, says where the answer ends (RFC 9112 §6.3). `parse` raises `Refused` with
502 for what no client should get to see. A parser lives for one head and never sees a body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httptools

from shadowproxy.http1 import fields as f
from shadowproxy.http1.refusal import Refused

NONE: Final = 0
LENGTH: Final = 1
CHUNKED: Final = 2
UNTIL_CLOSE: Final = 3

_CODES: Final = f.Codes(f.ANSWER_FIELDS)
_KEEP_ALIVE: Final = frozenset({b"keep-alive", b"Keep-Alive"})


class _Sink:
    __slots__ = ("on_header",)

    def __init__(self, on_header: Callable[[bytes, bytes], None]) -> None:
        self.on_header = on_header


class AnswerHead:
    """What an answer's head says. It is shared and never changed once `parse` has returned it, but for its memo."""

    __slots__ = ("drop", "framing", "keep_alive", "length", "old", "passed", "raw", "status", "usual")

    def __init__(self, raw: bytes, status: int) -> None:
        self.raw = raw
        self.status = status
        self.framing = UNTIL_CLOSE
        self.length = 0
        self.keep_alive = True
        self.old = False  # HTTP/1.0
        self.usual = False  # of a final answer, its length known, after which the connection stays
        self.drop: tuple[int, ...] = ()  # lines that the client does not get, descending
        self.passed = b""  # a memo of http1.serialise.passed_head


def _bad(detail: str) -> Refused:
    return Refused(502, "protocol_error", detail)


def parse(raw: bytes, head_request: bool, max_fields: int = 1000) -> AnswerHead:
    """`raw` is one head, status line to empty line; `head_request`: it answers a HEAD."""
    fields: dict[bytes, bytes] = {}
    parser = httptools.HttpResponseParser(_Sink(fields.__setitem__))
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as e:
        raise _bad(f"The upstream's answer is malformed: {e}.") from e
    status = parser.get_status_code()
    count = raw.count(b"\r\n") - 2
    if b"\0" in raw:  # llhttp lets it pass in the reason
        raise _bad("The upstream's answer has a NUL in its head.")
    if not 100 <= status <= 599 or count > max_fields:
        raise _bad(f"The upstream's answer has status {status} and {count} header fields.")
    head = AnswerHead(raw, status)
    if raw[:9] != b"HTTP/1.1 ":
        if raw[:9] != b"HTTP/1.0 ":
            raise _bad("The upstream's answer is not HTTP/1.")
        head.old = True
    if len(fields) == count:
        special = []
        code_of = _CODES.get
        for line, name in enumerate(fields, 1):
            code = code_of(name)
            if code != 0:
                code = _CODES.learn(name) if code is None else code
                if code:
                    special.append((code, line, fields[name]))
    else:
        special = _repeated(raw)
    _read_fields(head, special, head_request)
    return head


def _repeated(raw: bytes) -> list[tuple[int, int, bytes]]:
    """Fields that repeat have overwritten each other in the dict: read them from the lines, which llhttp checked."""
    special = []
    for line, text in enumerate(raw.split(b"\r\n")[1:-2], 1):
        name, _, value = text.partition(b":")
        if code := _CODES.learn(name):
            special.append((code, line, value.strip(b" \t")))
    return special


def _read_fields(head: AnswerHead, special: list[tuple[int, int, bytes]], head_request: bool) -> None:
    named: list[bytes] = []
    chunked = False
    lengths = 0
    drop: list[int] = []
    for code, line, value in special:
        if code == f.CONTENT_LENGTH:
            lengths += 1
            head.framing = LENGTH
            head.length = _length(value)
            continue
        drop.append(line)
        if code == f.CONNECTION:
            if value not in _KEEP_ALIVE:
                named += f.tokens(value)
            elif head.old:
                named.append(b"keep-alive")
        elif code == f.TRANSFER_ENCODING:
            if chunked or head.old or value.strip(b" \t").lower() != b"chunked":
                raise _bad("The upstream's answer has a transfer coding other than one `chunked`.")
            chunked = True
    if lengths > 1 or (chunked and lengths):
        raise _bad("The upstream's answer has more than one length.")
    if chunked:
        head.framing = CHUNKED
    status = head.status
    if head_request or status < 200 or status == 204 or status == 304:
        head.framing = NONE
    if named or head.old:
        head.keep_alive = b"close" not in named and (not head.old or b"keep-alive" in named)
        _drop_named(head, {name for name in named if name not in (b"close", b"keep-alive", b"upgrade")}, drop)
    if drop:
        head.drop = tuple(sorted(drop, reverse=True)) if len(drop) > 1 else (drop[0],)
    head.usual = head.framing == LENGTH and head.keep_alive


def _length(value: bytes) -> int:
    value = value.strip(b" \t")
    if not value.isdigit() or len(value) > 18:
        raise _bad("The upstream's Content-Length is not a number.")
    return int(value)


def _drop_named(head: AnswerHead, wanted: set[bytes], drop: list[int]) -> None:
    if wanted & f.NOT_REMOVABLE:
        raise _bad("The upstream's Connection field names a field that a message cannot do without.")
    if wanted:
        for number, line in enumerate(head.raw.split(b"\r\n")[1:-2], 1):
            if number not in drop and line[: line.find(b":")].lower() in wanted:
                drop.append(number)
