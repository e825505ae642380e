"""The experiment's own pieces: a client that overlooks a wrong answer would prove nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench import bad, envoy, isolation, nginx
from bench.isolation import ALONE, CASES, Window
from bench.steady import Client, Steady

EXPECTED = bad.BODY.decode()


async def asked(kind: str, **settings: object) -> dict[str, object]:
    server = await asyncio.get_running_loop().create_server(bad.KINDS[kind], "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    values: dict[str, object] = {
        "rate_per_s": 100.0,
        "window_s": 0.2,
        "warmup_s": 0.0,
        "expected": EXPECTED,
        **settings,
    }
    try:
        return await Client(Steady(port=port, **values)).run()  # type: ignore[arg-type]
    finally:
        server.close()


async def test_a_steady_model_is_asked_at_the_rate_and_its_time_is_known() -> None:
    outcome = await asked("steady")
    assert outcome["offered"] == outcome["answered"] == 20
    assert outcome["faults"] == {}
    latency = outcome["latency_ms"]
    assert isinstance(latency, dict)
    assert latency["p50"] >= bad.PRODUCTION_S * 1e3 * 0.9


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("fails", "500"), ("resets", "closed"), ("hangs", "lost"), ("trickles", "lost"), ("large", "closed")],
)
async def test_every_way_of_not_answering_is_a_fault(kind: str, fault: str) -> None:
    settings = {"timeout_s": 0.2, "window_s": 0.05} if kind != "large" else {"window_s": 0.01, "rate_per_s": 100.0}
    outcome = await asked(kind, **settings)
    assert outcome["answered"] == 0
    assert set(outcome["faults"]) == {fault}  # type: ignore[call-overload]


async def test_a_wrong_body_is_a_fault() -> None:
    outcome = await asked("steady", expected=EXPECTED + "!")
    assert outcome["faults"] == {"wrong": 20}


async def test_a_bystander_looks_at_nothing_and_cuts_off() -> None:
    outcome = await asked("endless", expected=None, most=1 << 20, timeout_s=0.5, window_s=0.1)
    assert outcome["answered"] == 0


def window(case: str, proxy: str, p99: float, faults: dict[str, int] | None = None) -> Window:
    return Window(case, proxy, 100, 100, faults or {}, 10.0, p99, {"complete": 3, "timeout": 1})


def test_the_goal_is_a_tenth_and_a_millisecond() -> None:
    alone = window("hangs", ALONE, 20.0)
    assert isolation.goals([alone, window("hangs", "shadowproxy", 23.0)]) == []
    (missed,) = isolation.goals([alone, window("hangs", "shadowproxy", 23.2)])
    assert missed.startswith("hangs: p99 is 0.2 ms above")
    (missed,) = isolation.goals([alone, window("hangs", "shadowproxy", 20.0, {"wrong": 1})])
    assert missed == "hangs: 1 requests failed or were answered wrongly"
    assert isolation.p99_ratio([alone, window("hangs", "shadowproxy", 22.0)], "hangs") == pytest.approx(1.1)


def test_a_goal_is_missed_where_the_median_s_interval_lies_above_it() -> None:
    """For 20 values the 95 % interval of the median begins at the 6th (David & Nagaraja, Order Statistics, §7.1)."""
    assert isolation.low_end([float(n) for n in range(20)]) == 5.0
    assert isolation.low_end([3.0]) == 3.0
    assert isolation.low_end([3.0, -1.0, 4.0]) == -1.0


def test_the_table_has_a_row_a_case_and_a_column_a_proxy() -> None:
    hangs = [case for case in CASES if case.name == "hangs"]
    text = isolation.table(
        [window("hangs", ALONE, 20.0), window("hangs", "nginx", 900.0, {"lost": 50})], hangs, ["nginx", "shadowproxy"]
    )
    assert text.splitlines()[-1] == "| one that hangs | 10.0 / 20.0 | 10.0 / 900.0, 50.0% failed | no answer |  |"


def test_the_cases_are_those_that_the_models_know() -> None:
    kinds = {kind for case in CASES for kind in case.kinds}
    assert kinds == {*bad.KINDS, "refuses"}
    assert [case.kinds for case in CASES if case.name == "all"] == [isolation._BAD]


def test_the_peers_mirror_to_every_candidate(tmp_path: Path) -> None:
    candidates = {"hangs": (81, False), "closes": (82, True)}
    made = nginx.mirroring(tmp_path, 80, 90, candidates)
    assert made.count("mirror /mirror-") == 2
    assert "proxy_pass https://closes$request_uri" in made
    assert "proxy_pass http://hangs$request_uri" in made
    resources = envoy.configuration(80, 90, candidates)["static_resources"]
    assert isinstance(resources, dict)
    assert [cluster["name"] for cluster in resources["clusters"]] == ["production", "hangs", "closes"]
    assert "transport_socket" in resources["clusters"][2]
    assert str(resources["listeners"]).count("'cluster': 'hangs'") == 1
