"""Each request adds exactly one to every row of its route; what a row counts is the whole of what is asserted here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shadowproxy.core import outcome as o
from shadowproxy.core.budget import OVERHEAD
from shadowproxy.core.sampling import is_sampled, point
from shadowproxy.proxy.leg import ANSWER_RESERVE
from shadowproxy.settings import snapshot as s
from shadowproxy.wire import frames
from tests.proxy.world import GET, OK, POST, Make, World, candidate, configuration, post, turns

TWIN = s.Candidate(name="twin", url="http://twin.test", trial="v1-0")
WEBSOCKET = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def ask(world: World, request: bytes = POST) -> None:
    """One request, answered by production if it gets there, and by each mirror if that gets a copy."""
    upstream, client = world.production.idle(), world.client()
    mirrors = [one.idle() for one in world.mirrors.values()]
    client.send(request)
    if upstream.written and not upstream.closing:
        upstream.receive(OK)
    for mirror in mirrors:
        if mirror.written:
            mirror.receive(OK)
    world.production.pool.close()


def conversation(world: World) -> Callable[[bytes], None]:
    """Requests one after the other, on connections that are used again."""
    upstream = world.production.idle()
    mirrors = [one.idle() for one in world.mirrors.values()]

    def again(request: bytes) -> None:
        world.client().send(request)
        upstream.receive(OK)
        for mirror in mirrors:
            if mirror.written:
                mirror.written.clear()
                mirror.receive(OK)

    return again


def excluded(reason: str) -> dict[str, Any]:
    return {"requests": 1, "excluded": {reason: 1}}


def dropped(reason: str) -> dict[str, Any]:
    return {"requests": 1, "eligible": 1, "dropped": {reason: 1}}


SENT = {"requests": 1, "eligible": 1, "sent": 1, "finished": {"complete": 1}, "logged": 1}
SAMPLED_OUT = {"requests": 1, "eligible": 1, "sampled_out": 1}
UNMATCHED = {"requests": 1, "unmatched": 1}


@pytest.mark.parametrize(
    ("settings", "request_", "row"),
    [
        ({}, POST, SENT),
        ({}, GET, excluded("method")),
        ({}, WEBSOCKET, excluded("upgrade")),
        ({}, POST.replace(b"Length: 4", b"Length: 99999999999"), excluded("refused")),
        (
            {},
            POST.replace(b"Host", b"Via: 1.1 shadowproxy, 1.1 shadowproxy, 1.1 shadowproxy\r\nHost"),
            excluded("refused"),
        ),
        ({"paused": True}, POST, excluded("paused")),
        ({"sample": 0.0}, POST, SAMPLED_OUT),
        ({"mirror_up_to": 3}, POST, dropped("body_too_large")),
        ({"mirror_up_to": 4}, POST, SENT),
        ({"json_set": (("$.model", "m2"),)}, POST, dropped("rewrite_failed")),
    ],
)
async def test_every_request_has_one_fate(
    make: Make, settings: dict[str, Any], request_: bytes, row: dict[str, Any]
) -> None:
    world = make(configuration(candidate(**settings)))
    ask(world, request_)
    assert world.row("v2") == row
    world.assert_at_rest()


INFER = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: "
SEQUENCE = b'{"parameters":{"sequence_id":7}}'


@pytest.mark.parametrize(
    ("request_", "row"),
    [
        (POST.replace(b"/p", b"/v2/repository/models/m/load"), excluded("stateful")),
        (INFER + b"%d\r\n\r\n" % len(SEQUENCE) + SEQUENCE, excluded("stateful")),
        (INFER + b"2\r\n\r\n{}", SENT),
        (INFER.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\n20\r\n") + SEQUENCE + b"\r\n0\r\n\r\n",
         excluded("stateful")),
    ],
)  # fmt: skip
async def test_a_stateful_call_goes_to_production_alone(make: Make, request_: bytes, row: dict[str, Any]) -> None:
    world = make(configuration(candidate(), twin=TWIN))
    ask(world, request_)
    assert world.row("v2") == world.row("twin") == row
    world.assert_at_rest()


async def test_a_route_without_a_protocol_has_no_stateful_calls(make: Make) -> None:
    world = make(configuration(candidate(), routes=(s.Route(protocol="none"),)))
    ask(world, POST.replace(b"/p", b"/models"))
    assert world.row("v2") == SENT


async def test_a_stateful_call_for_a_candidate_that_is_not_of_the_route_is_refused_by_rule_too(make: Make) -> None:
    world = make(configuration(candidate("v2"), candidate("v3"), routes=(s.Route(candidates=("v2",)),)))
    ask(world, POST.replace(b"/p", b"/v1/files"))
    assert world.row("v2") == world.row("v3") == excluded("stateful")


@pytest.mark.parametrize(
    ("sample_key", "request_", "key", "keyless"),
    [
        ("header:X-User", POST.replace(b"Host", b"x-user: u7\r\nHost"), b"u7", 0),
        ("header:X-User", POST.replace(b"Host", b"x-user:\r\nX-Request-ID: r-1\r\nHost"), b"r-1", 1),
        ("cookie:user", POST.replace(b"Host", b"Cookie: a=b; user=u7\r\nHost"), b"u7", 0),
        ("json:$.user", post(13) + b'{"user":"u7"}', b"u7", 0),
        ("json:$.user", post(23) + b'{"user":18446744073709551617}'[:23], None, 1),
        ("json:$.user", post(29) + b'{"user":18446744073709551617}', b"18446744073709551617", 0),
        ("json:$.user", POST.replace(b"Host", b"X-Request-ID: r-1\r\nHost"), b"r-1", 1),
        ("id", POST.replace(b"Host", b"X-Request-ID: r-1\r\nHost"), b"r-1", 0),
    ],
)
async def test_a_request_is_sampled_by_its_key_or_by_its_id_which_is_counted(
    make: Make, sample_key: str, request_: bytes, key: bytes | None, keyless: int
) -> None:
    """Two candidates whose shares lie on either side of the key's point."""
    share = 0.5 if key is None else point(key)  # None: drawn by an id that the proxy gives
    below = candidate("v2", sample=share, sample_key=sample_key)
    above = candidate("v3", sample=min(1.0, share + 1e-9), sample_key=sample_key)
    world = make(configuration(below, above))
    ask(world, request_)
    if key is not None:
        assert (world.row("v2"), world.row("v3")) == (SAMPLED_OUT, SENT)
    counters = world.worker.stats().counters
    assert [counters[f'mirror_keyless_total{{candidate="{name}"}}'] for name in ("v2", "v3")] == [keyless] * 2


async def test_a_request_that_matches_no_route_is_counted_apart(make: Make) -> None:
    world = make(configuration(candidate(), twin=TWIN, routes=(s.Route(name="a", match=s.Match(path="/a")),)))
    ask(world)
    for name in ("v2", "twin"):
        assert world.row(name, None) == UNMATCHED
        assert world.row(name, "a") == {}
    assert world.mirrors["v2"].pool.open == 1  # and no copy was sent
    assert world.recorder.pairs == []


async def test_a_candidate_that_is_not_of_the_route_gets_no_copy(make: Make) -> None:
    routes = (s.Route(candidates=("v2",)),)
    world = make(configuration(candidate("v2"), candidate("v3"), routes=routes))
    ask(world)
    assert world.row("v2") == SENT
    assert world.row("v3") == UNMATCHED


async def test_each_candidate_has_its_own_fate(make: Make) -> None:
    world = make(
        configuration(
            candidate("v2"), candidate("v3", sample=0.0), candidate("v4", paused=True), candidate("v5", mirror_up_to=0)
        )
    )
    ask(world)
    rows = [world.row(name) for name in ("v2", "v3", "v4", "v5")]
    assert rows == [SENT, SAMPLED_OUT, excluded("paused"), dropped("body_too_large")]
    (pair,) = world.recorder.pairs
    assert [exchange.role for exchange in pair.exchanges] == [frames.PRODUCTION, frames.FIRST_CANDIDATE]


@pytest.mark.parametrize(
    ("reason", "name"), [(o.OVERLOAD, "overload"), (o.RECORDER_BEHIND, "recorder_behind"), (o.DRAINING, "draining")]
)
async def test_a_worker_in_trouble_sheds_copies(make: Make, reason: int, name: str) -> None:
    world = make(configuration(candidate(), twin=TWIN))
    world.worker.shedding = lambda: reason  # type: ignore[method-assign]
    ask(world)
    assert world.row("v2") == world.row("twin") == dropped(name)
    assert world.recorder.pairs == []
    world.assert_at_rest()


@pytest.mark.parametrize("size", [5, 3000])
async def test_a_body_that_the_budget_refuses_is_passed_on_and_not_copied(make: Make, size: int) -> None:
    world = make(configuration(candidate(), twin=TWIN, mirror=s.Mirror(max_buffered=2000)))
    ask(world, post(size) + bytes(size))
    assert world.row("v2") == world.row("twin") == dropped("buffer_full")
    assert world.worker.budget.highest <= 2000
    world.assert_at_rest()


# -- the twin


@pytest.mark.parametrize(
    ("candidates", "twin", "row"),
    [
        ((candidate(),), TWIN, SENT),
        ((candidate(sample=0.0),), TWIN, SAMPLED_OUT),
        ((candidate(paused=True),), TWIN, SAMPLED_OUT),
        ((candidate("v2", sample=0.0), candidate("v3")), TWIN, SENT),
        ((candidate(mirror_up_to=0),), TWIN, dropped("body_too_large")),
        ((), TWIN, UNMATCHED),
        ((candidate(),), s.Candidate(name="twin", url="http://twin.test", sample=0.0), SAMPLED_OUT),
        ((candidate(),), s.Candidate(name="twin", url="http://twin.test", paused=True), excluded("paused")),
    ],
)
async def test_the_twin_gets_a_copy_exactly_when_some_candidate_does(
    make: Make, candidates: tuple[s.Candidate, ...], twin: s.Candidate, row: dict[str, Any]
) -> None:
    world = make(configuration(*candidates, twin=twin))
    ask(world)
    assert world.row("twin") == row
    world.assert_at_rest()


async def test_a_twin_s_sample_is_a_share_of_its_candidates_requests(make: Make) -> None:
    """Within its own sample it has a copy exactly where a candidate has one; outside it has none."""
    shares = {"twin": 0.3, "v2": 0.5}
    twin = s.Candidate(name="twin", url="http://twin.test", trial="v1-0", sample=shares["twin"])
    world = make(configuration(candidate(sample=shares["v2"]), twin=twin))
    ids = [b"r-%d" % number for number in range(60)]
    again = conversation(world)
    for request_id in ids:
        again(POST.replace(b"Host", b"X-Request-ID: %b\r\nHost" % request_id))
    sides = {pair.id: {exchange.role for exchange in pair.exchanges} for pair in world.recorder.pairs}
    assert set(sides) == {request_id for request_id in ids if is_sampled(request_id, shares["v2"])}
    with_twin = {request_id for request_id, roles in sides.items() if frames.TWIN in roles}
    assert with_twin == {request_id for request_id in ids if is_sampled(request_id, shares["twin"])}
    assert 0 < len(with_twin) < len(sides) < 60


async def test_twin_and_candidates_leave_in_random_order(make: Make) -> None:
    world = make(configuration(candidate("v2"), candidate("v3"), twin=TWIN))
    again = conversation(world)
    for _ in range(60):  # each order is missed with probability (5/6)^60 < 2e-5
        again(POST)
    orders = {tuple(exchange.role for exchange in pair.exchanges[1:]) for pair in world.recorder.pairs}
    assert len(orders) == 6


async def test_a_body_that_was_rewritten_for_one_copy_is_paid_for(make: Make) -> None:
    body = b'{"a":"%b"}' % (b"x" * 1000)
    rewriting = candidate(json_set=(("$.model", "m2"),))
    bodies = len(body) + OVERHEAD + len(body + b',"model":"m2"') + OVERHEAD
    cost = bodies + 2 * ANSWER_RESERVE  # of production's answer and the copy's
    for limit, row in ((cost - 1, dropped("buffer_full")), (cost, SENT)):
        world = make(configuration(rewriting, mirror=s.Mirror(max_buffered=limit)))
        ask(world, post(len(body)) + body)
        assert world.row("v2") == row
        world.assert_at_rest()


async def test_a_twin_that_was_due_and_dropped_is_in_the_pair(make: Make) -> None:
    world = make(configuration(candidate(), twin=s.Candidate(name="twin", url="http://twin.test", max_in_flight=1)))
    world.worker.runtime.mirrors["twin"].in_flight = 1
    ask(world)
    world.worker.runtime.mirrors["twin"].in_flight = 0
    (pair,) = world.recorder.pairs
    twin = pair.exchanges[-1]
    assert (twin.role, twin.outcome, twin.dropped) == (frames.TWIN, 0, o.IN_FLIGHT)
    assert (twin.status, twin.total, twin.body) == (0, frames.UNKNOWN, b"")
    assert world.row("twin") == dropped("in_flight")


# -- the pair


async def test_a_pair_holds_what_was_said(make: Make) -> None:
    world = make(configuration(candidate(), twin=TWIN))
    upstream, client = world.production.idle(), world.client()
    mirrors = {name: one.idle() for name, one in world.mirrors.items()}
    client.send(POST.replace(b"Host", b"X-Request-ID: r-1\r\nHost"))
    world.clock.now += 1_000_000
    upstream.receive(OK)
    world.clock.now += 1_000_000
    mirrors["twin"].receive(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    mirrors["v2"].lose()
    (pair,) = world.recorder.pairs
    assert (pair.generation, pair.route, pair.flags, pair.answered_by) == (1, 0, 0, frames.PRODUCTION)
    assert (pair.id, pair.body, pair.body_bytes) == (b"r-1", b"body", 4)
    assert pair.head.startswith(b"POST /p HTTP/1.1\r\nX-Request-ID: r-1\r\n")
    sides = {exchange.role: exchange for exchange in pair.exchanges}
    assert pair.exchanges[0].role == frames.PRODUCTION
    first = sides[frames.PRODUCTION]
    assert (first.outcome, first.status, first.body, first.total) == (o.COMPLETE, 200, b"ok", 1_000_000)
    assert first.head == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    twin = sides[frames.TWIN]
    assert (twin.outcome, twin.status, twin.body, twin.total) == (o.COMPLETE, 500, b"", 2_000_000)
    copy = sides[frames.FIRST_CANDIDATE]
    assert (copy.outcome, copy.status, copy.error[:7]) == (o.RESET, 0, b"The ups")
    world.assert_at_rest()


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_step_of_the_wall_clock_within_a_request_changes_no_duration(
    make: Make, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    """It moves what later requests say of their arrival, and nothing else: order is that of their numbers."""
    wall = 1_700_000_000 * 10**9
    monkeypatch.setattr("time.time_ns", lambda: wall)
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    for _ in range(2):
        client.send(POST)
        wall += step_s * 10**9
        world.clock.now += 1_000_000
        upstream.receive(OK)
        mirror.receive(OK)
        client.transport.read_all()
    first, second = world.recorder.pairs
    assert second.arrival_us - first.arrival_us == step_s * 10**6
    for pair in (first, second):
        assert [(one.outcome, one.total) for one in pair.exchanges] == [(o.COMPLETE, 1_000_000)] * 2
    world.assert_at_rest()


async def test_bytes_are_held_from_the_body_s_arrival_until_the_pair_is_handed_over(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(post(8) + b"half")
    assert world.worker.budget.held > 0
    client.send(b"half")
    upstream.receive(OK)
    assert world.worker.budget.held > 0
    mirror.receive(OK)
    assert world.worker.budget.held == 0


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_each_event_of_both_streams_has_its_arrival_and_pays_for_it(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    held = world.worker.budget.held
    for side in (upstream, mirror):
        side.receive(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(5000):
        for side in (upstream, mirror):
            world.clock.now += 1_000
            side.receive(chunk(b"data: %d\n\n" % (number % 10)))
        client.take()
    assert world.worker.budget.held - held >= 2 * 5000 * OVERHEAD
    upstream.receive(b"0\r\n\r\n")
    mirror.receive(b"0\r\n\r\n")
    (pair,) = world.recorder.pairs
    for side_, first in zip(pair.exchanges, (1_000, 2_000), strict=True):
        arrivals = frames.arrivals(side_.arrivals)
        assert [size for _, size in arrivals] == [9 * (n + 1) for n in range(5000)]
        assert [at for at, _ in arrivals] == [first + 2_000 * n for n in range(5000)]
    world.assert_at_rest()


async def test_what_is_not_kept_of_a_stream_has_no_arrivals(make: Make) -> None:
    world = make(configuration(candidate(), mirror=s.Mirror(max_buffered=30_000)))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    for side in (upstream, mirror):
        side.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2000):
        upstream.receive(chunk(b"a" * 100))
        mirror.receive(chunk(b"b" * 100))
        assert world.worker.budget.held <= 30_000
    upstream.receive(b"0\r\n\r\n")
    mirror.receive(b"0\r\n\r\n")
    assert client.got.count(b"a" * 100) == 2000
    (pair,) = world.recorder.pairs
    for exchange in pair.exchanges:
        assert exchange.body_bytes == 200_000
        assert exchange.flags & frames.BODY_TRUNCATED
        assert 0 < len(frames.arrivals(exchange.arrivals)) < 400
    world.assert_at_rest()


async def test_a_stream_that_outlives_its_copy_is_kept_to_its_end(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    mirror.receive(OK)
    upstream.receive(b"1\r\nb\r\n")
    upstream.receive(b"0\r\n\r\n")
    (pair,) = world.recorder.pairs
    assert pair.exchanges[0].body == b"ab"
    assert len(frames.arrivals(pair.exchanges[0].arrivals)) == 2
    await turns()
    world.assert_at_rest()
