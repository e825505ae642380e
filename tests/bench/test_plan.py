"""Figures are read off an outcome by nearest rank, and a request is what it says."""

from __future__ import annotations

from array import array

import pytest

from shadowproxy.bench.plan import Outcome, quantile_ms, request_bytes


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.5, 50.0),  # ceil(0.50 x 100) = 50th
        (0.99, 99.0),
        (0.991, 100.0),  # ceil(99.1) = 100th
        (0.0, 1.0),
        (1.0, 100.0),
    ],
)
def test_nearest_rank(share: float, expected: float) -> None:
    assert quantile_ms([k * 1_000_000 for k in range(1, 101)], share) == expected


def test_no_answers_have_no_quantile() -> None:
    assert quantile_ms([], 0.5) is None
    assert Outcome().as_dict()["latency_ms"] == {"p50": None, "p90": None, "p99": None}


def test_an_outcome_as_json() -> None:
    outcome = Outcome(offered=3, latencies_ns=array("q", [3_000_000, 1_000_000]), statuses={503: 1, 200: 1})
    outcome.errors["closed"] = 1
    assert outcome.as_dict(quantiles=(0.5, 0.999)) == {
        "offered": 3,
        "offered_with_warmup": 0,
        "answered_in_window": 0,
        "statuses": {"200": 1, "503": 1},
        "errors": {"closed": 1},
        "backlog_peak": 0,
        "latency_ms": {"p50": 1.0, "p99.9": 3.0},
    }


def test_a_request_carries_its_length() -> None:
    assert request_bytes("POST", "/v2/x", "h:1", b"{}", {"A": "b"}) == (
        b"POST /v2/x HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
    )
