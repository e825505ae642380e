"""Nobody makes a worker hold or do a hundred times what it costs to ask for it.

Envoy's rule: a request that costs more than a hundred times its bytes in memory, or a hundred times the client's CPU,
is a vulnerability. All requests of `refusal_cases` and all answers of `hostile_cases` are played to a worker without
sockets. Memory is what the interpreter allocated at the most, over what a good request of the same kind makes it
allocate; work is counted in calls of functions, Python's and C's, so no busy machine changes it.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from shadowproxy.proxy.mirror import READ
from shadowproxy.settings import snapshot as s
from tests.e2e.hostile_cases import CASES, Hostile
from tests.e2e.refusal_cases import BODIES, BODY_LIMIT, HEADS, Case
from tests.proxy.world import OK, POST, FakeTransport, Make, World, candidate, configuration, turns

MOST = 100
SLICE = 16 << 10
ENDLESS = 2 << 20  # bytes after which an endless answer has shown what it does
LONG = 4096
CALLS_A_BYTE = 30  # where each comes by itself
HELD = 256 << 10  # a read, and what it is copied to


@dataclass
class Cost:
    bytes: int = 0
    calls: int = 0


@contextmanager
def counted() -> Iterator[Cost]:
    """The most bytes that were allocated within, beyond what there was before; and the calls of functions."""
    cost = Cost()

    def called(frame: FrameType, event: str, argument: Any) -> None:
        cost.calls += event in ("call", "c_call")

    gc.disable()  # its callbacks would be counted wherever it runs
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    sys.setprofile(called)
    try:
        yield cost
    finally:
        sys.setprofile(None)
        cost.bytes = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        gc.enable()


def settings() -> s.Snapshot:
    mirror = s.Mirror(methods=("GET", "POST", "PUT", "HEAD", "OPTIONS"))
    return configuration(candidate(timeout=2.0), mirror=mirror, limits=s.Limits(body=BODY_LIMIT))


async def ask(make: Make, raw: bytes, size: int) -> Cost:
    """What one client's bytes cost, sent in pieces of `size`, production at hand."""
    world = make(settings())
    production, client = world.production.idle(), world.client()
    world.mirrors["v2"].idle()
    with counted() as cost:
        for at in range(0, len(raw), size):
            if client.transport.closing or client.transport.lost or client.transport.is_paused:
                break
            client.send(raw[at : at + size])
        if production.written.endswith(b"body"):
            production.receive(OK)
        await turns(4)
    client.transport.lose()
    return cost


async def good_request(make: Make, size: int) -> Cost:
    if size not in GOOD:
        await ask(make, POST, size)  # what only the first one costs
        GOOD[size] = await ask(make, POST, size)
    return GOOD[size]


async def good_answer(make: Make, whose: str) -> Cost:
    if whose not in GOOD:
        await answered(make, None, whose)
        GOOD[whose], _ = await answered(make, None, whose)
    return GOOD[whose]


GOOD: dict[int | str, Cost] = {}
ALL = [*HEADS, *BODIES]


def by_id(case: Case | Hostile) -> str:
    return case.id


@pytest.mark.parametrize("case", ALL, ids=by_id)
async def test_a_refused_request_costs_what_a_good_one_costs(make: Make, case: Case) -> None:
    good, cost = await good_request(make, SLICE), await ask(make, case.raw, SLICE)
    assert cost.bytes <= good.bytes + MOST * len(case.raw), cost
    assert cost.calls <= 2 * good.calls + len(case.raw), cost


@pytest.mark.parametrize("case", [case for case in ALL if len(case.raw) <= LONG][::3], ids=by_id)
async def test_a_byte_by_itself_costs_a_turn_and_no_more(make: Make, case: Case) -> None:
    good, cost = await good_request(make, 1), await ask(make, case.raw, 1)
    assert cost.bytes <= good.bytes + MOST * len(case.raw), cost
    assert cost.calls <= good.calls + CALLS_A_BYTE * len(case.raw), cost


class Speaker:
    """What a hostile upstream's handler takes for its connection: all that it says is put down, to be played later."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.end = ""
        self.ended: str | None = None
        self.is_closed = False

    def read_body(self, request: Any) -> bytes:
        return b""

    def send(self, data: bytes) -> None:
        self.said.append(data)
        if sum(map(len, self.said)) > ENDLESS:
            self.ended = "fin"

    def drip(self, data: bytes) -> None:
        self.said += [data[at : at + 1] for at in range(len(data))]

    def wait_end(self) -> str:
        return "fin"

    def close(self) -> None:
        self.end = "eof"

    finish = close

    def reset(self) -> None:
        self.end = "reset"


async def play(transport: FakeTransport, speaker: Speaker, world: World) -> int:
    """Say it all, as fast as it is read; how many bytes were taken."""
    taken = 0
    for piece in (said[at : at + READ] for said in speaker.said for at in range(0, len(said), READ)):
        for _ in range(200):
            if not transport.is_paused or transport.closing:
                break
            await turns(1)
            world.clock.sleep(0.01)
        if transport.closing or transport.lost or transport.is_paused:
            break
        transport.receive(piece)
        taken += len(piece)
    if not (transport.closing or transport.lost):
        if speaker.end == "reset":
            transport.lose(ConnectionResetError(104, "Connection reset by peer"))
        elif speaker.end and not transport.is_paused:
            transport.eof()
    world.clock.sleep(70)  # beyond every timeout
    await turns()
    return taken


async def answered(make: Make, case: Hostile | None, hostile: str) -> tuple[Cost, int]:
    """What an answer of production or the candidate costs, the other's being good; and how long it was."""
    world = make(settings())
    upstreams = {"production": world.production.idle(), "candidate": world.mirrors["v2"].idle()}
    client = world.client()
    client.send(POST)
    await turns()
    speaker = Speaker()
    if case is None:
        speaker.send(OK)
    else:
        case.handler(speaker, None)  # type: ignore[arg-type]
    for name, transport in upstreams.items():
        if name != hostile:
            transport.receive(OK)
    for transport in (*upstreams.values(), client.transport):
        transport.written = Forgotten()
    with counted() as cost:
        taken = await play(upstreams[hostile], speaker, world)
    client.transport.lose()
    world.assert_at_rest()
    return cost, taken


class Forgotten(bytearray):
    """What was written and is of no interest: the peer has it, and the worker holds none of it."""

    def __iadd__(self, data: Any) -> Forgotten:  # type: ignore[misc]
        return self


@pytest.mark.parametrize("hostile", ["production", "candidate"])
@pytest.mark.parametrize("case", CASES, ids=by_id)
async def test_a_hostile_answer_costs_ten_times_its_bytes_at_the_most(make: Make, case: Hostile, hostile: str) -> None:
    good = await good_answer(make, hostile)
    cost, taken = await answered(make, case, hostile)
    assert cost.bytes <= good.bytes + HELD + 10 * taken, (cost, taken)
    assert cost.calls <= 2 * good.calls + CALLS_A_BYTE * taken, (cost, taken)
