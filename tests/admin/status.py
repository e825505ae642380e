"""What the supervisor tells, as tests of the admin side need it: every section filled."""

from __future__ import annotations

from typing import Any

from shadowproxy.settings.snapshot import Admin, Candidate, Pairs, Production, Snapshot

SNAPSHOT = Snapshot(
    listen="127.0.0.1:8080",
    admin=Admin(listen="127.0.0.1:9900"),
    production=Production(name="v1", version="abc", urls=("http://127.0.0.1:1",)),
    candidates=(
        Candidate(name="v2", url="http://127.0.0.1:2", trial="v2-now", sample=0.5),
        Candidate(name="v3", url="http://127.0.0.1:3", trial="v3-now", paused=True),
    ),
    twin=Candidate(name="twin", url="http://127.0.0.1:4", trial="twin-now"),
    pairs=Pairs(dir="pairs"),
)


def row(candidate: str, trial: str, route: str, **counts: Any) -> dict[str, Any]:
    return {"candidate": candidate, "trial": trial, "route": route, **counts}


ROWS = [
    # 100 eligible, 50 sampled out: 50 wanted, 40 logged
    row("v2", "v2-now", "predict", eligible=80, sampled_out=40, logged=32, dropped={"in_flight": 5}),
    row("v2", "v2-now", "score", eligible=20, sampled_out=10, logged=8, dropped={"in_flight": 1, "overload": 2}),
    row("v2", "v2-before", "predict", eligible=1000, sampled_out=0, logged=0),
    row("twin", "twin-now", "predict", eligible=10, sampled_out=0, logged=10),
]


def child(role: str, slot: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "role": role,
        "slot": slot,
        "state": "ready",
        "restarts": 0,
        "last_exit": None,
        "pid": 1,
        "boot": 1_795_474_646_104,
        "generation": 1,
        "heartbeat_age_s": 0.1,
        "healthy": True,
        "note": "",
        "gauges": {},
        **more,
    }


WORKER_GAUGES = {
    "loop_lag_seconds": 0.25,
    "cpu_throttled_ratio": 0.0,
    "gc_pause_seconds": 0.001,
    "connections": 3.0,
    "tunnels": 0.0,
    "mirror_buffered_bytes": 1000.0,
    'mirror_in_flight{candidate="v2"}': 3.0,
    'breaker_open{candidate="v2"}': 0.0,
}


def record(**more: Any) -> dict[str, Any]:
    """A candidate's part of the report, as far as figures and notices read it."""
    gates = [
        {"name": "error_rate_increase", "limit": 0.005, "estimate": 0.012, "low": 0.009, "high": 0.016,
         "verdict": "FAIL"},
        {"name": "slower_share{by=25%}", "limit": 0.1, "estimate": None, "low": None, "high": None,
         "verdict": "INCONCLUSIVE"},
    ]  # fmt: skip
    return {
        "name": "v2",
        "trial": "v2-now",
        "production": "v1",
        "headline": "Do not promote v2. It fails on 1.2 % of requests that v1 answers (0.9–1.6 %, limit 0.5 %).",
        "verdict": "FAIL",
        "window": {"from": "2026-03-01T14:00:00.123456Z", "to": "2026-03-01T16:10:00Z"},
        "pairs": 41203,
        "gates": gates,
        **more,
    }


def status(**more: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "started_ms": 1_795_474_646_104,
        "uptime_s": 3.0,
        "generation": 1,
        "revision": "1a2b-1",
        "drift": [],
        "audit": [],
        "unsettled": False,
        "promoted": [],
        "ramp": None,
        "listen": "127.0.0.1:8080",
        "limits": {"connections": 1000},
        "draining": False,
        "readiness": {"ready": True, "reasons": []},
        "children": [
            child("worker", 0, gauges=WORKER_GAUGES, restarts=2),
            child("worker", 1, gauges={"loop_lag_seconds": 0.5, 'mirror_in_flight{candidate="v2"}': 4.0}),
            child("recorder", gauges={"log_bytes": 4096.0}),
            child("admin"),
        ],
        "totals": {
            "counters": {
                'requests_total{route="predict",code="200"}': 90.0,
                'requests_total{route="predict",code="502"}': 10.0,
                'mirrored_total{candidate="v2",outcome="complete"}': 44.0,
                'mirror_dropped_total{candidate="v2",reason="in_flight"}': 6.0,
                'mirror_keyless_total{candidate="v2"}': 1.0,
                'pairs_total{candidate="v2",result="same"}': 30.0,
                'pairs_total{candidate="v2",result="different"}': 10.0,
                'pairs_agree_total{candidate="v2",trial="v2-now"}': 36.0,
                'pairs_decided_total{candidate="v2",trial="v2-now"}': 40.0,
                'pairs_agree_total{candidate="v2",trial="v2-before"}': 1.0,
                'pairs_decided_total{candidate="v2",trial="v2-before"}': 10.0,
                'pairs_unlogged_total{reason="disk"}': 1.0,
                'pushed_total{to="graphite"}': 100.0,
                'shipped_total{what="pairs"}': 7.0,
                'ship_dropped_total{what="pairs"}': 0.0,
                'push_dropped_total{to="graphite"}': 0.0,
            },
            "histograms": {
                'request_duration_seconds{route="predict"}': [[0.005, 0.01], [60, 30, 10], 1.5],
                "overhead_seconds": [[0.005, 0.01], [100, 0, 0], 0.01],
                'upstream_duration_seconds{upstream="v2",role="candidate"}': [[0.005, 0.01], [1, 1, 0], 0.01],
                'first_token_seconds{upstream="v1",role="production"}': [[0.005, 0.01], [2, 0, 0], 0.01],
            },
        },
        "ledger": {"boots": [{"worker": 0, "boot": 1, "rows": ROWS}], "rows": ROWS},
        **more,
    }
