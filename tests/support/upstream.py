"""A scripted upstream on raw sockets, a thread for each connection: it keeps what it received and answers as told.

A handler is called with (connection, request) once a request's head has come. It answers by `connection.send` and may
read the body itself; what it leaves unread is read after it. A handler that closes or resets ends the connection.
`upstream.handler` is looked up for each request, so that a test may change it while connections live.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.message import Body, Ended, Fields, Head, Malformed, Wire, body_pieces, request_framing
from tests.support.until import until


@dataclass(slots=True)
class Request:
    head: Head
    connection: int  # number of the connection, from 0
    body: Body = field(default_factory=lambda: Body("none"))

    @property
    def method(self) -> bytes:
        return self.head.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.head.line.split(b" ")[1]

    @property
    def fields(self) -> Fields:
        return self.head.fields

    def get(self, name: bytes) -> bytes | None:
        return self.head.get(name)

    @property
    def data(self) -> bytes:
        return bytes(self.body.data)


class Connection:
    """One accepted connection; `sent` counts what the kernel took, `ended` says how the peer left."""

    def __init__(self, sock: socket.socket, number: int, keep: int) -> None:
        self.wire = Wire(sock, timeout_s=120.0, keep=keep)
        self.number = number
        self.sent = 0
        self.is_closed = False
        self._reading: Iterator[bytes] | None = None

    @property
    def ended(self) -> str | None:
        return self.wire.ended

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            n = self.wire.sock.send(view[: 1 << 16])
            self.sent += n
            view = view[n:]

    def drip(self, data: bytes) -> None:
        """Byte by byte, one write each."""
        for byte in data:
            self.send(bytes([byte]))

    def begin(self, request: Request) -> None:
        framing = request_framing(request.head)
        request.body.framing = framing[0]
        self._reading = body_pieces(self.wire, framing, request.body)

    def next_piece(self, request: Request) -> bytes:
        """Some more of the request's body as it comes; empty at its end."""
        assert self._reading is not None
        piece = next(self._reading, b"")
        request.body.length += len(piece)
        if len(request.body.data) < self.wire.keep:
            request.body.data += piece[: self.wire.keep - len(request.body.data)]
        return piece

    def read_body(self, request: Request) -> bytes:
        while self.next_piece(request):
            pass
        return bytes(request.body.data)

    def read_until(self, request: Request, mark: bytes) -> None:
        """Read the body on until it contains `mark`."""
        while mark not in request.body.data:
            if not self.next_piece(request):
                raise Ended(self.ended or "fin", bytes(request.body.data))

    def wait_end(self) -> str:
        """Read and throw away until the peer has gone, and say how."""
        while self.wire.fill():
            self.wire.buffer.clear()
        return self.wire.ended or "fin"

    def close(self) -> None:
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.wire.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.wire.sock.close()

    def finish(self) -> None:
        """FIN behind the answer; the socket stays readable."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.wire.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, TimeoutError):
            self.wait_end()
        self.close()

    def reset(self) -> None:
        """Close with RST."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wire.sock.close()


Handler = Callable[[Connection, Request], None]


class Upstream:
    """Listens on a free port of 127.0.0.1 from construction to `close`."""

    def __init__(
        self, handler: Handler | None = None, *, tls: ssl.SSLContext | None = None, keep: int = 1 << 20, port: int = 0
    ) -> None:
        self.handler = handler or echo
        self.tls = tls
        self.keep = keep
        self.connections: list[Connection] = []
        self.requests: list[Request] = []
        self.faults: list[str] = []  # what this upstream could not understand: handshakes and requests
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(1024)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._closing = False
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name="upstream", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        return self.address[1]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def received(self) -> int:
        return sum(connection.wire.received for connection in self.connections)

    def wait_requests(self, count: int, within_s: float = 5.0) -> list[Request]:
        """Until `count` heads have come in all."""
        until(lambda: len(self.requests) >= count, within_s, f"{count} requests, there were {len(self.requests)}")
        return self.requests

    def drop_connections(self) -> None:
        """Close every connection that is open now."""
        for connection in list(self.connections):
            connection.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        self.drop_connections()

    def _accept(self) -> None:
        while not self._closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), name="upstream connection", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(20)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError as fault:
            self.faults.append(str(fault))
            sock.close()
            return
        with self._lock:
            connection = Connection(sock, len(self.connections), self.keep)
            self.connections.append(connection)
        try:
            self._converse(connection)
        except Malformed as fault:
            self.faults.append(str(fault))
        except (Ended, OSError):
            pass  # the peer left, which `connection.ended` says
        finally:
            if not connection.is_closed:
                connection.close()

    def _converse(self, connection: Connection) -> None:
        while not connection.is_closed:
            request = Request(connection.wire.head(), connection.number)
            connection.begin(request)
            self.requests.append(request)
            self.handler(connection, request)
            if not connection.is_closed:
                connection.read_body(request)


def echo(connection: Connection, request: Request) -> None:
    """Answer with the request as JSON."""
    body = connection.read_body(request)
    said = {
        "method": request.method.decode("latin-1"),
        "target": request.target.decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.fields],
        "body": body.decode("latin-1"),
    }
    connection.send(response(json.dumps(said).encode(), "Content-Type: application/json"))


def response(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """An answer framed by Content-Length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def replies(raw: bytes, then: str = "keep") -> Handler:
    """A handler that reads the request and answers `raw`; `then` is keep, close or reset."""

    def handler(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(raw)
        if then == "close":
            connection.finish()
        elif then == "reset":
            connection.reset()

    return handler


def by_target(handlers: dict[bytes, Handler], otherwise: Handler = echo) -> Handler:
    """Choose the handler by the request's target."""

    def handler(connection: Connection, request: Request) -> None:
        handlers.get(request.target, otherwise)(connection, request)

    return handler
