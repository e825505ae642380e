"""StatsD, received on a real UDP socket: every line whole, no datagram too long, and nobody there is no trouble."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from shadowproxy.admin.push.pusher import Pusher
from shadowproxy.admin.push.samples import Sample
from shadowproxy.admin.push.statsd import MAX_DATAGRAM, StatsDPush, packed
from shadowproxy.settings.snapshot import Metrics, StatsD
from tests.admin.push.readings import reading, samples


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def to(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def lines(server: socket.socket) -> list[str]:
    server.settimeout(0.05)
    found: list[str] = []
    try:
        while True:
            datagram = server.recv(65536)
            assert 0 < len(datagram) <= MAX_DATAGRAM
            found += datagram.decode().split("\n")
    except TimeoutError:
        return found


async def sent(server: socket.socket, *what: tuple[Sample, float], tags: bool = True, prefix: str = "sp.") -> list[str]:
    push = StatsDPush(StatsD(to=to(server), tags=tags, prefix=prefix))
    await push.push(what, 0.0)
    await push.close()
    return lines(server)


MIRRORED = Sample("mirrored_total", (("candidate", "v2"), ("outcome", "connect_error")), 9.0, True)


def gauge(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, tuple(labels.items()), value, False)


@pytest.mark.parametrize(
    ("sample", "growth", "tags", "line"),
    [
        (MIRRORED, 4.0, True, "sp.mirrored_total:4|c|#candidate:v2,outcome:connect_error"),
        (MIRRORED, 4.0, False, "sp.mirrored_total.v2.connect_error:4|c"),
        (gauge("ready", 1.0), 0.0, True, "sp.ready:1|g"),
        (gauge("coverage_ratio", 0.987654321, candidate="v2"), 0.0, True,
         "sp.coverage_ratio:0.987654321|g|#candidate:v2"),
        (Sample("overhead_seconds_sum", (), 2.5, True), 0.125, True, "sp.overhead_seconds_sum:0.125|c"),
        (gauge("a", 1.0, route="x y|z,#:\n", code=""), 0.0, True, "sp.a:1|g|#route:x_y_z_,code:none"),
        (gauge("a", 1.0, route="v1/models.x:predict"), 0.0, False, "sp.a.v1_models_x_predict:1|g"),
    ],
)  # fmt: skip
async def test_a_sample_s_line(server: socket.socket, sample: Sample, growth: float, tags: bool, line: str) -> None:
    assert await sent(server, (sample, growth), tags=tags) == [line]


async def test_a_negative_gauge_is_reached_from_zero_and_a_total_that_did_not_grow_is_silent(
    server: socket.socket,
) -> None:
    got = await sent(server, (gauge("gate_low", -0.01), 0.0), (Sample("x_total", (), 5.0, True), 0.0))
    assert got == ["sp.gate_low:0|g", "sp.gate_low:-0.01|g"]


async def test_a_thousand_samples_come_whole_in_packed_datagrams(server: socket.socket) -> None:
    push = StatsDPush(StatsD(to=to(server)))
    await push.push(samples(1000, 2.0), 0.0)
    got = lines(server)
    assert got == [f"shadowproxy.requests_total:2|c|#route:r{n:04},code:200" for n in range(1000)]
    assert (push.sent, push.dropped) == (1000, 0)
    await push.close()


def test_datagrams_are_as_full_as_they_may_be() -> None:
    datagrams = list(packed([b"x" * 100] * 100))
    assert [count for _, count in datagrams] == [14] * 7 + [2]  # 14 · 100 + 13 = 1413
    assert list(packed([])) == []


async def test_nobody_there_is_counted_and_raises_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    push = StatsDPush(StatsD(to=f"127.0.0.1:{port}"))
    for _ in range(3):
        await push.push(samples(200), 0.0)
    assert push.sent + push.dropped == 600
    assert push.dropped > 0
    await push.close()
    lost = StatsDPush(StatsD(to="no-such-host.invalid:1"))
    await lost.push(samples(3), 0.0)
    assert (lost.sent, lost.dropped) == (0, 3)


async def test_a_full_socket_drops_and_does_not_wait(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    push = StatsDPush(StatsD(to=to(server)))
    await push.push(samples(1), 0.0)

    class Full:
        def send(self, data: bytes) -> int:
            raise BlockingIOError

        def close(self) -> None:
            pass

    push._socket.close()  # type: ignore[union-attr]
    push._socket = Full()  # type: ignore[assignment]
    await push.push(samples(50), 0.0)
    assert (push.sent, push.dropped) == (1, 50)


async def test_the_pusher_follows_the_configuration_and_its_interval(server: socket.socket) -> None:
    settings = Metrics(every=10.0, statsd=StatsD(to=to(server)))
    series = 'requests_total{route="a",code="200"}'
    pusher = Pusher()
    await pusher.look(reading({series: 1.0}))
    assert lines(server) == []
    for at, total in ((1000.0, 5.0), (1005.0, 6.0), (1010.0, 9.0)):
        await pusher.look(reading({series: total}, at=at, metrics=settings))
    counted = [line for line in lines(server) if "requests_total" in line]
    assert counted == [f"shadowproxy.requests_total:{n}|c|#route:a,code:200" for n in (5, 4)]
    before = pusher.counters()['pushed_total{to="statsd"}']
    await pusher.look(reading({series: 20.0}, at=1020.0))
    assert lines(server) == []
    assert pusher.counters() == {'pushed_total{to="statsd"}': before, 'push_dropped_total{to="statsd"}': 0}
    await pusher.close()
