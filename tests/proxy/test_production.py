"""Addresses in turn, passive health, and the line for connections."""

from __future__ import annotations

import asyncio
import gc

import pytest

from shadowproxy.settings import snapshot as s
from tests.proxy.world import GET, OK, Client, Make, World, configuration, turns

TWO = ("http://a.test", "http://b.test")


def production(*urls: str, connections: int = 512, **settings: object) -> s.Snapshot:
    return configuration(production=s.Production(urls=urls, connections=connections), **settings)


def ask(world: World, target: bytes = b"/") -> Client:
    client = world.client()
    client.send(GET.replace(b" / ", b" %b " % target))
    return client


async def test_urls_are_used_in_turn(make: Make) -> None:
    world = make(production(*TWO))
    for _ in range(4):
        ask(world)
    await turns()
    assert [len(one.dials) for one in world.productions] == [2, 2]


async def test_a_url_at_which_nothing_answers_is_passed_over_for_a_second(make: Make) -> None:
    world = make(production(*TWO))
    a, b = world.productions
    line = world.worker.runtime.production
    line.endpoints[0].down_until_ns = world.clock.now + 1_000_000_000
    for _ in range(3):
        ask(world)
    await turns()
    assert (len(a.dials), len(b.dials)) == (0, 3)
    world.clock.sleep(1.1)
    ask(world)
    await turns()
    assert len(a.dials) == 1


async def test_where_all_are_down_all_are_tried(make: Make) -> None:
    world = make(production(*TWO))
    client = ask(world)
    await turns()
    assert world.worker.is_healthy()
    for _ in range(2):
        (dial,) = [dial for one in world.productions for dial in one.dials if not dial.answer.done()]
        await dial.failed()
    assert b"X-Shadowproxy-Error: connect_error" in client.got
    assert [len(one.dials) for one in world.productions] == [1, 1]
    assert not world.worker.is_healthy()
    ask(world)
    await turns()
    assert sum(len(one.dials) for one in world.productions) == 3


async def test_a_connection_that_stands_makes_a_url_good_again(make: Make) -> None:
    world = make(production("http://a.test"))
    world.worker.runtime.production.endpoints[0].down_until_ns = world.clock.now + 1_000_000_000
    assert not world.worker.is_healthy()
    ask(world)
    await turns()
    await world.production.accept()
    assert world.worker.is_healthy()


async def test_idle_connections_to_one_url_give_way_to_another(make: Make) -> None:
    world = make(production(*TWO, connections=1))
    line = world.worker.runtime.production
    line._next = 0  # the next one is b
    idle = world.productions[0].idle()
    client = ask(world)
    assert idle.aborted
    await turns()
    upstream = await world.productions[1].accept()
    upstream.receive(OK)
    assert client.got == OK
    assert line.open == 1


async def test_who_waits_longest_is_served_first(make: Make) -> None:
    world = make(production("http://a.test", connections=2))
    upstreams = [world.production.idle(), world.production.idle()]
    clients = [ask(world, b"/%d" % number) for number in range(4)]
    for upstream in [*upstreams, *upstreams]:
        upstream.receive(OK)
    assert [client.got for client in clients] == [OK] * 4
    assert [b"/2 " in upstreams[0].written, b"/3 " in upstreams[0].written] in ([True, False], [False, True])


async def test_a_connection_that_breaks_makes_room_for_who_waits(make: Make) -> None:
    world = make(production("http://a.test", connections=1))
    upstream = world.production.idle()
    first, second = ask(world), ask(world)
    upstream.receive(b"garbage\r\n\r\n")
    await turns()
    (await world.production.accept()).receive(OK)
    assert first.got.startswith(b"HTTP/1.1 502")
    assert second.got == OK


async def test_a_failed_connect_makes_room_for_who_waits(make: Make) -> None:
    world = make(production("http://a.test", connections=1))
    first, second = ask(world), ask(world)
    await turns()
    await world.production.dials[0].failed()
    assert first.got.startswith(b"HTTP/1.1 502")
    (await world.production.accept()).receive(OK)
    assert second.got == OK


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_whoever_leaves_costs_no_place(make: Make, leaver: int) -> None:
    """The one that is connecting, the first in the line, the last in it."""
    world = make(production("http://a.test", connections=2))
    ask(world)
    clients = [ask(world, b"/%d" % number) for number in range(3)]
    await turns()
    clients[leaver].transport.eof()
    await turns()
    for _ in range(4):
        for dial in world.production.dials:
            if not dial.answer.done():
                await dial.made()
            elif dial.transport is not None and dial.transport.written:
                dial.transport.written.clear()
                dial.transport.receive(OK)
    assert [client.got for number, client in enumerate(clients) if number != leaver] == [OK] * 2
    assert world.worker.runtime.production.open == len(world.production.pool.idle) > 0
    assert not world.worker.runtime.production.waiting


async def test_exchanges_and_connections_leave_no_garbage_behind(make: Make) -> None:
    """What ended is freed by reference counting: a worker collects its oldest generation never."""
    world = make(production("http://a.test"))
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(OK)
    await turns()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            client.send(GET)
            upstream.receive(OK)
            await asyncio.sleep(0)
        assert gc.collect() < 20
    finally:
        gc.enable()
