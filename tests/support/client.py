"""A client on a raw socket: it sends what it is told, however wrong, and says exactly what came back."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

from tests.support.message import Body, Ended, Fields, Head, Wire, read_body, response_framing
from tests.support.until import LEAST_S

Address = tuple[str, int]


def is_readable(sock: socket.socket, within_s: float = 0.0) -> bool:
    """Whether bytes or the end are there. By poll(2), for select(2) knows no descriptor above 1023."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(within_s * 1000))


@dataclass(slots=True)
class Answer:
    """A final answer with the interim ones that came before it."""

    head: Head
    body: Body
    interim: list[Head] = field(default_factory=list)

    @property
    def version(self) -> bytes:
        return self.head.line.split(b" ", 2)[0]

    @property
    def status(self) -> int:
        return int(self.head.line.split(b" ", 2)[1])

    @property
    def reason(self) -> bytes:
        return self.head.line.split(b" ", 2)[2] if self.head.line.count(b" ") > 1 else b""

    @property
    def fields(self) -> Fields:
        return self.head.fields

    @property
    def kind(self) -> str:
        """The proxy's own word for why it refused; empty for production's answers."""
        return (self.head.get(b"x-shadowproxy-error") or b"").decode()

    @property
    def data(self) -> bytes:
        return bytes(self.body.data)


class Client:
    """One connection. Every wait has a deadline; `ended` says how the peer closed: "fin", "reset" or None."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "localhost",
        timeout_s: float = LEAST_S,
        receive_buffer: int = 0,
        keep: int = 8 << 20,
    ) -> None:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout_s)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=server_name)
        self.wire = Wire(sock, timeout_s, keep=keep)
        self.keep = keep
        self.sent = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def sock(self) -> socket.socket:
        return self.wire.sock

    @property
    def ended(self) -> str | None:
        return self.wire.ended

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.sent += len(data)

    def send_slices(self, data: bytes, size: int = 1) -> bool:
        """One write a slice; stops, and says False, as soon as the peer has answered or gone."""
        view = memoryview(data)
        for at in range(0, len(data), size):
            if not self.wire.ended and is_readable(self.sock):
                return False
            try:
                self.send(bytes(view[at : at + size]))
            except OSError:
                return False
        return True

    def send_as_much_as_goes(self, data: bytes) -> bool:
        """Like `send`, but a peer that has closed is no error."""
        try:
            self.send(data)
        except OSError:
            return False
        return True

    def read(self, method: bytes = b"GET") -> Answer:
        """Exactly one final answer to a request with `method`; raises Ended when none began."""
        interim = []
        while True:
            head = self.wire.head()
            status = int(head.line.split(b" ", 2)[1])
            if 100 <= status < 200 and status != 101:
                interim.append(head)
                continue
            return Answer(head, read_body(self.wire, response_framing(head, method), self.keep), interim)

    def read_head(self) -> Head:
        return self.wire.head()

    def ask(self, data: bytes) -> Answer:
        """Send one whole request and read its answer."""
        self.send(data)
        return self.read(data.split(b" ", 1)[0])

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return self.wire.rest()

    def is_silent(self, for_s: float) -> bool:
        """True when nothing at all came, no end either, within `for_s`."""
        return not self.wire.buffer and not is_readable(self.sock, for_s)

    def wait_end(self, within_s: float = LEAST_S) -> str:
        """How the peer ended the connection; what it sent before is thrown away."""
        deadline = time.monotonic() + within_s
        self.sock.settimeout(within_s)
        while self.wire.fill():
            self.wire.buffer.clear()
            assert time.monotonic() < deadline, f"the connection is still open after {within_s} s"
        assert self.wire.ended is not None
        return self.wire.ended

    def finish_writing(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()


def ask(address: Address, data: bytes, *, tls: ssl.SSLContext | None = None, timeout_s: float = LEAST_S) -> Answer:
    """One request on a connection of its own."""
    with Client(address, tls=tls, timeout_s=timeout_s) as client:
        return client.ask(data)


def get(target: str = "/", *fields: str, host: str = "model.test", method: str = "GET") -> bytes:
    """A request without a body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(target: str = "/", body: bytes = b"{}", *fields: str, host: str = "model.test", method: str = "POST") -> bytes:
    """A request whose body is framed by Content-Length."""
    return get(target, *fields, f"Content-Length: {len(body)}", host=host, method=method) + body


__all__ = ["Address", "Answer", "Client", "Ended", "ask", "get", "post"]
