"""A TCP relay that does to a connection what networks do to it, in one direction or the other.

`up` is what flows towards the target, `down` what flows back. A toxic is a plain function of the flow and of what came;
it may send, wait, cut or forget it. What the relay does changes while connections live: the next bytes meet the new
toxic.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.support.client import Address

Direction = Literal["up", "down"]
PIECE = 65536


@dataclass(slots=True)
class Flow:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    ended: threading.Event
    random: random.Random
    passed: int = 0

    def send(self, data: bytes) -> None:
        self.sink.sendall(data)
        self.passed += len(data)

    def wait(self, seconds: float) -> None:
        """At most so long: the relay's end, and the connection's, come first."""
        self.ended.wait(seconds)

    def cut(self, *, reset: bool) -> None:
        """End the connection on both sides."""
        for sock in (self.source, self.sink):
            with contextlib.suppress(OSError):
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.shutdown(socket.SHUT_RD)  # wakes the other direction, which would keep the socket open
                    sock.close()
                else:
                    sock.shutdown(socket.SHUT_RDWR)
        self.ended.set()


Toxic = Callable[[Flow, bytes], None]  # called with b"" at the source's end


def healthy(flow: Flow, data: bytes) -> None:
    if data:
        flow.send(data)
    else:
        flow.sink.shutdown(socket.SHUT_WR)


def latency(seconds: float) -> Toxic:
    def late(flow: Flow, data: bytes) -> None:
        flow.wait(seconds)
        healthy(flow, data)

    return late


def jitter(seconds: float) -> Toxic:
    """Late by anything up to `seconds`."""

    def late(flow: Flow, data: bytes) -> None:
        flow.wait(flow.random.random() * seconds)
        healthy(flow, data)

    return late


def bandwidth(bytes_per_s: float, piece: int = 512) -> Toxic:
    def narrow(flow: Flow, data: bytes) -> None:
        for at in range(0, len(data), piece):
            flow.wait(len(data[at : at + piece]) / bytes_per_s)
            flow.send(data[at : at + piece])
        if not data:
            healthy(flow, data)

    return narrow


def slow_close(seconds: float) -> Toxic:
    def slow(flow: Flow, data: bytes) -> None:
        if not data:
            flow.wait(seconds)
        healthy(flow, data)

    return slow


def timeout(flow: Flow, data: bytes) -> None:
    """Nothing arrives any more, an end neither."""


def reset_peer(seconds: float) -> Toxic:
    """The connection is reset, a little after the first bytes."""

    def reset(flow: Flow, data: bytes) -> None:
        flow.wait(seconds)
        flow.cut(reset=True)

    return reset


def slicer(size: int, seconds: float = 0.0) -> Toxic:
    """Small pieces, one write each."""

    def sliced(flow: Flow, data: bytes) -> None:
        for at in range(0, len(data), size):
            flow.send(data[at : at + size])
            flow.wait(seconds)
        if not data:
            healthy(flow, data)

    return sliced


def limit_data(limit: int) -> Toxic:
    """So many bytes of a connection pass, then it ends."""

    def limited(flow: Flow, data: bytes) -> None:
        flow.send(data[: max(0, limit - flow.passed)])
        if not data or flow.passed >= limit:
            flow.cut(reset=False)

    return limited


@dataclass
class Relay:
    """Listens on a port of its own, which stays its own while it is down."""

    target: Address
    toxics: dict[Direction, Toxic] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reserved = _bound(0)
        self.address: Address = self._reserved.getsockname()
        self.accepts = True  # False: who connects is sent away without a word
        self._sockets: set[socket.socket] = set()
        self._ends: set[threading.Event] = set()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._listen()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    @contextmanager
    def with_toxic(self, direction: Direction, toxic: Toxic) -> Iterator[None]:
        """For as long as the block; connections from before it and from within it end with it."""
        self.drop()
        self.toxics[direction] = toxic
        try:
            yield
        finally:
            del self.toxics[direction]
            self.drop()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens."""
        self._deafen()
        self.drop()
        try:
            yield
        finally:
            self._listen()

    @contextmanager
    def sending_away(self) -> Iterator[None]:
        """Who connects is accepted, and the connection ended at once."""
        self.accepts = False
        self.drop()
        try:
            yield
        finally:
            self.accepts = True

    def drop(self) -> None:
        """End every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
            ends, self._ends = self._ends, set()
            for end in ends:
                end.set()
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._deafen()
        self.drop()
        self._reserved.close()

    def _listen(self) -> None:
        listener = _bound(self.address[1])
        listener.listen(512)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="relay", daemon=True).start()

    def _deafen(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            end = threading.Event()
            with self._lock:
                welcome = self.accepts and self._listener is listener
                if welcome:
                    self._sockets.add(client)
                    self._ends.add(end)
            if welcome:
                threading.Thread(target=self._relay, args=(client, end), name="relayed", daemon=True).start()
            else:
                client.close()

    def _relay(self, client: socket.socket, end: threading.Event) -> None:
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            self._forget(end, client)
            return
        server.settimeout(None)
        with self._lock:
            if not end.is_set():
                self._sockets.add(server)
        if end.is_set():  # dropped before it began
            self._forget(end, client, server)
            return
        numbers = random.Random(next(self._numbers))  # the same waits in every run
        flows: list[tuple[Direction, Flow]] = [
            ("up", Flow(client, server, end, numbers)),
            ("down", Flow(server, client, end, numbers)),
        ]
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threads = [threading.Thread(target=self._pump, args=flow, name=flow[0], daemon=True) for flow in flows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._forget(end, client, server)

    def _forget(self, end: threading.Event, *sockets: socket.socket) -> None:
        with self._lock:
            self._sockets.difference_update(sockets)
            self._ends.discard(end)
        for sock in sockets:
            sock.close()

    def _pump(self, direction: Direction, flow: Flow) -> None:
        data = b"-"
        try:
            while data:
                data = flow.source.recv(PIECE)
                self.toxics.get(direction, healthy)(flow, data)
        except OSError:
            flow.cut(reset=False)


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock
