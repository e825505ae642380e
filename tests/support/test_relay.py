"""The relay does what its toxics say: a fault that is none would prove nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import relay as r
from tests.support.client import Client, post
from tests.support.load import returns_the_body
from tests.support.relay import Direction, Relay, Toxic
from tests.support.upstream import Upstream

BODY = b"x" * 2000
DIRECTIONS: tuple[Direction, ...] = ("up", "down")


@contextmanager
def toxic_client(direction: Direction, toxic: Toxic) -> Iterator[Client]:
    with (
        Upstream(returns_the_body) as upstream,
        Relay(upstream.address) as relay,
        relay.with_toxic(direction, toxic),
        Client(relay.address) as client,
    ):
        yield client


def test_without_a_toxic_it_is_a_wire() -> None:
    with Upstream(returns_the_body) as upstream, Relay(upstream.address) as relay, Client(relay.address) as client:
        for _ in range(3):
            assert client.ask(post("/", BODY)).data == BODY


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("toxic", "least_s"), [(r.latency(0.05), 0.05), (r.bandwidth(40_000), 0.05), (r.slicer(100, 0.002), 0.04)]
)
def test_what_is_late_comes_late_and_whole(direction: Direction, toxic: Toxic, least_s: float) -> None:
    with toxic_client(direction, toxic) as client:
        before = time.monotonic()
        assert client.ask(post("/", BODY)).data == BODY
        assert time.monotonic() - before >= least_s * 0.9


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("toxic", [r.reset_peer(0.01), r.limit_data(100)])
def test_what_ends_too_early_is_seen(direction: Direction, toxic: Toxic) -> None:
    with toxic_client(direction, toxic) as client:
        client.send_as_much_as_goes(post("/", BODY))
        assert len(client.rest()) <= 100
        assert client.ended in ("fin", "reset")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_timeout_is_silence(direction: Direction) -> None:
    with toxic_client(direction, r.timeout) as client:
        client.send(post("/", BODY))
        assert client.is_silent(0.1)


def test_down_is_refused_or_sent_away_and_over_again() -> None:
    with Upstream(returns_the_body) as upstream, Relay(upstream.address) as relay:
        with relay.refusing(), pytest.raises(ConnectionRefusedError):
            Client(relay.address)
        with relay.sending_away(), Client(relay.address) as client:
            assert client.wait_end() in ("fin", "reset")
        with Client(relay.address) as client:
            assert client.ask(post("/", BODY)).data == BODY
