from __future__ import annotations

import msgspec
import pytest

from shadowproxy.core import outcome as o
from shadowproxy.proxy.leg import give_up_all
from shadowproxy.settings import snapshot as s
from shadowproxy.wire import frames
from tests.proxy.world import (
    GET,
    OK,
    POST,
    Clock,
    Make,
    answer,
    begun,
    candidate,
    configuration,
    post,
    the_copy,
    turns,
)

# -- how a copy ends


@pytest.mark.parametrize(
    ("received", "end", "outcome"),
    [
        (OK, None, o.COMPLETE),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", None, o.COMPLETE),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, None, o.COMPLETE),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "fin", o.COMPLETE),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the reset", "rst", o.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", None, o.COMPLETE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "fin", o.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", None, o.PROTOCOL_ERROR),
        (answer(10) + b"half", "fin", o.TRUNCATED),
        (b"HTTP/1.1 20", "fin", o.TRUNCATED),
        (b"", "fin", o.RESET),
        (b"", "rst", o.RESET),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, o.PROTOCOL_ERROR),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", None, o.PROTOCOL_ERROR),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 60000, "more", o.PROTOCOL_ERROR),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", None, o.PROTOCOL_ERROR),
    ],
)
async def test_a_copy_ends_in_one_outcome(make: Make, received: bytes, end: str | None, outcome: int) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    if received:
        mirror.receive(received)
    if end == "fin":
        mirror.eof()
    elif end == "rst":
        mirror.lose(ConnectionResetError(104, "Connection reset by peer"))
    elif end == "more":
        mirror.receive(b"a" * 60000)
    await turns()
    assert the_copy(world).outcome == outcome
    assert (world.mirrors["v2"].pool.open == 0) == (outcome != o.COMPLETE or end == "fin")
    assert world.row("v2")["finished"] == {o.OUTCOMES[outcome]: 1}
    world.assert_at_rest()


async def test_where_no_candidate_answers_the_copy_says_so(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(POST)
    upstream.receive(OK)
    await turns()
    await world.mirrors["v2"].dials[0].failed()
    assert the_copy(world).outcome == o.CONNECT_ERROR
    assert the_copy(world).error == b"Nothing answers at v2.test:80: Connection refused."
    assert client.got == OK
    world.assert_at_rest()


async def test_the_pair_waits_for_whoever_is_last(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    mirror.receive(OK)
    assert world.recorder.pairs == []
    upstream.receive(OK)
    assert the_copy(world).outcome == o.COMPLETE
    world.assert_at_rest()


# -- timeouts


async def test_a_fixed_timeout_ends_a_copy(make: Make) -> None:
    world = make(configuration(candidate(timeout=2.0)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    world.clock.sleep(2.0)
    assert not mirror.aborted
    world.clock.sleep(0.3)
    assert mirror.aborted
    assert the_copy(world).outcome == o.TIMEOUT
    assert the_copy(world).error.startswith(b"No whole answer within 2.")
    await turns()
    world.assert_at_rest()


@pytest.mark.parametrize("connect_s", [0.6, 0.9])
async def test_a_timeout_counts_from_the_start_of_the_copy_not_of_its_connection(make: Make, connect_s: float) -> None:
    world = make(configuration(candidate(timeout=0.7)))
    upstream, client = world.production.idle(), world.client()
    client.send(POST)
    upstream.receive(OK)
    await turns()
    world.clock.sleep(connect_s)
    mirror = await world.mirrors["v2"].accept()
    world.clock.sleep(0.4)
    assert mirror.aborted
    assert the_copy(world).outcome == o.TIMEOUT


@pytest.mark.parametrize(
    ("production_s", "given_up_s"),
    [(0.0, 5.0), (1.0, 5.0), (2.0, 6.0), (10.0, 30.0), (100.0, 300.0), (250.0, 600.0)],
)
async def test_an_automatic_timeout_is_three_times_production_s_time_within_5_and_600_s(
    make: Make, production_s: float, given_up_s: float
) -> None:
    timeouts = s.Timeouts(first_byte=900.0)
    world = make(configuration(candidate(), production=s.Production(urls=("http://v1.test",), timeouts=timeouts)))
    upstream, mirror, _ = begun(world)
    world.clock.sleep(production_s)
    upstream.receive(OK)
    world.clock.sleep(given_up_s - production_s - 0.05)
    assert not mirror.aborted
    world.clock.sleep(1.3)  # `look again` is a second, a sweep a tick
    assert mirror.aborted


async def test_a_copy_is_not_given_up_while_production_has_not_answered(make: Make) -> None:
    world = make(configuration(candidate()))
    _, mirror, _ = begun(world)
    world.clock.sleep(50)
    assert not mirror.aborted


async def test_an_old_copy_s_deadline_does_not_hit_the_next_copy(make: Make) -> None:
    world = make(configuration(candidate(timeout=2.0)))
    upstream, mirror, client = begun(world)
    for _ in range(3):
        world.clock.sleep(1.5)
        upstream.receive(OK)
        mirror.receive(OK)
        client.send(POST)
    assert not mirror.aborted
    assert [pair.exchanges[1].outcome for pair in world.recorder.pairs] == [o.COMPLETE] * 3


# -- how much of an answer is read and kept


async def test_an_answer_is_kept_up_to_what_is_stored_and_counted_to_its_end(make: Make) -> None:
    routes = (s.Route(compare=s.Compare(up_to=100)),)
    snapshot = configuration(candidate(), routes=routes)
    world = make(msgspec.structs.replace(snapshot, pairs=s.Pairs(dir="/nowhere", store_up_to=50)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    mirror.receive(answer(150) + b"a" * 60)
    mirror.receive(b"b" * 90)
    kept = the_copy(world)
    assert (kept.body, kept.body_bytes) == (b"a" * 60 + b"b" * 40, 150)
    assert kept.flags & frames.BODY_TRUNCATED
    world.assert_at_rest()


@pytest.mark.parametrize("head", [answer(150), b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_of_what_is_not_kept_each_byte_is_counted_and_its_end_is_seen(make: Make, head: bytes) -> None:
    routes = (s.Route(compare=s.Compare(up_to=20)),)
    snapshot = configuration(candidate(), routes=routes)
    world = make(msgspec.structs.replace(snapshot, pairs=s.Pairs(dir="/nowhere", store_up_to=20)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    mirror.receive(head + b"a" * 30)
    for size in (1, 59, 59, 1):
        mirror.receive(b"b" * size)
    if b"Content-Length" not in head:
        mirror.eof()
    kept = the_copy(world)
    assert (kept.outcome, kept.body, kept.body_bytes) == (o.COMPLETE, b"a" * 20, 150)
    assert kept.flags & frames.BODY_TRUNCATED


@pytest.mark.parametrize("cuts", [[], [1], [90], [101], [1, 2, 3, 150]])
async def test_a_longer_answer_than_allowed_is_cut_off_however_it_comes(make: Make, cuts: list[int]) -> None:
    world = make(configuration(candidate(answer_up_to=100)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    body = bytes(200)
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, 200], strict=True)]
    mirror.receive(answer(200) + pieces[0])
    for piece in pieces[1:]:
        if not mirror.closing:
            mirror.receive(piece)
    assert the_copy(world).outcome == o.TRUNCATED
    assert the_copy(world).error == b"The answer is longer than 100 bytes."
    assert mirror.aborted
    await turns()
    world.assert_at_rest()


async def test_an_answer_of_exactly_the_allowed_length_is_whole(make: Make) -> None:
    world = make(configuration(candidate(answer_up_to=100)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    mirror.receive(answer(100) + bytes(100))
    assert the_copy(world).outcome == o.COMPLETE


async def test_what_the_budget_refuses_is_counted_but_not_kept(make: Make) -> None:
    world = make(configuration(candidate(), mirror=s.Mirror(max_buffered=20_000)))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    for _ in range(4):
        mirror.receive(answer(40_000) + bytes(10_000) if not world.worker.budget.held > 9_000 else bytes(10_000))
    kept = the_copy(world)
    assert kept.body_bytes == 40_000
    assert len(kept.body) < 20_000
    assert kept.flags & frames.BODY_TRUNCATED
    assert world.worker.budget.highest <= 20_000
    world.assert_at_rest()


async def test_the_arrivals_of_a_stream_are_kept(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    mirror.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in (b"2\r\nab\r\n", b"3\r\ncde\r\n", b"0\r\n\r\n"):
        world.clock.sleep(0.5)
        mirror.receive(piece)
    assert [total for _, total in frames.arrivals(the_copy(world).arrivals)] == [2, 5]
    first, second = [at for at, _ in frames.arrivals(the_copy(world).arrivals)]
    assert second - first == 500_000_000


# -- what a mirror refuses


async def test_no_more_copies_are_in_flight_than_allowed(make: Make) -> None:
    world = make(configuration(candidate(max_in_flight=2)))
    for _ in range(3):
        world.production.idle()
        world.client().send(POST)
    assert world.row("v2") == {
        "requests": 3,
        "eligible": 3,
        "dropped": {"in_flight": 1},
        "sent": 2,
        "in_flight": 2,
    }


async def test_the_places_of_a_whole_proxy_are_shared_by_its_workers(make: Make) -> None:
    world = make(configuration(candidate(max_in_flight=5), workers=4))
    assert world.worker.runtime.mirrors["v2"].max_in_flight == 2


async def test_a_breaker_opens_and_one_probe_tries_again(make: Make) -> None:
    breaker = s.Breaker(failures=2, window=10.0, probe=5.0)
    world = make(configuration(candidate(breaker=breaker)))
    upstream, client = world.production.idle(), world.client()

    async def ask(good: bool) -> None:
        client.send(POST)
        assert upstream.written
        upstream.receive(OK)
        await turns()
        waiting = [dial for dial in world.mirrors["v2"].dials if not dial.answer.done()]
        for dial in waiting:
            if good:
                (await dial.made()).receive(OK)
            else:
                await dial.failed()

    for _ in range(3):
        await ask(good=False)
    assert world.row("v2")["dropped"] == {"breaker_open": 1}
    world.clock.sleep(5.1)
    upstream = world.production.idle()  # the one before is too old
    await ask(good=True)
    assert world.row("v2")["finished"] == {"complete": 1, "connect_error": 2}
    await ask(good=True)
    assert world.row("v2")["sent"] == 4  # the last one on the probe's connection


async def test_a_probe_that_the_connect_rate_refuses_is_lent_again(make: Make) -> None:
    world = make(configuration(candidate(breaker=s.Breaker(failures=1, window=10.0, probe=1.0))))
    mirror = world.worker.runtime.mirrors["v2"]
    mirror.breaker.failed(world.clock.now / 1e9)
    world.clock.sleep(2)
    while mirror._rate.take("v2", False, world.clock.now):
        pass
    assert mirror.refusal(4) == o.CONNECT_RATE
    world.clock.sleep(1)
    assert mirror.refusal(4) == 0


# -- the read budget


async def test_a_long_copy_is_sent_when_its_last_byte_has_left(make: Make, clock: Clock) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    mirror.peer_reads = False
    client.send(post(40_000) + bytes(40_000))
    upstream.receive(OK)
    clock.now += 5_000_000
    mirror.read(30_000)
    clock.now += 5_000_000
    mirror.read_all()
    clock.now += 1_000_000
    mirror.receive(OK)
    assert (the_copy(world).sent, the_copy(world).total) == (10_000_000, 11_000_000)


async def test_a_copy_that_was_answered_before_it_was_read_was_never_sent(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    mirror.peer_reads = False
    client.send(post(40_000) + bytes(40_000))
    upstream.receive(OK)
    mirror.receive(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
    assert (the_copy(world).status, the_copy(world).sent) == (413, frames.UNKNOWN)
    world.assert_at_rest()


async def test_a_copy_leaves_in_the_turn_in_which_the_request_came(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    assert upstream.written.startswith(b"POST /p HTTP/1.1\r\n")
    assert mirror.written.endswith(b"X-Shadow: 1\r\nX-Shadow-Candidate: v2\r\n\r\nbody")


async def test_a_copy_of_a_streamed_request_leaves_after_its_last_byte(make: Make) -> None:
    world = make(configuration(candidate()))
    _, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(post(6) + b"abc")
    assert not mirror.written
    client.send(b"def")
    assert mirror.written.endswith(b"\r\n\r\nabcdef")
    assert b"Content-Length: 6\r\n" in mirror.written


async def test_a_copy_that_waits_for_production_leaves_when_production_is_done(make: Make) -> None:
    world = make(configuration(candidate(send="after_production")))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    assert not mirror.written
    upstream.receive(answer(2) + b"o")
    assert not mirror.written
    upstream.receive(b"k")
    assert mirror.written
    mirror.receive(OK)
    assert the_copy(world).start > 0 or the_copy(world).outcome == o.COMPLETE
    world.assert_at_rest()


@pytest.mark.parametrize("end", ["failure", "client", "timeout"])
async def test_a_copy_that_waits_leaves_however_production_ends(make: Make, end: str) -> None:
    timeouts = s.Timeouts(first_byte=1.0)
    production = s.Production(urls=("http://v1.test",), timeouts=timeouts)
    world = make(configuration(candidate(send="after_production"), production=production))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    assert not mirror.written
    if end == "failure":
        upstream.lose()
    elif end == "client":
        client.transport.eof()
    else:
        world.clock.sleep(1.3)
    mirror.receive(OK)
    await turns()
    assert the_copy(world).outcome == o.COMPLETE
    world.assert_at_rest()


async def test_a_method_that_is_not_mirrored_is_not(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(OK)
    assert world.row("v2") == {"requests": 1, "excluded": {"method": 1}}
    assert world.mirrors["v2"].dials == []


async def test_copies_of_a_young_trial_are_marked_as_warming(make: Make, clock: Clock) -> None:
    world = make(configuration(candidate(), statistics=s.Statistics(warmup=5.0)))
    for _ in range(2):
        upstream, mirror, _ = begun(world)
        upstream.receive(OK)
        mirror.receive(OK)
        clock.sleep(6)
    flags = [pair.exchanges[1].flags & frames.WARMING for pair in world.recorder.pairs]
    assert flags == [frames.WARMING, 0]


@pytest.mark.parametrize("place", ["dialing", "asked", "answering"])
async def test_what_is_under_way_when_the_worker_ends_is_no_error_of_the_candidate_s(make: Make, place: str) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    mirror = None if place == "dialing" else world.mirrors["v2"].idle()
    client.send(POST)
    upstream.receive(OK)
    if mirror is not None and place == "answering":
        mirror.receive(answer(10) + b"half")
    await turns()
    assert world.recorder.pairs == []
    give_up_all()
    await turns()
    assert the_copy(world).outcome == o.CLIENT_ABORTED
    assert the_copy(world).error == b"The proxy ended before the copy did."
    assert world.row("v2")["finished"] == {"client_aborted": 1}
    world.assert_at_rest()
