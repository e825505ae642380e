"""Clients that are slow on purpose, many at once: heads and bodies that drip, answers that nobody reads, silence.

Law: who is well is served meanwhile; each of the others is ended by its limit; their files are given back, and none of
them costs more memory than a connection may.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, get, post
from tests.support.processes import forget_memory_peak, memory_peak, open_files
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, response

MIB = 1 << 20
PATIENCE = "2s"  # of every limit towards clients
PER_CLIENT = 16 << 10  # bytes
UNREAD = 512 << 10  # bytes of an answer that nobody reads: what production sent in two reads
LONG = bytes(4 * MIB)


def long_or_not(connection: Connection, request: Request) -> None:
    body = connection.read_body(request)
    connection.send(response(LONG if request.target == b"/long" else body))


# What is sent at first, and then byte by byte for as long as the proxy takes it.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "a head that drips": (b"POST /slow HTTP/1.1\r\nHost: model.test\r\nX-Slow: ", b"a" * 1000),
    "a body that stops": (get("/slow", "Content-Length: 1000", method="POST") + b"half", b""),
    "chunks that drip extensions": (get("/slow", "Transfer-Encoding: chunked", method="POST") + b"5;", b""),
    "an answer that is not read": (post("/long"), b""),
    "silence": (b"", b""),
}


class Slow:
    """One slow client."""

    def __init__(self, address: tuple[str, int], kind: str) -> None:
        begin, self._drip = KINDS[kind]
        self._reads = kind != "an answer that is not read"
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(address)
        self.sock.sendall(begin)
        self._poll = select.poll()  # `select` knows no more than 1,024 files
        self._poll.register(self.sock, select.POLLIN)

    def drip(self) -> None:
        if self._drip and not self.has_ended():
            with contextlib.suppress(OSError):
                self.sock.send(self._drip[:1])
            self._drip = self._drip[1:]

    def has_ended(self) -> bool:
        """Whether the proxy has answered or hung up. Who does not read learns of it last: there the files tell."""
        return not self._reads or bool(self._poll.poll(0))


@contextlib.contextmanager
def served(proxy: Proxy) -> Iterator[Callable[[], int]]:
    """A client that is well asks on and on; how often it was answered rightly."""
    stop, count, wrong = threading.Event(), [0], []

    def ask() -> None:
        with Client(proxy.address) as client:
            while not stop.is_set():
                body = b"%d" % count[0]
                answer = client.ask(post("/", body))
                if (answer.status, answer.data) != (200, body):
                    wrong.append(answer)
                    return
                count[0] += 1

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield lambda: count[0]
    stop.set()
    thread.join(20)
    assert not thread.is_alive(), "a client that is well waits for an answer"
    assert not wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize("each", [20, pytest.param(200, marks=pytest.mark.campaign)])
def test_slow_clients_are_ended_in_time_and_cost_nobody_an_answer(tmp_path: Path, each: int) -> None:
    with Upstream(long_or_not) as production, contextlib.ExitStack() as sockets:
        names = ("head_timeout", "body_idle", "keep_alive", "client_stall")
        config = {"production": {"url": production.url, "connections": 2000}, "limits": dict.fromkeys(names, PATIENCE)}
        with Proxy(tmp_path, config) as proxy, served(proxy) as answered:
            worker = proxy.worker()
            until(lambda: answered() > 10, 10, "the first answers")
            files = open_files(worker)
            forget_memory_peak(worker)
            before = memory_peak(worker)
            slow = [Slow(proxy.address, kind) for kind in KINDS for _ in range(each)]
            for one in slow:
                sockets.callback(one.sock.close)
            at = answered()

            def all_ended() -> bool:
                for one in slow:
                    one.drip()
                return all(one.has_ended() for one in slow)

            until(all_ended, 30, "the end of every slow client", step_s=0.05)
            assert answered() > at
            until(lambda: open_files(worker) <= files, 10, "their files are given back")
            grown = memory_peak(worker) - before
            most = len(slow) * PER_CLIENT + each * UNREAD + 4 * MIB
            assert grown <= most, f"{grown / MIB:.1f} MiB of {most / MIB:.1f}"
            print(f"{len(slow)} slow clients: {grown / len(slow) / 1024:.0f} KiB for each")
