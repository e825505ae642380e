"""Ratios are taken within a round, and what makes a figure doubtful is said below it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.measure import Sample
from bench.table import (
    Spread,
    cpu_table,
    cpu_us,
    latency_table,
    ratio,
    spread,
    throughput_table,
    warnings,
)

PEER = Sample(
    scenario="mirror",
    proxy="nginx",
    rate_per_s=4000.0,
    answers_per_s=4000.0,
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
RATE = 4000.0


def _rounds(*pairs: tuple[float, float]) -> list[list[Sample]]:
    return [[replace(PEER, cpu_us={"nginx": peer}), replace(OURS, cpu_us={"worker": ours})] for peer, ours in pairs]


def test_a_ratio_compares_what_met_the_same_round() -> None:
    # 40/50 = 0.8, 90/100 = 0.9, 20/10 = 2.0; the ratio of the medians would be 40/50.
    rounds = _rounds((50, 40), (100, 90), (10, 20))
    assert ratio(rounds, "mirror", "worker", RATE) == Spread(0.9, 0.8, 2.0)
    assert cpu_us(rounds, "mirror", "worker", RATE) == Spread(40, 20, 90)


def test_a_round_without_the_peer_or_at_another_rate_gives_no_ratio() -> None:
    assert ratio([[OURS]], "mirror", "worker", RATE) is None
    assert ratio([[replace(PEER, rate_per_s=8000.0), OURS]], "mirror", "worker", RATE) is None
    assert spread([]) is None


def test_a_spread_of_one_is_one_figure() -> None:
    assert (str(Spread(1.5, 1.5, 1.5)), str(Spread(12.0, 9.0, 15.0))) == ("1.50", "12.0 (9.0–15.0)")


def test_copies_that_are_let_go_flat_out_are_said_there_and_nowhere_else() -> None:
    flat_out = replace(OURS, rate_per_s=None, copied_share=0.4)
    assert "100.00%" in latency_table([[replace(OURS, copied_share=1.0), flat_out]], TITLES, [RATE])
    assert "40%" in throughput_table([[flat_out]], TITLES)


def test_what_did_not_keep_up_is_left_out_and_said() -> None:
    slow = replace(OURS, answers_per_s=3000.0)
    assert cpu_us([[slow]], "mirror", "worker", RATE) is None
    assert warnings([[slow]]) == ["shadowproxy, mirror, 4,000/s: only 3,000 answers/s, left out"]


def test_the_cpu_table() -> None:
    budgets = {"mirror": {"worker": {"nginx": 0.8, "envoy": 0.45}}}
    envoy = replace(PEER, proxy="envoy", cpu_us={"envoy": 100.0})
    assert cpu_table([[PEER, OURS, envoy]], TITLES, [RATE], RATE, budgets).splitlines()[2:] == [
        "| mirrored | nginx | 50.0 |  |  | 0.50 |  |",
        "| mirrored | Envoy | 100.0 | 2.00 |  |  |  |",
        "| mirrored | shadowproxy worker | 40.0 | 0.80 | ≤ 0.8 | 0.40 | ≤ 0.45 |",
        "| mirrored | shadowproxy recorder | 60.0 | 1.20 |  | 0.60 |  |",
    ]


def test_a_recorder_without_pairs_has_no_row() -> None:
    rounds = [[replace(sample, copied_share=None, recorded_share=None) for sample in (PEER, OURS)]]
    assert "recorder" not in cpu_table(rounds, TITLES, [RATE], RATE, {})


def test_the_latency_table_says_what_is_added_to_no_proxy_at_all() -> None:
    direct = replace(PEER, proxy="direct", scenario="pass", latency_ms={"p50": 0.2, "p99": 0.5}, copied_share=None)
    assert latency_table([[direct, PEER, OURS]], {"pass": "passed", **TITLES}, [RATE]).splitlines()[2:] == [
        "| passed | no proxy | 0.20 | 0.50 |  |  |",
        "| mirrored | nginx | 0.50 (+0.30) | 2.00 (+1.50) | 100.00% |  |",
        "| mirrored | shadowproxy | 0.50 (+0.30) | 2.00 (+1.50) | 99.90% | 100.00% |",
    ]


def test_the_throughput_table() -> None:
    flat_out = [replace(sample, rate_per_s=None, answers_per_s=n) for sample, n in ((PEER, 20_000.0), (OURS, 15_000.0))]
    assert throughput_table([flat_out], TITLES).splitlines()[2:] == [
        "| mirrored | nginx | 20,000 |  | 100% |",
        "| mirrored | shadowproxy | 15,000 | 0.75 | 100% |",
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
