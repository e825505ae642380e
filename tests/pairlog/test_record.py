"""Lines: the contract's keys in its order, and values that any JSON reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from shadowproxy.pairlog import record as r
from shadowproxy.pairlog.body import StoredBody

HEAD = r.Head(
    "id-1", "k", "2026-03-01T14:00:00.000001Z", (0, 1772373600000, 7), "live", "predict", "", "v1", True, {"s": None}
)
TIMING = r.Timing(100_000, 0, 1_000_000, 5_000_400, 11_000_000, 0)
EXCHANGE = r.ExchangeRecord("v1", "1.0", "complete", None, None, False, 200, [("A", "b")], 3, TIMING, None)
COMPARED: dict[str, Any] = {
    "result": "same", "reason": None, "agrees": True, "items": 1, "items_disagreeing": 0, "differences": [],
    "differences_total": 0, "metrics": {}, "production_prediction": "a", "shadow_prediction": "b", "rules": "r1",
}  # fmt: skip


def line(**more: Any) -> dict[str, Any]:
    exchange = r.exchange_record(EXCHANGE, StoredBody("abc", "utf8", False))
    request = r.request_record("POST", "/x", [("C", "d")], StoredBody(None, "not_stored", False), 9)
    parts = {
        "request": request, "production": exchange, "shadow": exchange, "twin": None,
        "comparison": r.comparison_record(COMPARED, "shadow", 1.5, False), "noise": None, **more,
    }  # fmt: skip
    data = r.pair_line("0190", HEAD, "t-1", "v2", **parts)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    decoded: dict[str, Any] = json.loads(data)
    return decoded


def test_a_pairs_line_in_full() -> None:
    got = line()
    assert list(got.items())[:15] == [
        ("v", 1), ("kind", "pair"), ("pair_id", "0190"), ("id", "id-1"), ("key", "k"),
        ("ts", "2026-03-01T14:00:00.000001Z"), ("src", [0, 1772373600000, 7]), ("trial", "t-1"), ("origin", "live"),
        ("route", "predict"), ("protocol", ""), ("candidate", "v2"), ("answered_by", "v1"), ("warmup", True),
        ("slices", {"s": None}),
    ]  # fmt: skip
    assert list(got)[15:] == ["request", "production", "shadow", "twin", "comparison", "noise"]
    assert list(got["request"].items()) == [
        ("method", "POST"), ("target", "/x"), ("headers", [["C", "d"]]), ("body", None),
        ("body_encoding", "not_stored"), ("body_bytes", 9), ("body_truncated", False),
    ]  # fmt: skip
    assert list(got["production"].items()) == [
        ("upstream", "v1"), ("version", "1.0"), ("fingerprint", None), ("outcome", "complete"), ("dropped", None),
        ("error", None),
        ("bad", False), ("status", 200), ("headers", [["A", "b"]]), ("body", "abc"), ("body_encoding", "utf8"),
        ("body_bytes", 3), ("body_truncated", False),
        ("timing_ms", {"start": 0.1, "connect": 0.0, "sent": 1.0, "first_byte": 5.0, "total": 11.0, "stalled": 0.0}),
        ("stream", None),
    ]  # fmt: skip


def test_the_comparison_ends_as_the_contract_says_and_noise_calls_the_other_side_twin() -> None:
    order = (
        "result reason agrees items items_disagreeing differences differences_total metrics production_prediction"
        " {}_prediction latency_ms_difference censored rules"
    )
    assert list(r.comparison_record(COMPARED, "shadow", None, True)) == order.format("shadow").split()
    noise = r.comparison_record(COMPARED, "twin", -0.25, False)
    assert list(noise) == order.format("twin").split()
    assert (noise["twin_prediction"], noise["latency_ms_difference"], noise["rules"]) == ("b", -0.25, "r1")
    assert "shadow_prediction" in COMPARED, "what was handed over stays as it was"


def test_the_place_of_the_frame_stands_before_anything_long() -> None:
    data = r.pair_line("0190", HEAD, "t", "v2", {}, {}, {}, None, {}, None)
    assert data.index(b'"src":[0,1772373600000,7]') < 120


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_772_373_600_123_456, "2026-03-01T14:00:00.123456Z"),
        (1_709_164_799_999_999, "2024-02-28T23:59:59.999999Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_timestamps(us: int, text: str) -> None:
    assert r.timestamp(us) == text


@pytest.mark.parametrize(("ns", "expected"), [(-1, None), (0, 0.0), (499, 0.0), (1_500, 0.002), (12_345_678, 12.346)])
def test_times_are_ms_rounded_to_us(ns: int, expected: float | None) -> None:
    assert r.ms(ns) == expected


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (r.Timing(0, 0, 1_000_000, 2_000_000, 11_000_000, 0), 10.0),  # total − sent
        (r.Timing(0, 0, 1_000_000, 2_000_000, 11_000_000, 4_000_000), 6.0),  # less what the client stalled
        (r.Timing(0, 0, 1_000_000, 2_000_000, 11_000_000, -1), 10.0),
        (r.Timing(0, 0, 9_000_000, 2_000_000, 8_000_000, 0), 0.0),  # the answer overtook the request
        (r.Timing(0, 0, -1, 2_000_000, 8_000_000, 0), None),
        (r.Timing(0, 0, 1, 2_000_000, -1, 0), None),
        (None, None),
    ],
)
def test_latency_is_total_without_sending_and_stalling(timing: r.Timing | None, expected: float | None) -> None:
    assert r.latency_ms(timing) == expected


def test_numbers_that_json_has_not_are_null() -> None:
    metrics = {"a": math.nan, "b": math.inf, "c": 0.5}
    got = line(comparison=r.comparison_record({**COMPARED, "metrics": metrics}, "shadow", None, False))
    assert got["comparison"]["metrics"] == {"a": None, "b": None, "c": 0.5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", "a\\ud800b"),
        ({"\udfff": 1}, {"\\udfff": 1}),
        ([1 << 70, "\ud800"], [float(1 << 70), "\\ud800"]),
        ([-(1 << 5000)], [None]),
        ({"a": (True, None, 1.5)}, {"a": [True, None, 1.5]}),
    ],
)
def test_what_utf8_json_cannot_hold_is_made_harmless(value: Any, expected: Any) -> None:
    assert json.loads(r.encode({"x": value, "bad": "\ud800"}))["x"] == expected


def test_a_fragment_stands_in_several_lines() -> None:
    part = r.fragment({"a": "\N{SNOWMAN}"})
    assert line(production=part, twin=part)["twin"] == {"a": "\N{SNOWMAN}"}


def test_ledger_lines_say_first_what_the_recorder_knows() -> None:
    lines = r.ledger_lines([{"trial": "t", "route": None}, {"trial": "u"}], "2026", 3, 99)
    assert [list(json.loads(one).items()) for one in lines.splitlines()] == [
        [("v", 1), ("kind", "ledger"), ("ts", "2026"), ("worker", 3), ("boot", 99), ("trial", "t"), ("route", None)],
        [("v", 1), ("kind", "ledger"), ("ts", "2026"), ("worker", 3), ("boot", 99), ("trial", "u")],
    ]


def test_a_stream_has_its_figures() -> None:
    stream = r.Stream(3, 1.5, 2.0, 4.0)
    got = r.exchange_record(EXCHANGE._replace(stream=stream))["stream"]
    assert got == {"events": 3, "first_token_ms": 1.5, "per_token_ms": 2.0, "max_gap_ms": 4.0, "tokens": None}
