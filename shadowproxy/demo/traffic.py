"""Traffic in an open loop: a request leaves when it is due, however late earlier answers are.

Each request is a held-out digit, drawn at random with a seed, under an `X-Request-ID` of its own. Its true digit is
written to the labels file before it leaves. Each answer is held against the bytes that production gave for the same
digit when it was asked directly.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, TextIO

import aiohttp

from shadowproxy.demo.digits import Digits
from shadowproxy.demo.errors import DemoError
from shadowproxy.demo.open_inference import MODEL, request_body

RATE_PER_S: Final = 320.0
CONNECTIONS: Final = 64
TIMEOUT_S: Final = 15.0
INFER: Final = f"/v2/models/{MODEL}/infer"

_UNDER_WAY: Final = 2048  # more than this and the answers have stopped: 6 s of traffic
_LATE_S: Final = 2.0  # no loop is so late that runs
_HEADERS: Final = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Tally:
    """What came of the traffic. `differing` and `failed` name request ids; why they failed stands beside."""

    sent: int = 0
    answered: int = 0
    differing: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


class Clients:
    """A session of keep-alive connections; an async context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Clients:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers=_HEADERS,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def infer(self, address: str, body: bytes, request_id: str | None = None) -> tuple[int, bytes]:
        """Status and body. Raises aiohttp.ClientError, OSError or TimeoutError."""
        assert self._session is not None
        headers = {"X-Request-ID": request_id} if request_id else None
        async with self._session.post(f"http://{address}{INFER}", data=body, headers=headers) as answer:
            return answer.status, await answer.read()


def bodies(digits: Digits) -> list[bytes]:
    return [request_body(digits.pixels[row : row + 1]) for row in range(len(digits))]


async def ask_directly(clients: Clients, address: str, requests: Sequence[bytes]) -> list[bytes]:
    """What production itself answers to each, without the proxy between; DemoError when it refuses one."""
    waiting = list(reversed(range(len(requests))))
    answers = [b""] * len(requests)

    async def ask() -> None:
        while waiting:
            at = waiting.pop()
            status, answers[at] = await clients.infer(address, requests[at])
            if status != 200:
                raise DemoError(f"production answers {status}: {answers[at][:200].decode(errors='replace')}")

    try:
        await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    except (aiohttp.ClientError, OSError, TimeoutError) as e:
        raise DemoError(f"production at {address} does not answer: {e or type(e).__name__}") from e
    return answers


class Traffic:
    """Sends until `stop`, at `RATE_PER_S`, from the first `run`."""

    def __init__(
        self,
        clients: Clients,
        address: str,
        digits: Digits,
        requests: Sequence[bytes],
        expected: Sequence[bytes],
        labels: TextIO,
        seed: int,
    ) -> None:
        self.tally = Tally()
        self._clients = clients
        self._address = address
        self._digits = digits
        self._requests = requests
        self._expected = expected
        self._labels = labels
        self._chance = random.Random(seed)
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = False
        labels.write("key,label\n")

    async def run(self) -> None:
        """Returns when the last answer after `stop` has come; DemoError when answers have stopped coming."""
        try:
            await self._offer()
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            self.flush_labels()
            for task in self._under_way:
                task.cancel()

    async def _offer(self) -> None:
        started_s = time.perf_counter()
        while not self._stopping:
            due_s = started_s + self.tally.sent / RATE_PER_S
            early_s = due_s - time.perf_counter()
            if early_s > 0:
                await asyncio.sleep(early_s)
                continue
            if early_s < -_LATE_S:  # the machine slept: what nobody asked meanwhile is not asked all at once
                started_s -= early_s
            if len(self._under_way) >= _UNDER_WAY:
                raise DemoError(f"{_UNDER_WAY} requests are without an answer: the proxy does not answer any more")
            self._send()

    def stop(self) -> None:
        self._stopping = True

    def flush_labels(self) -> None:
        self._labels.flush()

    def _send(self) -> None:
        row = self._chance.randrange(len(self._requests))
        self.tally.sent += 1
        request_id = f"digit-{self.tally.sent:06d}"
        self._labels.write(f"{request_id},{self._digits.labels[row]}\n")
        task = asyncio.create_task(self._ask(row, request_id), name=request_id)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ask(self, row: int, request_id: str) -> None:
        try:
            status, answer = await self._clients.infer(self._address, self._requests[row], request_id)
        except (aiohttp.ClientError, OSError, TimeoutError) as e:
            self.tally.failed.append((request_id, str(e) or type(e).__name__))
            return
        self.tally.answered += 1
        if status != 200:
            self.tally.failed.append((request_id, f"status {status}"))
        elif answer != self._expected[row]:
            self.tally.differing.append(request_id)
