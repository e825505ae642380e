from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.core.sampling import is_sampled
from shadowproxy.settings import snapshot as s
from tests.proxy.world import PEER, Make, World, candidate, configuration


def names(world: World, route: int) -> list[str]:
    return [entry.settings.name for entry in world.worker.runtime.routes[route].candidates if entry.member]


async def test_a_route_has_its_candidates_and_they_keep_their_places(make: Make) -> None:
    routes = (s.Route(name="a", candidates=("v3",)), s.Route(name="b"), s.Route(name="c", candidates=()))
    world = make(configuration(candidate("v2"), candidate("v3"), routes=routes))
    assert [names(world, number) for number in range(3)] == [["v3"], ["v2", "v3"], []]
    for plan in world.worker.runtime.routes:
        assert [entry.role for entry in plan.candidates] == [2, 3]


async def test_a_body_is_kept_as_long_as_the_most_patient_candidate_wants_it(make: Make) -> None:
    routes = (s.Route(name="a"), s.Route(name="b", candidates=("v2",)), s.Route(name="c", candidates=()))
    world = make(configuration(candidate("v2", mirror_up_to=10), candidate("v3", mirror_up_to=99), routes=routes))
    assert [plan.keep_up_to for plan in world.worker.runtime.routes] == [99, 10, -1]


async def test_an_answer_is_kept_as_long_as_it_is_stored_or_compared(make: Make) -> None:
    routes = (s.Route(name="a", compare=s.Compare(up_to=5 << 20)), s.Route(name="b"))
    world = make(configuration(candidate(), routes=routes))
    assert world.worker.runtime.keep_up_to == 5 << 20


# -- X-Forwarded-*, Via, ids


def sent(world: World, *fields: bytes, line: bytes = b"GET / HTTP/1.1", tls: bool = False) -> list[bytes]:
    """The lines that production gets beside the request line and Host."""
    upstream, client = world.production.idle(), world.client(tls=tls)
    client.send(b"\r\n".join((line, b"Host: front.test", b"X-Request-ID: r", *fields, b"", b"")))
    lines = bytes(upstream.written).split(b"\r\n\r\n")[0].split(b"\r\n")
    return [one for one in lines[2:] if not one.startswith(b"X-Request-ID")]


FORGED = (b"X-Forwarded-For: 10.9.9.9", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: public.test")


@pytest.mark.parametrize(
    ("trusted", "fields", "expected"),
    [
        ((), (), [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: front.test"]),
        ((), FORGED, [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: front.test"]),
        (
            ("192.0.2.0/24",),
            FORGED,
            [b"X-Forwarded-For: 10.9.9.9, 192.0.2.7", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: public.test"],
        ),
        (
            ("192.0.2.0/24",),
            (b"X-Forwarded-For: 10.1.1.1", b"X-Forwarded-For: 10.2.2.2"),
            [
                b"X-Forwarded-For: 10.1.1.1, 10.2.2.2, 192.0.2.7",
                b"X-Forwarded-Proto: http",
                b"X-Forwarded-Host: front.test",
            ],
        ),
        (
            ("::/0", "10.0.0.0/8"),
            FORGED,
            [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: front.test"],
        ),
    ],
)
async def test_forwarded_fields_are_replaced_unless_the_peer_is_trusted(
    make: Make, trusted: tuple[str, ...], fields: tuple[bytes, ...], expected: list[bytes]
) -> None:
    world = make(configuration(trusted_proxies=trusted))
    assert sent(world, *fields) == [b"Via: 1.1 shadowproxy", *expected]


async def test_forwarded_fields_say_https_over_tls_and_via_the_client_s_version(make: Make) -> None:
    world = make(configuration(via="edge"))
    assert sent(world, line=b"GET / HTTP/1.0", tls=True)[:3] == [
        b"Via: 1.0 edge",
        b"X-Forwarded-For: 192.0.2.7",
        b"X-Forwarded-Proto: https",
    ]


@pytest.mark.parametrize(
    ("peer", "trusted"), [(PEER[0], True), ("198.51.100.1", False), ("", False), ("unix", False), ("2001:db8::1", True)]
)
async def test_a_peer_is_trusted_by_its_network(make: Make, peer: str, trusted: bool) -> None:
    world = make(configuration(trusted_proxies=("192.0.2.0/24", "2001:db8::/32")))
    assert world.worker.runtime.trusts(peer) == trusted


@pytest.mark.parametrize(
    ("host", "line"), [("preserve", b"Host: a"), ("upstream", b"Host: v1.test"), ("other.test", b"Host: other.test")]
)
async def test_production_is_told_a_host(make: Make, host: str, line: bytes) -> None:
    world = make(configuration(production=s.Production(urls=("http://v1.test",), host=host)))
    upstream, client = world.production.idle(), world.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert bytes(upstream.written).split(b"\r\n")[1] == line


@pytest.mark.parametrize("wanted", [True, False])
async def test_an_answer_carries_the_request_s_id_where_that_is_wanted(make: Make, wanted: bool) -> None:
    world = make(configuration(answer_request_id=wanted))
    upstream, client = world.production.idle(), world.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: r-1\r\n\r\n")
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (b"\r\nX-Request-ID: r-1\r\n" in client.got) == wanted


# -- sampling


@pytest.mark.parametrize(
    ("key", "fields", "body", "sampled_by"),
    [
        ("id", b"X-Request-ID: r-7", b"{}", b"r-7"),
        ("header:X-User", b"x-user:  ann ", b"{}", b"ann"),
        ("header:X-User", b"X-Request-ID: r-7", b"{}", b"r-7"),
        ("cookie:user", b"Cookie: a=b; user=ann", b"{}", b"ann"),
        ("cookie:user", b"X-Request-ID: r-7", b"{}", b"r-7"),
        ("json:$.user.id", b"X: 1", b'{"user": {"id": 42}}', b"42"),
        ("json:$.user.id", b"X-Request-ID: r-7", b"no JSON", b"r-7"),
    ],
)
async def test_a_sample_is_of_keys(make: Make, key: str, fields: bytes, body: bytes, sampled_by: bytes) -> None:
    shares = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98]
    candidates = [candidate(f"v{number}", sample=share, sample_key=key) for number, share in enumerate(shares)]
    world = make(configuration(*candidates))
    client = world.client()
    world.production.idle()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n\r\n%b" % (len(body), fields, body))
    taken = [world.row(one.name).get("sent", 0) == 1 for one in candidates]
    assert taken == [is_sampled(sampled_by, share) for share in shares]


async def test_a_route_by_a_field_of_the_body_is_chosen_before_anything_is_copied(make: Make) -> None:
    routes: Any = (
        s.Route(name="m2", match=s.Match(json=(("$.model", "m2"),)), candidates=("v2",)),
        s.Route(name="rest", candidates=()),
    )
    world = make(configuration(candidate(), routes=routes))
    for body in (b'{"model": "m2"}', b'{"model": "m1"}', b"no JSON"):
        client = world.client()
        world.production.idle()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert world.row("v2", "m2")["sent"] == 1
    assert world.row("v2", "rest") == {"requests": 2, "unmatched": 2}
