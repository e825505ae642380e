"""What large bodies, events, idle connections and hanging candidates are measured with does what it says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bench import __main__ as runner
from bench import bulk, cores, growth, nginx, results
from bench.cores import pinned
from bench.experiment import run
from bench.idle import connected
from bench.measure import free_ports, wait_until_answering, wait_until_listening
from bench.memory import hanging
from bench.programs import find
from bench.start import ready_s
from bench.streaming import CASES, PROXIES, Case, Window, _doubts, _measured, _row

CLONE = Path(runner.__file__).parent.parent
CORE = max(os.sched_getaffinity(0))

needs_nginx = pytest.mark.skipif(find("nginx") is None, reason="nginx is not installed on this machine")


def test_the_model_for_large_bodies_takes_all_and_gives_all(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pinned(bulk.command(port), None, CLONE, tmp_path / "log", stop_s=2):
        wait_until_answering(port, tmp_path / "log")
        assert len(opener.open(f"http://127.0.0.1:{port}/down", timeout=60).read()) == bulk.BYTES
        assert opener.open(f"http://127.0.0.1:{port}/up", b"a" * bulk.BYTES, timeout=60).read() == b"{}"


@needs_nginx
def test_nginx_accepts_its_configuration_for_streams(tmp_path: Path) -> None:
    for candidate in (None, 3):
        command = nginx.command(find("nginx") or "", tmp_path, nginx.streaming(tmp_path, 1, 2, candidate))
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60, check=False)
        assert checked.returncode == 0, checked.stderr


def test_listeners_tell_how_old_each_event_is(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    model = [sys.executable, "-m", "bench.events", "serve", str(port), "10", "5"]
    with pinned(model, None, CLONE, tmp_path / "log", stop_s=2):
        wait_until_listening(port, tmp_path / "log")
        listen = [sys.executable, "-m", "bench.events", "listen", str(port), "4", "0.5"]
        done = subprocess.run(listen, cwd=CLONE, capture_output=True, text=True, timeout=30, check=True)
    begin, end, said = done.stdout.splitlines()
    outcome = json.loads(said)
    # Four streams of five events each 10 ms, asked for again and again: some 200 in half a second.
    assert (begin, end, outcome["ended"]) == ("begin", "end", 0)
    assert outcome["events"] > 20
    assert 0 < outcome["p50_ms"] <= outcome["p99_ms"]


@needs_nginx
def test_events_through_the_proxy_are_measured() -> None:
    case = Case("tiny", "3 streams", 3, 20)
    window = _measured(case, "shadowproxy, mirrored", CORE, CORE, 0.5)
    assert window.events > 40
    assert window.cpu_us > 0
    assert window.copied == 1.0


def test_what_a_window_lacks_is_said() -> None:
    assert list(_doubts(Window("few", "nginx", 100, 1.0, 2.0, 30.0, 1.0))) == []
    assert list(_doubts(Window("few", "shadowproxy, mirrored", 100, 1.0, 2.0, 30.0, 0.9, 0.5))) == [
        "shadowproxy, mirrored, few: only 90.0% of the events arrived in time",
        "shadowproxy, mirrored, few: only 50.0% of the streams were copied",
    ]


def test_what_is_added_is_told_by_the_round() -> None:
    def window(proxy: str, p50: float) -> Window:
        return Window("few", proxy, 100, p50, 2 * p50, 30.0, 1.0)

    found = [[window("direct", 1.0), window("nginx", 1.5)], [window("direct", 5.0), window("nginx", 5.3)]]
    row = _row(CASES[0], "nginx", found)
    assert row[:3] == ["20 streams, an event each 20 ms", "nginx", "1,000"]
    assert row[3] == "3.40 (+0.40)"  # (0.5 + 0.3) / 2, not the medians' difference by chance
    assert "direct" in PROXIES


def test_connected_clients_have_had_their_answer() -> None:
    with hanging() as port, pytest.raises(OSError, match="timed out"):
        socket.create_connection(("127.0.0.1", port), timeout=0.2).recv(1)
    with pytest.raises(OSError, match="refused"), connected(port, 2):
        pass


def test_memory_is_that_of_the_process() -> None:
    mine = cores.rss_bytes(os.getpid())
    assert mine > 10 << 20
    assert 0 < cores.pss_bytes(os.getpid()) <= mine
    assert cores.rss_bytes(2**30) == 0


def test_a_proxy_becomes_ready() -> None:
    assert 0.05 < ready_s() < 30


def test_windows_of_a_life_are_compared_by_medians() -> None:
    windows = [growth._Window(k, cpu, 10.0, 40.0 + k) for k, cpu in enumerate((50.0, 90.0, 52.0))]
    middle = growth._middle(windows)
    assert (middle.cpu_us, middle.served, middle.worker_mb) == (52.0, 2, 42.0)
    assert growth._row("later", middle, growth._Window(0, 40.0, 1, 1))[2] == "1.30"


@pytest.mark.campaign
@pytest.mark.parametrize("name", [name for name in runner.EXPERIMENTS if name not in ("peers", "isolation")])
def test_every_experiment_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PLACE", tmp_path)
    assert run(runner.load(name), ["--quick"]) == 0
    assert list(tmp_path.glob(f"{name}-*.json"))
