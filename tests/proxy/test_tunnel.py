from __future__ import annotations

import pytest

from shadowproxy.settings import snapshot as s
from tests.proxy.world import Client, FakeTransport, Make, World, candidate, configuration, turns

ASK = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
YES = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\n\r\n"
)


def opened(world: World, early: bytes = b"", first: bytes = b"") -> tuple[FakeTransport, Client]:
    """A tunnel; `early` came behind the client's request, `first` behind production's 101."""
    upstream, client = world.production.idle(), world.client()
    client.send(ASK + early)
    upstream.written.clear()
    upstream.receive(YES + first)
    return upstream, client


async def test_bytes_pass_both_ways_as_they_are(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, client = opened(world)
    assert client.take() == YES
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    upstream.receive(b"\x81\x05hello")
    assert upstream.written == b"GET / HTTP/1.1\r\n\r\n"
    assert client.take() == b"\x81\x05hello"
    assert world.worker.tunnels == 1
    assert world.row("v2") == {"requests": 1, "excluded": {"upgrade": 1}}


async def test_bytes_behind_the_request_wait_for_production_s_101(make: Make) -> None:
    world = make()
    upstream, client = opened(world, early=b"early", first=b"first")
    assert client.got == YES + b"first"
    assert upstream.written == b"early"


async def test_a_refused_handshake_is_an_answer(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(ASK)
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    upstream.receive(refusal)
    assert client.got == refusal
    assert world.worker.tunnels == 0


@pytest.mark.parametrize("side", ["client", "production"])
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_tunnel_ends_when_either_side_ends(make: Make, side: str, how: str) -> None:
    world = make()
    upstream, client = opened(world)
    ending = client.transport if side == "client" else upstream
    if how == "fin":
        ending.eof()
    else:
        ending.lose(ConnectionResetError(104, "reset"))
    await turns()
    assert client.transport.lost
    assert upstream.lost
    assert world.worker.tunnels == 0
    assert world.production.pool.open == 0
    assert world.worker.connections == set()


async def test_what_was_sent_before_the_end_arrives(make: Make) -> None:
    world = make()
    upstream, client = opened(world)
    client.transport.peer_reads = False
    upstream.receive(b"goodbye")
    upstream.eof()
    await turns()
    assert not client.transport.lost
    client.transport.read_all()
    await turns()
    assert client.transport.lost
    assert client.got.endswith(b"goodbye")
    assert not client.transport.aborted


@pytest.mark.parametrize("side", ["client", "production"])
async def test_a_slow_side_holds_the_other_back(make: Make, side: str) -> None:
    world = make()
    upstream, client = opened(world)
    slow, fast = (client.transport, upstream) if side == "client" else (upstream, client.transport)
    slow.peer_reads = False
    fast.receive(bytes(100_000))
    assert fast.is_paused
    slow.read_all()
    assert not fast.is_paused


async def test_an_idle_tunnel_ends(make: Make) -> None:
    world = make(configuration(limits=s.Limits(tunnel_idle=3.0)))
    upstream, client = opened(world)
    for _ in range(3):
        world.clock.sleep(2)
        client.send(b"ping")
        world.clock.sleep(2)
        upstream.receive(b"pong")
    assert world.worker.tunnels == 1
    world.clock.sleep(3.3)
    await turns()
    assert client.transport.lost
    assert upstream.lost
    assert world.worker.tunnels == 0
