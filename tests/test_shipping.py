"""Lines over TCP: whole and in order, kept while the server is away, dropped and counted beyond the limits."""

from __future__ import annotations

import fcntl
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shadowproxy.shipping import Shipper
from tests.support.proxy import reserve
from tests.support.until import until


class Server:
    """Takes lines on a port; each life is one `listening()`."""

    def __init__(self) -> None:
        self._held = reserve()
        self.port = self._held.getsockname()[1]
        self.lines: list[bytes] = []

    def close(self) -> None:
        self._held.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                taken.append(sock)
                threading.Thread(target=self._read, args=(sock,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for sock in taken:
            sock.close()

    def _read(self, sock: socket.socket) -> None:
        try:
            for line in sock.makefile("rb"):
                self.lines.append(line.rstrip(b"\n"))
        except (OSError, ValueError):
            return


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@contextmanager
def shipping(server: Server, **more: Any) -> Iterator[Shipper]:
    settings: dict[str, Any] = {"buffer_bytes": 1 << 20, "rate": 1e6, "pause_s": 0.01, **more}
    shipper = Shipper(f"127.0.0.1:{server.port}", **settings)
    yield shipper
    shipper.close()


def arrived(server: Server, count: int) -> Callable[[], bool]:
    return lambda: len(server.lines) >= count


def test_lines_come_whole_in_their_order_and_dressed(server: Server) -> None:
    sent = [b'{"n":%d,"x":"%s"}' % (n, b"a" * (n % 900)) for n in range(2000)]
    with server.listening(), shipping(server, buffer_bytes=4 << 20, dress=bytes.upper) as shipper:
        assert all(map(shipper.offer, sent))
        until(arrived(server, 2000))
        until(lambda: shipper.sent == 2000)
    assert server.lines == [line.upper() for line in sent]
    assert shipper.dropped == 0


def test_what_is_offered_while_nobody_is_there_comes_later_and_both_are_told(server: Server) -> None:
    told: list[tuple[str, dict[str, object]]] = []
    with shipping(server, tell=lambda event, fields: told.append((event, fields))) as shipper:
        for n in range(10):
            shipper.offer(b"%d" % n)
        until(lambda: bool(told))
        with server.listening():
            until(arrived(server, 10))
            until(lambda: len(told) == 2)
    assert server.lines == [b"%d" % n for n in range(10)]
    assert [event for event, _ in told] == ["ship.away", "ship.back"]


def test_a_server_that_comes_back_gets_what_follows(server: Server) -> None:
    with shipping(server) as shipper:
        with server.listening():
            shipper.offer(b"one")
            until(arrived(server, 1))
        shipper.offer(b"two")
        with server.listening():
            until(arrived(server, 2))
    assert server.lines == [b"one", b"two"]


def test_a_full_spool_keeps_the_old_lines_and_counts_the_new(server: Server) -> None:
    with shipping(server, buffer_bytes=100) as shipper:
        taken = [shipper.offer(b"%010d" % n) for n in range(15)]
        assert taken == [True] * 10 + [False] * 5
        assert shipper.dropped == 5
        assert not shipper.offer(b"x" * 101)
        with server.listening():
            until(arrived(server, 10))
    assert server.lines == [b"%010d" % n for n in range(10)]


def test_a_rate_is_kept(server: Server) -> None:
    with server.listening(), shipping(server, rate=50) as shipper:
        began = time.perf_counter()
        taken = sum(shipper.offer(b"line") for _ in range(500))
        assert 50 <= taken <= 51 + 50 * (time.perf_counter() - began)
        assert shipper.dropped == 500 - taken
        until(lambda: shipper.offer(b"later"), 5, "the next token")


def test_a_server_that_takes_nothing_delays_nobody() -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        shipper = Shipper(f"127.0.0.1:{deaf.getsockname()[1]}", 1 << 20, 1e9)
        line = b"x" * 10_000
        slowest = 0.0
        for _ in range(2000):
            began = time.perf_counter()
            shipper.offer(line)
            slowest = max(slowest, time.perf_counter() - began)
        assert shipper.dropped > 0
        assert slowest < 8.0  # it takes 10 s until the receiver is given up
        shipper.close(0.01)
        assert shipper.sent + shipper.dropped <= 2000


def test_the_end_sends_what_waits_and_counts_what_cannot_be_sent(server: Server) -> None:
    with server.listening():
        shipper = Shipper(f"127.0.0.1:{server.port}", 1 << 20, 1e6)
        for n in range(100):
            shipper.offer(b"%d" % n)
        shipper.close(5)
        until(arrived(server, 100))
        assert not shipper.offer(b"too late")
    lost = Shipper(f"127.0.0.1:{server.port}", 1 << 20, 1e6)
    lost.offer(b"nobody")
    lost.close(0.2)
    assert (lost.sent, lost.dropped) == (0, 1)


def test_a_connection_with_a_high_number_is_looked_at_too() -> None:
    """A worker has as many as it has clients, and select(2) ends at 1023."""
    if (most := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) <= 1500:
        pytest.skip(f"no file may have the number 1500 here: the limit is {most}")
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD, 1500)) as high:
        assert not Shipper._has_ended(high)
        theirs.shutdown(socket.SHUT_WR)
        assert Shipper._has_ended(high)
