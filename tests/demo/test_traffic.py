"""The open loop keeps its rate, joins labels, and notices every answer that is not production's own."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import pytest

from shadowproxy.demo.digits import Digits
from shadowproxy.demo.errors import DemoError
from shadowproxy.demo.traffic import RATE_PER_S, Clients, Traffic, ask_directly, bodies
from shadowproxy.demo.training import read_traffic
from tests.demo.conftest import Served


@pytest.fixture
def digits(trained: Path) -> Digits:
    traffic = read_traffic(trained)
    return Digits(traffic.pixels[:200], traffic.labels[:200])


async def offered(digits: Digits, asked: int, expected_of: int, seconds: float) -> tuple[Traffic, io.StringIO]:
    labels = io.StringIO()
    requests = bodies(digits)
    async with Clients() as clients:
        expected = await ask_directly(clients, f"127.0.0.1:{expected_of}", requests)
        traffic = Traffic(clients, f"127.0.0.1:{asked}", digits, requests, expected, labels, seed=1)
        sending = asyncio.create_task(traffic.run())
        await asyncio.wait([sending], timeout=seconds)
        traffic.stop()
        await sending
    return traffic, labels


async def test_the_rate_is_kept_and_production_is_recognised(production: Served, digits: Digits) -> None:
    started = time.perf_counter()
    traffic, labels = await offered(digits, production.port, production.port, 1.5)
    assert RATE_PER_S >= 300
    assert traffic.tally.sent >= 0.75 * RATE_PER_S  # half of what fell due, however busy the machine is
    assert traffic.tally.sent <= (time.perf_counter() - started) * RATE_PER_S + 1
    assert traffic.tally.answered == traffic.tally.sent
    assert (traffic.tally.differing, traffic.tally.failed) == ([], [])
    lines = labels.getvalue().splitlines()
    assert lines[0] == "key,label"
    assert len(lines) == 1 + traffic.tally.sent
    assert lines[1].startswith("digit-000001,")
    assert {line.split(",")[1] for line in lines[1:]} <= {str(digit) for digit in range(10)}


async def test_what_was_due_while_the_machine_slept_is_not_sent_all_at_once(
    production: Served, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_s, real = 0.0, time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: real() + slept_s)
    started = real()

    async def sleep() -> None:
        nonlocal slept_s
        await asyncio.sleep(0.5)
        slept_s = 60.0

    sleeping = asyncio.create_task(sleep())
    traffic, _ = await offered(digits, production.port, production.port, 1.5)
    await sleeping
    assert traffic.tally.sent <= (real() - started) * RATE_PER_S + 1
    assert traffic.tally.answered == traffic.tally.sent


async def test_an_answer_that_is_not_productions_is_noticed(production: Served, broken: Served, digits: Digits) -> None:
    traffic, _ = await offered(digits, broken.port, production.port, 1.0)
    # model_version alone differs in each.
    assert len(traffic.tally.differing) == traffic.tally.answered == traffic.tally.sent
    assert traffic.tally.differing[0].startswith("digit-")


async def test_failed_requests_are_counted(digits: Digits) -> None:
    labels = io.StringIO()
    requests = bodies(digits)
    async with Clients() as clients:
        closed = "127.0.0.1:1"
        traffic = Traffic(clients, closed, digits, requests, [b""] * len(requests), labels, seed=1)
        sending = asyncio.create_task(traffic.run())
        await asyncio.wait([sending], timeout=0.5)
        traffic.stop()
        await sending
    assert traffic.tally.sent > 0
    assert len(traffic.tally.failed) == traffic.tally.sent
    assert "127.0.0.1:1" in traffic.tally.failed[0][1]


async def test_production_that_is_not_there_is_told(digits: Digits) -> None:
    async with Clients() as clients:
        with pytest.raises(DemoError, match=r"production at 127\.0\.0\.1:1 does not answer"):
            await ask_directly(clients, "127.0.0.1:1", bodies(digits))


async def test_answers_that_stop_coming_end_it(
    digits: Digits, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port is listened on, but nobody ever answers."""
    monkeypatch.setattr("shadowproxy.demo.traffic._UNDER_WAY", 40)
    requests = bodies(digits)
    async with Clients() as clients:
        labels = io.StringIO()
        traffic = Traffic(clients, f"127.0.0.1:{taken_port}", digits, requests, [b""] * len(requests), labels, seed=1)
        with pytest.raises(DemoError, match="40 requests are without an answer"):
            await asyncio.wait_for(traffic.run(), 60)
