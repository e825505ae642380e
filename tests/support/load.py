"""Clients under load: threads that ask one after the other on connections that they keep, and judge every answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from tests.support.client import Address, Client, is_readable, post
from tests.support.message import Ended, Malformed
from tests.support.upstream import Connection, Request, response


def returns_the_body(connection: Connection, request: Request) -> None:
    """The handler that fits: the answer's body is the request's."""
    connection.send(response(connection.read_body(request), "Content-Type: application/json"))


class Load:
    """Asks until `total` requests are asked, `stop` is called or connections are refused.

    A client looks at its connection before it uses it again, and opens another where it has ended; nothing is ever
    asked twice. `answered` holds the time by number of every request with the right answer, `lost` what went wrong.
    """

    def __init__(self, address: Address, clients: int = 8, total: int | None = None, first: int = 0) -> None:
        self._address = address
        self._total = total
        self._first = first
        self._numbers = itertools.count(first)
        self._stop = threading.Event()
        self.answered: dict[int, float] = {}
        self.sent: dict[int, float] = {}
        self.lost: list[str] = []
        self.refused = 0
        self._threads = [threading.Thread(target=self._run, name=f"client {n}", daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def id(number: int) -> str:
        return f"load-{number}"

    @property
    def count(self) -> int:
        return len(self.answered)

    def stop(self) -> None:
        self._stop.set()

    def wait(self, within_s: float = 90.0) -> None:
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"{thread.name} is not done within {within_s} s; {self.count} answered"

    def _run(self) -> None:
        client: Client | None = None
        while not self._stop.is_set():
            number = next(self._numbers)
            if self._total is not None and number >= self._first + self._total:
                break
            try:
                if client is None or is_readable(client.sock):
                    if client is not None:
                        client.close()
                    client = Client(self._address, timeout_s=30)
            except OSError:
                self.refused += 1
                return
            if not self._ask(client, number):
                client.close()
                client = None
        if client is not None:
            client.close()

    def _ask(self, client: Client, number: int) -> bool:
        """True when the connection may be used again."""
        body = b'{"n": %d}' % number
        try:
            self.sent[number] = time.time()
            answer = client.ask(post("/load", body, f"X-Request-ID: {self.id(number)}"))
        except (Ended, Malformed, OSError) as fault:
            self.lost.append(f"{number}: {fault!r}, ended by {client.ended}")
            return False
        if (answer.status, answer.data) != (200, body) or not answer.body.complete:
            self.lost.append(f"{number}: {answer.head.raw!r} {answer.data!r}")
            return False
        self.answered[number] = time.time()
        return (answer.head.get(b"connection") or b"").lower() != b"close"


def reaches(load: Load, count: int) -> Callable[[], bool]:
    """A condition for `until`: so many right answers."""
    return lambda: load.count >= count
