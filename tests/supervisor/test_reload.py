"""A new configuration takes effect in every process or in none."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from shadowproxy.settings.snapshot import Candidate, Limits
from tests.support.supervised import Supervised
from tests.support.until import until

NEW = {"candidates": (Candidate(name="v3", url="http://127.0.0.1:3"),)}


def test_a_hang_up_brings_the_new_file_into_force_everywhere(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        proxy.configure(**NEW)
        proxy.signal(signal.SIGHUP)
        assert proxy.event("reload.done")["generation"] == 2
        until(lambda: len(proxy.said("worker", "commit 2")) == 2, 5)
        until(lambda: proxy.said("recorder", "commit 2") and proxy.said("admin", "commit 2"), 5)
        journal = [what for _, _, _, what in proxy.entries() if what in ("prepare 2", "commit 2")]
        assert journal[:4] == ["prepare 2"] * 4  # nobody commits before everybody is prepared
        os.kill(proxy.pids("worker")[0], signal.SIGKILL)
        until(lambda: proxy.said("worker", "configured 2"), 5)  # and a successor begins with it


def test_a_bad_file_changes_nothing_and_is_told(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        (tmp_path / "snapshot.json").write_text("{}")
        proxy.signal(signal.SIGHUP)
        [problem] = proxy.event("reload.refused")["problems"]
        assert "production" in problem
        assert proxy.said("worker", "prepare") == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"listen": "127.0.0.1:1"}, "listen: 127.0.0.1:0 became 127.0.0.1:1, which takes effect at a restart only"),
        ({"workers": 3}, "workers: 2 became 3, which takes effect at a restart only"),
    ],
)
def test_what_takes_a_restart_is_said(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        proxy.configure(**changes)
        proxy.signal(signal.SIGHUP)
        assert proxy.event("reload.refused")["problems"] == [problem]


@pytest.mark.parametrize(
    ("role", "behaviour", "problem"),
    [
        ("recorder", "refuses", "recorder: no such upstream"),
        ("admin", "dies in prepare", "admin ended while it prepared: exit status 9"),
        ("worker", "silent in prepare", "worker 0 did not prepare within 3 s"),
    ],
)
def test_one_that_cannot_prepare_aborts_all(tmp_path: Path, role: str, behaviour: str, problem: str) -> None:
    patience = {"prepare": 3.0} if behaviour == "silent in prepare" else {}
    with Supervised(tmp_path, behave={role: behaviour}, patience=patience, workers=1) as proxy:
        proxy.ready()
        proxy.configure(workers=1, **NEW)
        proxy.signal(signal.SIGHUP)
        assert proxy.event("reload.refused")["problems"] == [problem]
        until(lambda: proxy.said("worker", "abort 2"), 5)
        assert not any(what.startswith("commit") for _, _, _, what in proxy.entries())
        assert proxy.ask().split()[3] == "1"  # still served with the first generation


def test_a_life_that_begins_during_a_reload_follows(tmp_path: Path) -> None:
    """One child holds the preparation up while another dies and is replaced with the old generation."""
    with Supervised(tmp_path, behave={"admin": "prepares late"}, patience={"prepare": 40.0}) as proxy:
        proxy.ready()
        first = proxy.pids("recorder")[0]
        proxy.behave(recorder="late")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(proxy.said("recorder", "began")) == 2, 5)  # begins, is not ready: no participant
        proxy.configure(**NEW)
        proxy.signal(signal.SIGHUP)
        proxy.event("reload.done")
        until(lambda: proxy.said("recorder", "commit 2"), 10)
        assert proxy.said("recorder", "configured 1")[-1] == proxy.said("recorder", "commit 2")[-1]


def test_an_aborted_generation_is_not_used_again(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"admin": "refuses"}) as proxy:
        proxy.ready()
        proxy.signal(signal.SIGHUP)
        proxy.event("reload.refused")
        proxy.behave(admin="well")
        os.kill(proxy.pids("admin")[0], signal.SIGKILL)
        proxy.event("admin.ready", restarts=1)
        proxy.signal(signal.SIGHUP)
        assert proxy.event("reload.done")["generation"] == 3


def test_more_connections_than_files_are_lowered_with_one_warning(tmp_path: Path) -> None:
    with Supervised(tmp_path, limits=Limits(drain_delay=0.0, connections=10_000_000)) as proxy:
        listen = proxy.ready().event("proxy.ready")["listen"]
        lowered = proxy.event("limits.lowered")
        assert lowered["configured"] == 10_000_000
        assert len(proxy.said("worker", f"configured 1 {listen} {lowered['connections']}")) == 2
        assert len([e for e in proxy.events if e["event"] == "limits.lowered"]) == 1
