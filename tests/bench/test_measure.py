"""The bench measures what it says: real nginx, in windows too short for figures and long enough for facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import nginx, peers, results, shadow
from bench.cores import pinned
from bench.experiment import run
from bench.failure import MeasurementError
from bench.measure import Load, measure, settle
from bench.offer import decode, encode
from bench.programs import find
from bench.scenarios import BODY, SCENARIOS, Scenario, request_for
from shadowproxy.bench.address import parse
from shadowproxy.bench.plan import Plan

PROGRAM = find("nginx") or ""
CORES = sorted(os.sched_getaffinity(0))
TINY = Load(rate_per_s=300, warmup_s=0.1, window_s=0.4, connections=4, proxy_core=CORES[0], load_core=CORES[-1])

needs_nginx = pytest.mark.skipif(not PROGRAM, reason="nginx is not installed on this machine")


def _named(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


@needs_nginx
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_nginx_accepts_its_configurations(scenario: Scenario, tmp_path: Path) -> None:
    for text in (nginx.models(tmp_path, scenario, 1, 2, 3), nginx.proxy(tmp_path, scenario, 1, 2, 3)):
        command = [*nginx.command(PROGRAM, tmp_path, text), "-t"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert checked.returncode == 0, checked.stderr


@needs_nginx
@pytest.mark.parametrize(
    ("scenario", "proxy", "copied", "roles"),
    [
        ("pass", "direct", None, set()),
        ("pass", "nginx", None, {"nginx"}),
        ("mirror", "nginx", 1.0, {"nginx"}),
        ("mirror", "nginx-bodyless", 1.0, {"nginx-bodyless"}),
        ("mirror", "aiohttp", 1.0, {"aiohttp"}),
        ("pass", "haproxy", None, {"haproxy"}),
        ("mirror", "envoy", 1.0, {"envoy"}),
    ],
)
def test_a_window_counts_what_was_done(scenario: str, proxy: str, copied: float | None, roles: set[str]) -> None:
    if proxy in ("haproxy", "envoy") and find(proxy) is None:
        pytest.skip(f"{proxy} is not installed on this machine")
    sample = measure(_named(scenario), proxy, TINY, PROGRAM)
    assert (sample.failed, sample.outcome["offered"]) == (0, 120)
    assert sample.copied_share == (pytest.approx(copied, abs=0.01) if copied else None)
    assert set(sample.cpu_us) == roles
    assert all(used > 0 for used in sample.cpu_us.values())


@needs_nginx
def test_a_proxy_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure._READY_S", 0.3)
    monkeypatch.setattr("bench.measure._command", lambda *_: [sys.executable, "-c", "raise SystemExit('no such luck')"])
    with pytest.raises(MeasurementError, match="no such luck"):
        measure(_named("pass"), "nginx", TINY, PROGRAM)


def test_a_proxy_that_never_comes_to_rest_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.measure._READY_S", 0.6)
    busy = [sys.executable, "-c", "while True: pass"]
    with (
        pinned(busy, CORES[0], tmp_path, tmp_path / "log") as process,
        pytest.raises(MeasurementError, match="still busy"),
    ):
        settle(process.pid)


def test_a_proxy_at_rest_is_measured_at_once(tmp_path: Path) -> None:
    quiet = [sys.executable, "-c", "import sys; print('up', flush=True); __import__('signal').pause()"]
    with pinned(quiet, CORES[0], tmp_path, tmp_path / "log") as process:
        settle(process.pid)
        assert process.poll() is None


@needs_nginx
def test_a_process_that_is_replaced_while_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([{"nginx": [1]}, {"nginx": [2]}])
    monkeypatch.setattr("bench.measure._processes", lambda *_: next(seen))
    with pytest.raises(MeasurementError, match="replaced a process"):
        measure(_named("pass"), "nginx", TINY, PROGRAM)


@needs_nginx
@pytest.mark.skipif(len(CORES) < 2, reason="this machine has one core, and the bench needs two")
def test_the_command_prints_its_tables_and_keeps_its_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "_HERE", tmp_path)
    monkeypatch.setattr(results, "PLACE", tmp_path / "results")
    (tmp_path / "budgets.json").write_text("{}", encoding="utf-8")
    short = ["--quick", "--rounds", "1", "--window", "0.3", "--rate", "200"]
    assert run(peers.EXPERIMENT, [*short, "--scenario", "pass", "--proxy", "direct", "nginx"]) == 0
    said = capsys.readouterr().out
    assert "- command: python -m bench peers --quick" in said
    # A machine that is too busy for 200/s is told so in place of the figure.
    assert "| passed through | nginx |" in said or "answers/s, left out" in said
    kept = json.loads(next((tmp_path / "results").glob("peers-*.json")).read_text(encoding="utf-8"))
    assert [sample["proxy"] for sample in kept["data"]["rounds"][0]] == ["direct", "nginx"]
    assert [sample["rate_per_s"] for sample in kept["data"]["rounds"][0]] == [200, 200]


def test_a_plan_travels_to_the_load() -> None:
    plan = Plan(parse("http://127.0.0.1:1/"), [request_for(1) + b"\xff"], rate_per_s=2.5, duration_s=1)
    assert decode(encode(plan)) == plan


def test_the_request_is_one_kilobyte_of_json() -> None:
    assert json.loads(BODY)["inputs"][0]["shape"] == [1, 280]
    assert 1000 < len(BODY) < 1050


@pytest.mark.parametrize(("name", "size"), [("pass", 380), ("mirror", 380), ("differ", 1004)])
def test_answers_have_the_sizes_that_are_named(name: str, size: int) -> None:
    scenario = _named(name)
    assert len(scenario.production) == pytest.approx(size, abs=10)
    assert scenario.mirrors is (name != "pass")
    assert (scenario.candidate == scenario.production) is (name == "mirror")


def test_pairs_are_counted_over_all_segments(tmp_path: Path) -> None:
    pairs = shadow.pairs_directory(tmp_path)
    pairs.mkdir()
    (pairs / "pairs-1.jsonl").write_text("{}\n{}\n", encoding="utf-8")
    (pairs / "pairs-2.jsonl").write_text("{}\n", encoding="utf-8")
    (pairs / "ledger-1.jsonl").write_text("{}\n", encoding="utf-8")
    assert shadow.count_pairs(tmp_path) == 3


def test_budgets_name_scenarios_that_exist() -> None:
    budgets = json.loads((peers._HERE / "budgets.json").read_text(encoding="utf-8"))
    assert budgets.keys() - {"what"} == {each.name for each in SCENARIOS}
    assert {role for name, roles in budgets.items() if name != "what" for role in roles} == {"worker", "recorder"}
