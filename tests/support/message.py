"""HTTP/1 messages read from a socket by a small strict parser of the tests' own, independent of the product.

Law: what does not follow RFC 9112 to the letter raises `Malformed`; nothing is repaired and nothing is guessed.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

Fields = list[tuple[bytes, bytes]]

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_CHUNK = re.compile(rb"([0-9a-fA-F]+)(;.*)?", re.DOTALL)


class Malformed(AssertionError):
    """The peer sent something that is no HTTP/1 message."""


class Ended(Exception):
    """The peer's bytes ended inside or before a message; `how` is "fin" or "reset"."""

    def __init__(self, how: str, got: bytes = b"") -> None:
        super().__init__(f"ended by {how} after {bytes(got[-200:])!r}")
        self.how = how


@dataclass(slots=True)
class Head:
    raw: bytes
    line: bytes
    fields: Fields

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: bytes) -> bytes | None:
        values = self.all(name)
        return values[0] if values else None


@dataclass(slots=True)
class Body:
    """A body as it came; `data` is a prefix of it where the reader was told to keep no more."""

    framing: str  # none | length | chunked | close
    data: bytearray = field(default_factory=bytearray)
    length: int = 0
    trailers: Fields = field(default_factory=list)
    complete: bool = False
    ended: str | None = None  # fin | reset, where the connection ended before or with the body


def parse_head(raw: bytes) -> Head:
    lines = raw[:-4].split(b"\r\n")
    return Head(raw, lines[0], parse_fields(lines[1:]))


def parse_fields(lines: list[bytes]) -> Fields:
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None or b"\r" in line or b"\n" in line or b"\0" in line:
            raise Malformed(f"a header line {line!r}")
        fields.append((match[1], match[2]))
    return fields


class Wire:
    """A blocking socket with a buffer: what came, how much, and how it ended.

    `kept` holds the first `keep` bytes that came; `received` counts all of them.
    """

    def __init__(self, sock: socket.socket, timeout_s: float = 20.0, keep: int = 1 << 20) -> None:
        sock.settimeout(timeout_s)
        self.sock = sock
        self.buffer = bytearray()
        self.kept = bytearray()
        self.keep = keep
        self.received = 0
        self.ended: str | None = None

    def fill(self) -> bool:
        """Read once; False at the end, which `ended` then names. TimeoutError when nothing came in time."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(1 << 18)
        except TimeoutError:
            raise
        except ssl.SSLError:
            self.ended = "reset"
            return False
        except OSError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = "fin"
            return False
        self.received += len(data)
        if len(self.kept) < self.keep:
            self.kept += data[: self.keep - len(self.kept)]
        self.buffer += data
        return True

    def take(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def through(self, mark: bytes, limit: int = 8 << 20) -> bytes:
        """All bytes up to and with `mark`; raises Ended."""
        start = 0
        while True:
            at = self.buffer.find(mark, start)
            if at >= 0:
                return self.take(at + len(mark))
            if len(self.buffer) > limit:
                raise Malformed(f"no {mark!r} within {limit} bytes")
            start = max(0, len(self.buffer) - len(mark) + 1)
            if not self.fill():
                raise Ended(self.ended or "fin", bytes(self.buffer))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Exactly `size` bytes, as they come; raises Ended."""
        while size:
            if not self.buffer and not self.fill():
                raise Ended(self.ended or "fin")
            piece = self.take(min(size, len(self.buffer)))
            size -= len(piece)
            yield piece

    def head(self) -> Head:
        return parse_head(self.through(b"\r\n\r\n"))

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self.fill():
            pass
        return self.take(len(self.buffer))


def request_framing(head: Head) -> tuple[str, int]:
    if head.get(b"transfer-encoding") is not None:
        return "chunked", 0
    return _length(head, "none")


def response_framing(head: Head, method: bytes) -> tuple[str, int]:
    status = int(head.line.split(b" ")[1])
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return "none", 0
    if head.get(b"transfer-encoding") is not None:
        return "chunked", 0
    return _length(head, "close")


def _length(head: Head, otherwise: str) -> tuple[str, int]:
    values = head.all(b"content-length")
    if not values:
        return otherwise, 0
    if len(values) > 1 or not values[0].isdigit():
        raise Malformed(f"Content-Length {values!r}")
    return "length", int(values[0])


def body_pieces(wire: Wire, framing: tuple[str, int], body: Body) -> Iterator[bytes]:
    """The body's bytes as they come; `body` receives trailers, completeness and the way it ended."""
    kind, size = framing
    try:
        if kind == "length":
            yield from wire.pieces(size)
        elif kind == "chunked":
            yield from _chunks(wire, body)
        elif kind == "close":
            while wire.buffer or wire.fill():
                yield wire.take(len(wire.buffer))
            if wire.ended == "reset":
                raise Ended("reset")
            body.ended = "fin"
    except Ended as end:
        body.ended = end.how
        return
    body.complete = True


def _chunks(wire: Wire, body: Body) -> Iterator[bytes]:
    while True:
        line = wire.through(b"\r\n")[:-2]
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Malformed(f"a chunk's head {line!r}")
        size = int(match[1], 16)
        if size == 0:
            break
        yield from wire.pieces(size)
        if b"".join(wire.pieces(2)) != b"\r\n":
            raise Malformed("a chunk without CRLF behind it")
    while line := wire.through(b"\r\n")[:-2]:
        body.trailers += parse_fields([line])


def read_body(wire: Wire, framing: tuple[str, int], keep: int = 8 << 20, deadline_s: float | None = None) -> Body:
    """The whole body; at most `keep` bytes of it stay in memory."""
    body = Body(framing[0])
    end = None if deadline_s is None else time.monotonic() + deadline_s
    for piece in body_pieces(wire, framing, body):
        body.length += len(piece)
        if len(body.data) < keep:
            body.data += piece[: keep - len(body.data)]
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"a body of {body.length} bytes and no end within {deadline_s} s")
    return body
