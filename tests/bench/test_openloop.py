"""The open loop keeps its rate whatever the server does, and charges waiting to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from shadowproxy.bench.address import parse
from shadowproxy.bench.openloop import offer
from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.plan import Plan, request_bytes

REQUEST = request_bytes("POST", "/predict", "model", b'{"x": 1}', {"Content-Type": "application/json"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def _server(answer: Answer) -> AsyncIterator[int]:
    """Calls `answer(writer, k)` for the k-th request, counted over all connections."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        try:
            while await reader.readexactly(len(REQUEST)) == REQUEST:
                seen += 1
                await answer(writer, seen)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _plan(port: int, rate_per_s: float | None = 400, connections: int = 4, **changes: float) -> Plan:
    address = parse(f"http://127.0.0.1:{port}/predict")
    settings = {"duration_s": 0.4, "grace_s": 2.0, **changes}
    return Plan(address, [REQUEST], rate_per_s, connections=connections, **settings)  # type: ignore[arg-type]


async def _always(writer: asyncio.StreamWriter, k: int) -> None:
    writer.write(OK)


async def test_each_request_that_is_due_is_sent_and_answered() -> None:
    marks: list[str] = []
    async with _server(_always) as port:
        outcome = await offer(_plan(port), marks.append)
    assert (outcome.offered, outcome.statuses, outcome.errors) == (160, {200: 160}, {})
    assert outcome.latency.count == 160
    assert outcome.latency.smallest_ns > 0
    assert sum(each.latency.count for each in outcome.slices) == 160
    assert marks == ["begin", "end"]


async def test_the_warm_up_is_sent_but_not_reported() -> None:
    seen = []

    async def note(writer: asyncio.StreamWriter, k: int) -> None:
        seen.append(k)
        writer.write(OK)

    async with _server(note) as port:
        outcome = await offer(_plan(port, warmup_s=0.2))
    assert len(seen) == 240
    assert (outcome.offered, outcome.offered_with_warmup, outcome.ok) == (160, 240, 160)


async def test_a_stall_is_charged_to_all_that_waited() -> None:
    async def stall_at_the_tenth(writer: asyncio.StreamWriter, k: int) -> None:
        if k == 10:
            await asyncio.sleep(0.2)
        writer.write(OK)

    async with _server(stall_at_the_tenth) as port:
        outcome = await offer(_plan(port, connections=1))
    # One connection, 400/s: 80 requests fall due while it stalls for 200 ms; their waits average 100 ms.
    # 60 of 160 wait for 50 ms or more, so three of ten do; a closed loop would have seen one slow request.
    late_ms = outcome.latency.quantile_ms(0.7)
    assert outcome.ok == 160
    assert late_ms is not None
    assert late_ms > 50
    assert outcome.backlog_peak >= 70


async def test_an_error_status_is_counted_as_itself() -> None:
    async def every_fourth_fails(writer: asyncio.StreamWriter, k: int) -> None:
        writer.write(OK if k % 4 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with _server(every_fourth_fails) as port:
        outcome = await offer(_plan(port))
    assert outcome.statuses == {200: 120, 503: 40}


async def test_a_closed_connection_costs_its_request_and_is_replaced() -> None:
    async def hang_up_at_the_tenth(writer: asyncio.StreamWriter, k: int) -> None:
        if k == 10:
            writer.close()
        else:
            writer.write(OK)

    async with _server(hang_up_at_the_tenth) as port:
        outcome = await offer(_plan(port, connections=1))
    assert outcome.errors == {"closed": 1}
    assert outcome.ok == 159


async def test_connection_close_is_an_answer_and_not_a_loss() -> None:
    async def one_each(writer: asyncio.StreamWriter, k: int) -> None:
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with _server(one_each) as port:
        outcome = await offer(_plan(port, rate_per_s=100))
    assert (outcome.ok, outcome.errors) == (40, {})


async def test_what_is_never_answered_is_said_to_be_unanswered() -> None:
    async def never(writer: asyncio.StreamWriter, k: int) -> None:
        return None

    async with _server(never) as port:
        outcome = await offer(_plan(port, rate_per_s=50, grace_s=0.1))
    # Four connections hold one each, the rest wait for a connection.
    assert (outcome.offered, outcome.ok, outcome.errors) == (20, 0, {"unanswered": 20})
    # They count with the time they were waited for: the last was due 20 ms before the end, and 100 ms came on top.
    assert outcome.latency.count == 20
    assert outcome.latency.smallest_ns >= 100e6


async def test_nobody_there_is_an_error_at_once() -> None:
    async with _server(_always) as port:
        pass
    with pytest.raises(OSError, match="onnect"):
        await offer(_plan(port))


async def test_a_closed_loop_sends_as_answers_come() -> None:
    async with _server(_always) as port:
        outcome = await offer(_plan(port, rate_per_s=None, duration_s=0.2))
    assert outcome.errors == {}
    assert outcome.ok == outcome.offered == outcome.latency.count
    assert outcome.answered_in_window > 100


async def test_an_answer_that_takes_too_long_is_given_up_and_its_connection_replaced() -> None:
    async def forget_the_third(writer: asyncio.StreamWriter, k: int) -> None:
        if k != 3:
            writer.write(OK)

    async with _server(forget_the_third) as port:
        outcome = await offer(_plan(port, connections=1, timeout_s=0.1))
    assert outcome.errors == {"timeout": 1}
    assert outcome.ok == 159
    assert outcome.latency.largest_ns >= 100e6


async def test_what_is_no_http_is_malformed() -> None:
    async def nonsense_at_the_fifth(writer: asyncio.StreamWriter, k: int) -> None:
        writer.write(OK if k != 5 else b"220 mail.example ESMTP\r\n")

    async with _server(nonsense_at_the_fifth) as port:
        outcome = await offer(_plan(port, connections=1))
    assert outcome.errors == {"malformed": 1}
    assert outcome.ok == 159


async def test_requests_take_turns() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        requests = [request_bytes("GET", target, "h", b"", {}) for target in ("/a", "/b", "/c")]
        await offer(Plan(address, requests, 100, duration_s=0.06, connections=1))
    assert seen == [b"/a", b"/b", b"/c", b"/a", b"/b", b"/c"]


def test_a_rate_is_kept_finer_than_a_millisecond() -> None:
    async def measured() -> Outcome:
        async with _server(_always) as port:
            return await offer(_plan(port, rate_per_s=2500))

    late_ms = []
    for _ in range(5):  # a busy machine is late by itself; a timer of milliseconds would be in each of them
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(measured())
        assert (outcome.offered, outcome.ok) == (1000, 1000)
        half = outcome.late.quantile_ms(0.5)
        assert half is not None
        late_ms.append(half)
        if half < 0.5:
            break
    assert min(late_ms) < 0.5
