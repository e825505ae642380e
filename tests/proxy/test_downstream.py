from __future__ import annotations

import re
import socket

from shadowproxy.settings import snapshot as s
from tests.proxy.world import GET, OK, POST, Make, answer, candidate, configuration, post, turns

LARGE = 200 << 10  # more than a client's write buffer takes before it is full


async def test_an_answer_that_fills_the_client_leaves_production_s_connection_readable(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(GET)
    upstream.receive(answer(LARGE) + bytes(LARGE))
    assert client.transport.is_full
    assert world.production.pool.idle == [upstream.protocol]
    assert not upstream.is_paused  # or the next request's answer would never be read


async def test_the_last_piece_of_an_answer_may_fill_the_client_too(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(GET)
    upstream.receive(answer(LARGE) + b"a")
    upstream.receive(bytes(LARGE - 1))
    assert client.transport.is_full
    assert world.production.pool.idle == [upstream.protocol]
    assert not upstream.is_paused


async def test_a_client_that_does_not_read_gets_no_next_answer(make: Make) -> None:
    """Pipelined requests are answered only as fast as answers are read: the write buffer stays bounded."""
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(GET * 3)
    upstream.receive(answer(LARGE) + bytes(LARGE))
    await turns()
    asked = bytes(upstream.written).count(b"GET / ")
    assert asked == 1
    client.transport.read_all()
    await turns()
    assert bytes(upstream.written).count(b"GET / ") == 2


async def test_requests_wait_while_a_finished_answer_fills_the_client(make: Make) -> None:
    """The buffer may be found full only after the exchange has ended, when it is flushed."""
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(OK)
    client.protocol.pause_writing()
    assert client.transport.is_paused
    client.protocol.resume_writing()
    await turns()
    assert not client.transport.is_paused
    client.send(GET)
    assert bytes(upstream.written).count(b"GET / ") == 2


async def test_a_slow_client_gets_the_end_of_its_last_answer(make: Make) -> None:
    """`Connection: close` with 200 KiB left, read 40 KiB every 5 s: slow, and never silent for client_stall."""
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    upstream.receive(answer(LARGE) + bytes(LARGE))
    for _ in range(4):
        world.clock.sleep(5)
        assert not client.transport.aborted
        client.transport.read(40 << 10)
    client.transport.read_all()
    await turns()
    assert client.transport.lost
    assert not client.transport.aborted


async def test_a_client_that_reads_nothing_of_its_last_answer_is_cut_off(make: Make) -> None:
    world = make(configuration(limits=s.Limits(client_stall=3.0)))
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    upstream.receive(answer(LARGE) + bytes(LARGE))
    world.clock.sleep(2.9)
    assert not client.transport.aborted
    world.clock.sleep(0.4)
    assert client.transport.aborted


async def test_the_end_of_an_upload_does_not_pardon_a_client_that_does_not_read(make: Make) -> None:
    """Production streams its answer while the body still comes; then the client falls silent both ways."""
    world = make(configuration(limits=s.Limits(client_stall=3.0)))
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(post(8) + b"1234")
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" + bytes(200000))
    assert client.transport.is_full
    client.send(b"5678")
    world.clock.sleep(3.5)
    await turns()
    assert client.transport.aborted
    assert upstream.aborted


async def test_a_stream_that_begins_while_the_client_is_full_is_held_back(make: Make) -> None:
    world = make()
    client = world.client()
    client.send(GET)
    client.transport.is_full, client.transport.buffered = True, LARGE
    client.protocol.pause_writing()  # the answer before this one is being flushed
    await turns()
    upstream = await world.production.accept()
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert upstream.is_paused
    world.clock.sleep(59)
    client.transport.read_all()
    assert not upstream.is_paused
    assert not upstream.aborted


async def test_the_head_of_an_answer_does_not_wait_for_its_first_piece(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
    assert client.got == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.receive(b"hello\r\n0\r\n\r\n")
    assert client.got.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


async def test_a_tunnel_s_connection_does_not_wait_for_ever_to_be_read(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    upstream.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    upstream.peer_reads = False
    client.send(b"frames that production never reads")
    client.transport.eof()
    await turns()
    assert not upstream.lost
    world.clock.sleep(61)
    await turns()
    assert upstream.lost
    assert world.production.pool.open == 0
    assert world.worker.tunnels == 0


async def test_an_idle_connection_with_a_request_on_its_way_is_not_drained_away(make: Make) -> None:
    world = make()
    client = world.client()
    world.clock.sleep(2)
    client.transport.theirs.send(GET)  # in the kernel, not read yet
    client.protocol.drain()
    assert not client.transport.closing
    assert client.transport.ours.recv(100) == GET
    client.protocol.drain()
    assert client.transport.closing


async def test_pipelined_requests_are_answered_in_order_and_one_at_a_time(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = world.production.idle(), world.client()
    client.send(GET.replace(b"/ ", b"/1 ") + POST + GET.replace(b"/ ", b"/3 "))
    for body in (b"one", b"two", b"thr"):
        assert len(re.findall(rb"HTTP/1.1\r\nHost", upstream.written)) == 1
        upstream.written.clear()
        upstream.receive(answer(3) + body)
        await turns()
    assert re.findall(rb"\r\n\r\n(one|two|thr)", client.got) == [b"one", b"two", b"thr"]


async def test_a_slow_client_gets_the_end_of_an_early_answer(make: Make) -> None:
    """Less than fills the client, so nothing is paused; the connection lingers until it has been read."""
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(post(100) + b"some of it")
    upstream.receive(answer(50_000).replace(b"200 OK", b"413 Too Large") + bytes(50_000))
    for _ in range(3):
        world.clock.sleep(1.0)
        client.transport.read(10_000)
    assert not client.transport.aborted
    client.transport.read_all()
    world.clock.sleep(61)
    assert client.transport.aborted  # it read everything, and never left


async def test_a_head_that_began_before_the_client_was_full_has_no_more_time_than_any(make: Make) -> None:
    world = make(configuration(limits=s.Limits(head_timeout=2.0, keep_alive=75.0)))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(OK)
    client.send(b"GET / HT")
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    await turns()
    world.clock.sleep(2.3)
    assert client.got.startswith(OK + b"HTTP/1.1 408")


async def test_a_client_that_half_closes_while_it_is_full_gets_the_rest(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.transport.peer_reads = False
    client.send(GET)
    upstream.receive(answer(LARGE) + bytes(LARGE))
    client.transport.theirs.shutdown(socket.SHUT_WR)
    assert client.protocol.has_left()
    client.protocol.left_while_paused()
    world.clock.sleep(10)
    client.transport.read(LARGE // 2)
    assert not client.transport.aborted
    client.transport.read_all()
    await turns()
    assert client.transport.lost
    assert len(client.got) == LARGE + len(answer(LARGE))
