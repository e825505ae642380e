"""From what the operator wrote to what children serve with, and what they see of it."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

from shadowproxy.settings.snapshot import Candidate, DownstreamTls, Limits, Pairs, Production, Snapshot, decode
from shadowproxy.supervisor import banner
from shadowproxy.supervisor.configuration import Configuration, takes_a_restart
from shadowproxy.supervisor.files import RESERVED, fitting_connections


def snapshot(**changes: Any) -> Snapshot:
    own: dict[str, Any] = {
        "production": Production(urls=("http://127.0.0.1:1",), name="v1", connections=100),
        "candidates": (Candidate(name="v2", url="http://127.0.0.1:2", sample=0.1, max_in_flight=50),),
        "pairs": Pairs(dir="/pairs"),
        "workers": 2,
    }
    return Snapshot(**{**own, **changes})


# (files a worker may open, connections configured, connections that fit):
# room = files − 128 reserved − 2 × 100/2 for production − 50/2 for the candidate, for each of 2 workers
FITS = [
    (100_000, 10_000, 10_000),
    (RESERVED + 100 + 25 + 10, 10_000, 20),
    (RESERVED + 100 + 25 + 10, 7, 7),
    (10, 10_000, 2),  # one a worker at least
]


@pytest.mark.parametrize(("files", "configured", "fits"), FITS)
def test_connections_fit_the_files(files: int, configured: int, fits: int) -> None:
    assert fitting_connections(snapshot(limits=Limits(connections=configured)), files) == fits


def test_a_twin_takes_files_too() -> None:
    files = RESERVED + 100 + 25 + 10
    with_twin = snapshot(twin=Candidate(name="twin", url="http://127.0.0.1:3", max_in_flight=10))
    assert fitting_connections(with_twin, files) == fitting_connections(snapshot(), files) - 10


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    program = (
        "import resource as r; from shadowproxy.supervisor.files import raise_limit;"
        "hard = min(r.getrlimit(r.RLIMIT_NOFILE)[1], 3000); r.setrlimit(r.RLIMIT_NOFILE, (64, hard));"
        "print(raise_limit() == hard == r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 64


def test_children_see_real_ports_and_fitting_limits() -> None:
    configured = snapshot(limits=Limits(connections=10_000), listen="127.0.0.1:0")
    configuration = Configuration(configured, RESERVED + 135, "127.0.0.1:4711", "127.0.0.1:4712")
    served = decode(configuration.encoded)
    assert (served.listen, served.admin.listen, served.limits.connections) == ("127.0.0.1:4711", "127.0.0.1:4712", 20)
    assert configuration.lowered_from == 10_000
    assert configuration.configured is configured


def test_an_admin_that_is_off_stays_off() -> None:
    assert Configuration(snapshot(), 100_000, "127.0.0.1:1", None).current.admin.listen is None


def test_what_takes_a_restart() -> None:
    assert takes_a_restart(snapshot(), snapshot(candidates=())) == []
    assert takes_a_restart(snapshot(), snapshot(workers=1, pairs=Pairs(dir="/pairs", recorders=2))) == [
        "workers: 2 became 1, which takes effect at a restart only",
        "pairs.recorders: 1 became 2, which takes effect at a restart only",
    ]


def test_the_banner_tells_the_six_things_in_six_lines() -> None:
    lines = banner.banner(snapshot(twin=Candidate(name="twin", url="http://127.0.0.1:3")))
    assert len(lines) == 6
    for line, told in zip(
        lines,
        ("http://127.0.0.1:8080 (2 workers)", "http://127.0.0.1:9900", "v1  http://127.0.0.1:1", "v2 10 %", "/pairs",
         "10,000 connections · request bodies ≤ 100 MiB · 64 MiB held"),
        strict=True,
    ):  # fmt: skip
        assert told in line
    assert "twin 100 %" in lines[3]


def test_the_banner_without_candidates_without_limits_over_tls() -> None:
    bare = snapshot(
        candidates=(), workers=1, limits=Limits(body=0), tls=DownstreamTls(certificate="c.pem", key="k.pem")
    )
    text = "\n".join(banner.banner(bare))
    assert "https://127.0.0.1:8080 (1 worker)" in text
    assert "none: requests are only passed on" in text
    assert "request bodies of any size" in text


def test_a_program_gets_the_same_facts() -> None:
    facts = banner.facts(snapshot())
    assert facts["listen"] == "127.0.0.1:8080"
    assert facts["candidates"] == {"v2": {"url": "http://127.0.0.1:2", "sample": 0.1}}


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB")])
def test_sizes(count: int, text: str) -> None:
    assert banner.size(count) == text


@pytest.mark.parametrize(("share", "text"), [(1.0, "100 %"), (0.1, "10 %"), (0.001, "0.1 %"), (1 / 3, "33.33 %")])
def test_shares(share: float, text: str) -> None:
    assert banner.percent(share) == text
