"""Metrics as OTLP over HTTP, received and decoded: nothing changed on the way but names and units."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from shadowproxy.admin.push.otlp import OtlpPush, named
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Otel
from tests.admin.push.readings import reading
from tests.support.otlp import Receiver, attributes

SERIES = 'requests_total{route="predict",code="200"}'
DURATIONS = {"overhead_seconds": [[0.005, 0.01], [60, 30, 10], 1.5]}


def with_otel(to: str, at: float = 1000.0, **more: Any) -> Reading:
    one = reading({SERIES: 90.0}, DURATIONS, at=at)
    return msgspec_replace(one, Otel(to=to, **more))


def msgspec_replace(one: Reading, otel: Otel) -> Reading:
    return Reading(msgspec.structs.replace(one.snapshot, otel=otel), one.status, {}, {}, one.at)


async def pushed(push: OtlpPush, *readings: Reading) -> None:
    for one in readings:
        await push.look(one)
        if push._exporting is not None:
            await push._exporting
    await push.close()


async def test_totals_gauges_and_buckets_arrive_as_they_are() -> None:
    push = OtlpPush()
    with Receiver() as receiver:
        await pushed(push, with_otel(receiver.url, headers=(("Authorization", "Bearer x"),)))
        requests = receiver.metrics["shadowproxy.requests"].sum
        [point] = requests.data_points
        assert (point.as_double, requests.is_monotonic, requests.aggregation_temporality) == (90, True, 2)
        assert attributes(point.attributes) == {"route": "predict", "code": "200"}
        assert point.start_time_unix_nano == 1_795_474_646_104 * 1_000_000
        assert point.time_unix_nano == 1000 * 10**9
        overhead = receiver.metrics["shadowproxy.overhead"]
        [buckets] = overhead.histogram.data_points
        assert (overhead.unit, list(buckets.bucket_counts), list(buckets.explicit_bounds)) == (
            "s",
            [60, 30, 10],
            [0.005, 0.01],
        )
        assert (buckets.count, buckets.sum) == (100, 1.5)
        assert not buckets.HasField("min")
        shares = receiver.metrics["shadowproxy.sample"].gauge.data_points
        assert {attributes(p.attributes)["candidate"]: p.as_double for p in shares} == {"v2": 0.5, "v3": 0, "twin": 1}
        assert receiver.resources[0]["service.name"] == "shadowproxy"
        assert receiver.headers[0]["authorization"] == "Bearer x"
    assert push.sent > 10
    assert push.dropped == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("request_duration_seconds", ("request_duration", "s")),
        ("trial_start_timestamp_seconds", ("trial_start_timestamp", "s")),
        ("log_bytes", ("log", "By")),
        ("coverage_ratio", ("coverage", "1")),
        ("requests", ("requests", "")),
    ],
)
def test_names_lose_what_the_unit_says(name: str, expected: tuple[str, str]) -> None:
    assert named(name) == expected


async def test_it_follows_its_interval_and_its_switch() -> None:
    push = OtlpPush()
    with Receiver() as receiver:
        await pushed(push, *(with_otel(receiver.url, at=at) for at in (1000.0, 1005.0, 1010.0)))
        assert len(receiver.headers) == 2
        await pushed(OtlpPush(), with_otel(receiver.url, metrics=False))
        assert len(receiver.headers) == 2


async def test_a_collector_that_is_away_is_told_once_and_delays_nobody() -> None:
    push = OtlpPush()
    with Receiver(status=400) as receiver:
        with capture_logs() as events:
            async with asyncio.timeout(10):
                for at in (1000.0, 1010.0):
                    await push.look(with_otel(receiver.url, at=at))
                    assert push._exporting is not None
                    await push._exporting
        assert [event["event"] for event in events] == ["otel.away"]
        assert push.dropped > 10
        receiver.status = 200
        with capture_logs() as events:
            await push.look(with_otel(receiver.url, at=1020.0))
            await push._exporting
        assert [event["event"] for event in events] == ["otel.back"]
    await push.close()
