"""Ratios are taken within a round, and what makes a figure doubtful is said below it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.measure import Sample
from bench.table import Spread, cpu_table, cpu_us, latency_table, ratio, spread, warnings

PEER = Sample(
    scenario="mirror",
    proxy="nginx",
    cpu_us={"nginx": 50.0},
    latency_ms={"p50": 0.5, "p90": 1.0, "p99": 2.0},
    answered=1000,
    failed=0,
    copied_share=1.0,
    recorded_share=None,
    foreign_share=0.0,
)
OURS = replace(
    PEER,
    proxy="shadowproxy",
    cpu_us={"worker": 40.0, "recorder": 60.0, "rest": 1.0},
    copied_share=0.999,
    recorded_share=1.0,
)
TITLES = {"mirror": "mirrored"}


def _rounds(*pairs: tuple[float, float]) -> list[list[Sample]]:
    return [[replace(PEER, cpu_us={"nginx": peer}), replace(OURS, cpu_us={"worker": ours})] for peer, ours in pairs]


def test_a_ratio_compares_what_met_the_same_round() -> None:
    # 40/50 = 0.8, 90/100 = 0.9, 20/10 = 2.0; the ratio of the medians would be 40/50.
    rounds = _rounds((50, 40), (100, 90), (10, 20))
    assert ratio(rounds, "mirror", "worker") == Spread(0.9, 0.8, 2.0)
    assert cpu_us(rounds, "mirror", "worker") == Spread(40, 20, 90)


def test_a_round_without_the_peer_gives_no_ratio() -> None:
    assert ratio([[OURS]], "mirror", "worker") is None
    assert spread([]) is None


def test_the_cpu_table() -> None:
    assert cpu_table([[PEER, OURS]], TITLES, {"mirror": {"worker": 1.0}}).splitlines()[2:] == [
        "| mirrored | nginx `mirror` | 50.0 (50.0–50.0) |  |  |",
        "| mirrored | shadowproxy worker | 40.0 (40.0–40.0) | 0.80 (0.80–0.80) | ≤ 1.0 |",
        "| mirrored | shadowproxy recorder | 60.0 (60.0–60.0) | 1.20 (1.20–1.20) |  |",
    ]


def test_a_recorder_without_pairs_has_no_row() -> None:
    rounds = [[replace(sample, copied_share=None, recorded_share=None) for sample in (PEER, OURS)]]
    assert "recorder" not in cpu_table(rounds, TITLES, {})


def test_the_latency_table() -> None:
    assert latency_table([[PEER, OURS]], TITLES).splitlines()[2:] == [
        "| mirrored | nginx | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) | 100.00% |  |",
        "| mirrored | shadowproxy | 0.50 (0.50–0.50) | 2.00 (2.00–2.00) | 99.90% | 100.00% |",
    ]


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (replace(OURS, failed=3), "3 requests failed"),
        (replace(OURS, copied_share=0.98), "only 98.0% of the copies were sent"),
        (replace(OURS, recorded_share=0.5), "only 50.0% of the pairs are on disk"),
        (replace(OURS, foreign_share=0.3), "other processes used 0.30 of the two cores"),
    ],
)
def test_a_doubt_is_said(sample: Sample, said: str) -> None:
    found = warnings([[sample]])
    assert len(found) == 1
    assert said in found[0]


def test_no_doubt_no_warning() -> None:
    assert warnings([[PEER, OURS]]) == []
