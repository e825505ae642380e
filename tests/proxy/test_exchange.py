from __future__ import annotations

import pytest

from shadowproxy.core import outcome as o
from shadowproxy.proxy.timers import SECOND_NS
from shadowproxy.settings import snapshot as s
from tests.proxy.world import GET, OK, POST, Make, answer, candidate, configuration, post, turns

LARGE = 200 << 10


def problem(got: bytes) -> tuple[int, str]:
    """Status and kind of one refusal."""
    head = got.partition(b"\r\n\r\n")[0].decode()
    return int(head.split(" ")[1]), head.partition("X-Shadowproxy-Error: ")[2].partition("\r\n")[0]


# -- connecting ----------------------------------------------------------------------------------------------


async def test_a_client_that_leaves_while_production_is_being_connected(make: Make) -> None:
    world = make(configuration(candidate()))
    mirror, client = world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    await turns()
    client.transport.eof()
    await turns()
    assert world.production.pool.open == 0
    mirror.receive(OK)  # the copy was whole, so it goes on
    (pair,) = world.recorder.pairs
    assert pair.exchanges[0].outcome == o.CLIENT_ABORTED
    world.assert_at_rest()


async def test_a_client_that_leaves_within_its_upload_leaves_no_copy(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(post(100) + b"some of it")
    client.transport.eof()
    assert upstream.aborted
    assert world.row("v2") == {"requests": 1, "eligible": 1, "dropped": {"client_aborted": 1}}
    world.assert_at_rest()


async def test_what_waited_for_a_connection_is_written_in_one_piece(make: Make) -> None:
    world = make()
    client = world.client()
    client.send(post(6) + b"ab")
    client.send(b"cd")
    await turns()
    client.send(b"ef")
    upstream = await world.production.accept()
    assert bytes(upstream.written).endswith(b"\r\n\r\nabcdef")
    upstream.receive(OK)
    assert client.got == OK


async def test_a_client_stays_paused_when_what_waited_fills_production(make: Make) -> None:
    world = make()
    client = world.client()
    client.send(post(LARGE) + bytes(LARGE // 2))
    await turns()
    client.send(bytes(LARGE // 4))
    assert client.transport.is_paused
    upstream = await world.production.accept(peer_reads=False)
    assert upstream.is_full
    assert client.transport.is_paused
    upstream.read_all()
    assert not client.transport.is_paused
    client.send(bytes(LARGE // 4))
    upstream.receive(OK)
    assert client.got == OK


async def test_a_refused_connect_tries_the_next_url(make: Make) -> None:
    world = make(configuration(urls=("http://a.test", "http://b.test")))
    client = world.client()
    client.send(GET)
    await turns()
    first = next(one for one in world.productions if one.dials)
    second = next(one for one in world.productions if one is not first)
    await first.dials[0].failed()
    upstream = await second.accept()
    upstream.receive(OK)
    assert client.got == OK
    client.take()
    client.send(GET)  # the one that is down is passed over for a second
    assert bytes(upstream.written).count(b"GET / ") == 2


async def test_where_nothing_answers_the_copy_is_sent_all_the_same(make: Make) -> None:
    world = make(configuration(candidate()))
    mirror, client = world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    await turns()
    await world.production.dials[0].failed()
    assert problem(client.got) == (502, "connect_error")
    mirror.receive(OK)
    (pair,) = world.recorder.pairs
    assert [exchange.outcome for exchange in pair.exchanges] == [o.CONNECT_ERROR, o.COMPLETE]
    assert not client.transport.closing
    world.assert_at_rest()


async def test_a_slow_connect_is_a_504(make: Make) -> None:
    world = make()
    client = world.client()
    client.send(GET)
    await turns()
    await world.production.dials[0].failed(TimeoutError())
    assert problem(client.got) == (504, "timeout")


async def test_requests_line_up_for_connections_and_the_line_is_bounded(make: Make) -> None:
    world = make(configuration(candidate(), production=s.Production(urls=("http://v1.test",), connections=1)))
    world.mirrors["v2"].idle()
    upstream = world.production.idle()
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.send(GET)
    await turns()
    assert problem(clients[2].got) == (503, "upstream_busy")
    assert b"\r\nRetry-After: 1\r\n" in clients[2].got
    upstream.receive(OK)
    upstream.receive(OK)
    assert [client.got for client in clients[:2]] == [OK, OK]


async def test_a_request_waits_for_a_connection_no_longer_than_for_a_connect(make: Make) -> None:
    world = make(configuration(candidate(), production=s.Production(urls=("http://v1.test",), connections=1)))
    world.production.idle()
    first, second = world.client(), world.client()
    first.send(GET)
    second.send(POST)
    world.clock.sleep(1.3)
    assert problem(second.got) == (503, "upstream_busy")
    assert world.row("v2") == {"requests": 2, "excluded": {"method": 1, "refused": 1}} or first.got == b""
    second.transport.eof()
    first.transport.eof()
    await turns()
    assert world.production.pool.open == 0


async def test_a_request_that_leaves_the_line_is_not_connected(make: Make) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), connections=1)))
    upstream = world.production.idle()
    first, second = world.client(), world.client()
    first.send(GET)
    second.send(GET.replace(b"/ ", b"/second "))
    second.transport.eof()
    upstream.receive(OK)
    await turns()
    assert b"/second" not in upstream.written
    assert first.got == OK


# -- sent again ----------------------------------------------------------------------------------------------

IDEMPOTENT_POST = POST.replace(b"Host: a", b"Host: a\r\nIdempotency-Key: 1")


@pytest.mark.parametrize(
    ("request_", "used", "began", "again"),
    [
        (GET, True, b"", True),
        (GET, False, b"", False),  # a fresh connection: the upstream has a reason
        (GET, True, b"HTTP/1.1 2", False),  # an answer had begun
        (GET, True, b"HTTP/1.1 103 Early Hints\r\n\r\n", False),
        (POST, True, b"", False),  # may have had an effect
        (IDEMPOTENT_POST, True, b"", True),
        (POST.replace(b"POST", b"PUT"), True, b"", True),
        (POST.replace(b"POST", b"PATCH"), True, b"", False),
        (POST.replace(b"POST", b"DELETE"), True, b"", True),
        (GET.replace(b"GET", b"HEAD"), True, b"", True),
    ],
)
async def test_a_request_is_sent_again_only_when_that_cannot_do_harm(
    make: Make, request_: bytes, used: bool, began: bytes, again: bool
) -> None:
    world = make()
    client = world.client()
    if used:
        upstream = world.production.idle()
        client.send(request_)
    else:
        client.send(request_)
        await turns()
        upstream = await world.production.accept()
    if began:
        upstream.receive(began)
    upstream.eof()
    upstream.lose()
    await turns()
    waiting = [dial for dial in world.production.dials if not dial.answer.done()]
    assert bool(waiting) == again
    if not again:
        assert problem(client.got[client.got.find(b"HTTP/1.1 502") :]) == (502, "upstream_closed")
        return
    fresh = await world.production.accept()
    assert fresh.written == upstream.written
    fresh.receive(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.got == b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_a_request_is_sent_again_once(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.lose()
    await turns()
    fresh = await world.production.accept()
    fresh.protocol.uses = 5  # whatever it was used for
    fresh.lose()
    await turns()
    assert problem(client.got) == (502, "upstream_closed")
    assert len(world.production.dials) == 1


async def test_an_unfinished_upload_is_never_sent_again(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(post(8).replace(b"POST", b"PUT") + b"1234")
    upstream.lose()
    await turns()
    assert problem(client.got) == (502, "upstream_closed")
    assert world.production.dials == []
    assert client.transport.eof_written  # and the rest of the upload is read and thrown away
    client.send(b"5678")


async def test_a_chunked_request_is_sent_again_as_it_was(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    )
    upstream.lose()
    await turns()
    fresh = await world.production.accept()
    assert fresh.written == upstream.written
    assert fresh.written.endswith(b"\r\nX-Sum: 5\r\n\r\n")


# -- answers -------------------------------------------------------------------------------------------------


async def test_production_that_fails_after_its_answer_began_cuts_the_client(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    upstream.receive(answer(10) + b"half")
    upstream.lose(ConnectionResetError(104, "reset"))
    await turns()
    assert client.got == answer(10) + b"half"
    assert client.transport.closing
    mirror.receive(OK)
    (pair,) = world.recorder.pairs
    assert pair.exchanges[0].outcome == o.TRUNCATED
    assert pair.exchanges[0].body == b"half"
    world.assert_at_rest()


async def test_an_early_answer_ends_both_connections_and_nothing_is_copied(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(post(LARGE) + b"only the beginning")
    upstream.receive(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
    assert client.got.startswith(b"HTTP/1.1 413")
    assert b"\r\nConnection: close\r\n" in client.got
    assert upstream.aborted
    client.send(bytes(1000))  # what is still on its way is read, not reset
    assert not client.transport.closing
    world.clock.sleep(1.3)
    assert client.transport.aborted
    assert world.row("v2") == {"requests": 1, "excluded": {"refused": 1}}
    world.assert_at_rest()


async def test_a_connection_that_has_not_taken_all_of_a_request_is_not_used_again(make: Make) -> None:
    """Production answered without reading: what is left in the buffer would come before the next request."""
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    upstream.peer_reads = mirror.peer_reads = False
    client.send(post(LARGE) + bytes(LARGE))
    for side in (upstream, mirror):
        side.receive(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        assert side.aborted
    assert client.got.startswith(b"HTTP/1.1 413")
    await turns()
    assert not client.transport.is_paused
    world.assert_at_rest()


@pytest.mark.parametrize("tail", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"x"])
async def test_more_than_an_answer_forbids_reuse_and_reaches_nobody(make: Make, tail: bytes) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(OK + tail)
    assert client.got == OK
    assert upstream.aborted
    assert world.production.pool.idle == []


async def test_a_head_answer_ends_at_its_head(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET.replace(b"GET", b"HEAD"))
    upstream.receive(answer(10))
    assert client.got == answer(10)
    assert world.production.pool.idle == [upstream.protocol]


async def test_a_flood_of_interim_answers_ends(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(b"HTTP/1.1 102 Processing\r\n\r\n" * 40)
    assert client.got.count(b"HTTP/1.1 102") == 32
    assert client.got.endswith(b"}")
    assert b"X-Shadowproxy-Error: protocol_error" in client.got
    assert upstream.aborted


async def test_a_101_that_nobody_asked_for_is_no_answer(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    for side in (upstream, mirror):
        side.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert side.aborted
    assert problem(client.got) == (502, "protocol_error")
    (pair,) = world.recorder.pairs
    assert [exchange.outcome for exchange in pair.exchanges] == [o.PROTOCOL_ERROR] * 2
    world.assert_at_rest()


async def test_production_s_silence_before_its_answer_is_a_504(make: Make) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), timeouts=s.Timeouts(first_byte=2.0))))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    world.clock.sleep(2.0)
    assert client.got == b""
    world.clock.sleep(0.3)
    assert problem(client.got) == (504, "timeout")
    assert upstream.aborted
    await turns()
    assert world.production.pool.open == 0


async def test_a_late_loop_takes_no_time_from_production_nor_from_the_client(make: Make) -> None:
    timeouts = s.Timeouts(first_byte=2.0)
    production = s.Production(urls=("http://v1.test",), timeouts=timeouts)
    world = make(configuration(production=production, limits=s.Limits(keep_alive=2.0)))
    client = world.client()
    world.clock.now += 5 * SECOND_NS  # no sweep
    upstream = world.production.idle()
    client.send(GET)
    world.clock.sleep(1.9)
    assert client.got == b""
    world.clock.now += 5 * SECOND_NS
    upstream.receive(answer(1) + b"1")
    world.clock.sleep(1.9)
    assert not client.transport.closing
    world.clock.sleep(0.4)
    assert client.transport.closing


async def test_production_s_silence_within_its_answer_cuts_it(make: Make) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), timeouts=s.Timeouts(idle=2.0))))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(answer(10) + b"1")
    world.clock.sleep(1.5)
    upstream.receive(b"2")
    world.clock.sleep(1.5)
    assert not client.transport.closing
    world.clock.sleep(1.0)
    assert client.transport.closing
    assert client.got == answer(10) + b"12"


async def test_a_client_that_reads_slowly_is_not_production_s_fault(make: Make) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), timeouts=s.Timeouts(idle=2.0))))
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(GET)
    upstream.receive(answer(LARGE + 1) + bytes(LARGE))
    assert upstream.is_paused
    world.clock.sleep(30)
    client.transport.read_all()
    assert not upstream.is_paused
    upstream.receive(b"!")
    assert len(client.got) == len(answer(LARGE + 1)) + LARGE + 1
    assert world.production.pool.idle == [upstream.protocol]


async def test_an_old_deadline_does_not_hit_the_next_request_of_a_connection(make: Make) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), timeouts=s.Timeouts(first_byte=2.0))))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    world.clock.sleep(1.5)
    upstream.receive(OK)
    client.send(GET)
    world.clock.sleep(1.5)  # the first deadline has passed, the second has not
    upstream.receive(OK)
    assert client.got == OK + OK
    world.clock.sleep(3)
    assert not upstream.closing


# -- bodies that are refused ---------------------------------------------------------------------------------


async def test_a_fault_in_a_streaming_body_aborts_production_s_message(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    client.send(b"zz\r\n")
    assert problem(client.got) == (400, "bad_request")
    assert upstream.aborted
    assert world.row("v2") == {"requests": 1, "excluded": {"refused": 1}}
    world.assert_at_rest()


async def test_a_body_beyond_the_limit_is_refused_as_soon_as_that_is_known(make: Make) -> None:
    world = make(configuration(candidate(), limits=s.Limits(body=10)))
    upstream, client = world.production.idle(), world.client()
    client.send(post(11))
    assert problem(client.got) == (413, "body_too_large")
    assert upstream.written == b""
    other = world.client()
    other.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
    other.send(b"6\r\nghijkl\r\n")
    assert problem(other.got) == (413, "body_too_large")
    assert upstream.aborted
    assert world.row("v2") == {"requests": 2, "excluded": {"refused": 2}}
    world.assert_at_rest()


async def test_a_body_that_stops_coming_is_a_408(make: Make) -> None:
    world = make(configuration(limits=s.Limits(body_idle=2.0)))
    upstream, client = world.production.idle(), world.client()
    client.send(post(10) + b"1")
    world.clock.sleep(1.5)
    client.send(b"2")
    world.clock.sleep(1.5)
    assert client.got == b""
    world.clock.sleep(1.0)
    assert problem(client.got) == (408, "request_timeout")
    assert upstream.aborted


async def test_a_loop_is_refused_at_the_third_time(make: Make) -> None:
    world = make()
    upstream = world.production.idle()
    via = b"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 shadowproxy, 1.0 other\r\nVia: 1.1 ShadowProxy\r\n%b\r\n"
    client = world.client()
    client.send(via % b"")
    assert upstream.written.count(b"\r\nVia: ") == 3
    other = world.client()
    other.send(via % b"Via: 1.1 shadowproxy\r\n")
    assert problem(other.got) == (508, "loop")


async def test_a_loop_is_refused_before_a_body_that_is_rewritten_has_come(make: Make) -> None:
    """Such a request begins with its body's last byte, when a refusal would be nobody's to catch."""
    world = make(configuration(production=s.Production(urls=("http://v1.test",), json_set=(("$.model", "m2"),))))
    client = world.client()
    client.send(post(20)[:-2] + b"Via: 1.1 shadowproxy\r\n" * 3 + b"\r\n")
    assert problem(client.got) == (508, "loop")
    client.send(b'{"model": "m1"}     ')
    await turns()
    assert world.production.dials == []
    world.assert_at_rest()
