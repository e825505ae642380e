"""Production of 10 ms and candidates that misbehave, in one process: `python -m bench.bad KIND=PORT…`.

    kind      what it does with a request that it has read
    steady    answers after 10 ms: production, and a candidate that is well
    hangs     nothing
    resets    resets the connection
    fails     answers 500 at once
    large     answers 20 MB
    endless   answers for as long as somebody reads
    trickles  answers a head, then a byte a second
    closes    answers, and closes the connection (over TLS)
    flaps     answers in one second, resets in the next
    slow      answers after 100 ms
    unread    it never reads: the request's body stays in the sockets

`refuses` is a port that nobody listens on. All but production give way to whatever else wants the core.
"""

from __future__ import annotations

import asyncio
import resource
import ssl
import sys
import time
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any, cast

PRODUCTION_S = 0.01
BODY = b'{"model_name": "digits", "model_version": "1", "outputs": [1, 2, 3]}' + b" " * 300
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"
LARGE = 20_000_000
PIECE = bytes(64 << 10)


_UNREAD: set[Model] = set()  # nothing else refers to a transport that is not read, and the kernel must see it open


class Model(asyncio.Protocol):
    """Requests have a Content-Length and are not pipelined."""

    reads = True

    def __init__(self) -> None:
        self.transport = cast(asyncio.Transport, None)
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self.is_full = False
        self._head = b""
        self._left = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if not self.reads:
            self.transport.pause_reading()
            _UNREAD.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            head, found, rest = (self._head + data).partition(b"\r\n\r\n")
            if not found:
                self._head = head
                return
            self._head = b""
            length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._left = int(length or b"0") - len(rest)
        else:
            self._left -= len(data)
        if self._left <= 0:
            self._left = -1
            self.asked()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self.drained()

    def say(self, data: bytes) -> None:
        if self.is_open:
            self.transport.write(data)

    def say_later(self, seconds: float, data: bytes) -> None:
        self.loop.call_later(seconds, self.say, data)

    def reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        self.transport.abort()

    def asked(self) -> None:
        """A request is there, its body included."""

    def drained(self) -> None:
        """What was written has been taken."""


class Steady(Model):
    def asked(self) -> None:
        self.say_later(PRODUCTION_S, ANSWER)


class Slow(Model):
    def asked(self) -> None:
        self.say_later(10 * PRODUCTION_S, ANSWER)


class Fails(Model):
    def asked(self) -> None:
        self.say(FAILURE)


class Resets(Model):
    def asked(self) -> None:
        self.reset()


class Unread(Model):
    reads = False


class Large(Model):
    left = 0

    def asked(self) -> None:
        self.left = LARGE
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        self.drained()

    def drained(self) -> None:
        while self.left and self.is_open and not self.is_full and not self.transport.is_closing():
            piece = PIECE[: self.left]
            self.left -= len(piece)
            self.say(piece)


class Endless(Large):
    def asked(self) -> None:
        self.left = 1 << 60
        self.say(b"HTTP/1.1 200 OK\r\n\r\n")
        self.drained()


class Trickles(Model):
    def asked(self) -> None:
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        self.drip()

    def drip(self) -> None:
        if self.is_open:
            self.say(b"a")
            self.loop.call_later(1.0, self.drip)


class Closes(Model):
    def asked(self) -> None:
        self.say(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        self.transport.close()


class Flaps(Model):
    def asked(self) -> None:
        if int(time.monotonic()) % 2:
            self.reset()
        else:
            self.say(ANSWER)


KINDS: dict[str, Callable[[], Model]] = {
    "steady": Steady,
    "hangs": Model,
    "resets": Resets,
    "fails": Fails,
    "large": Large,
    "endless": Endless,
    "trickles": Trickles,
    "closes": Closes,
    "flaps": Flaps,
    "slow": Slow,
    "unread": Unread,
}


async def serve(places: dict[str, int], tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    for kind, port in places.items():
        context: Any = tls if kind == "closes" else None
        await loop.create_server(KINDS[kind], "127.0.0.1", port, ssl=context, backlog=4096)
    print("ready", flush=True)
    await loop.create_future()


def main() -> None:
    """`--tls FILE` holds certificate and key for `closes`."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    words = sys.argv[1:]
    tls = None
    if words[:1] == ["--tls"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(words[1])
        words = words[2:]
    places = {kind: int(port) for kind, _, port in (word.partition("=") for word in words)}
    asyncio.run(serve(places, tls))


if __name__ == "__main__":
    main()
