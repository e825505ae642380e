"""How it ends: drain in order, at once at the second signal, and never with a process left."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from shadowproxy.settings.snapshot import Limits
from tests.support.processes import is_alive
from tests.support.supervised import Supervised
from tests.support.until import until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_workers_then_the_recorder_then_the_admin(tmp_path: Path, number: int) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready().signal(number)
        assert proxy.wait() == 0
        ends = [(role, what.split()[0]) for role, _, _, what in proxy.entries() if what.startswith(("drain", "ended"))]
        assert sorted(ends[:4]) == sorted([("worker", "drain"), ("worker", "ended")] * 2)
        assert ends[4:] == [("recorder", "drain"), ("recorder", "ended"), ("admin", "drain"), ("admin", "ended")]
        assert proxy.said("worker", "drain 0 2")
        assert list((tmp_path / "tmp").iterdir()) == []  # the runtime directory is gone


def test_a_signal_to_the_whole_group_is_the_same_as_one_to_the_parent(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        proxy.note_family()
        os.killpg(proxy.process.pid, signal.SIGTERM)
        assert proxy.wait() == 0
        assert len(proxy.said("worker", "drain")) == 2
        assert [e for e in proxy.events if e["level"] == "warning"] == []


def test_a_signal_to_the_group_while_children_begin_harms_none(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        until(lambda: proxy.said("worker", "began"), 10)
        proxy.note_family()
        os.killpg(proxy.process.pid, signal.SIGTERM)
        assert proxy.wait() == 0
        assert [e for e in proxy.events if e["level"] == "warning"] == []


def test_the_delay_is_told_to_workers_and_a_second_signal_ends_it(tmp_path: Path) -> None:
    limits = Limits(drain_delay=7.0, drain=30.0)
    with Supervised(tmp_path, behave={"worker": "never drains"}, limits=limits) as proxy:
        proxy.ready().signal(signal.SIGTERM)
        until(lambda: len(proxy.said("worker", "drain 7 30")) == 2, 5)
        assert proxy.process.poll() is None
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(20) == 0
        proxy.event("stop.at_once")
        assert proxy.said("recorder", "drain") == []


def test_who_does_not_drain_in_time_is_killed(tmp_path: Path) -> None:
    limits = Limits(drain_delay=0.0, drain=0.2)
    patience = {"admin_drain": 0.2, "farewell": 2.0}
    with Supervised(tmp_path, behave={"admin": "never drains"}, limits=limits, patience=patience) as proxy:
        proxy.ready().signal(signal.SIGTERM)
        assert proxy.wait() == 0
        proxy.event("admin.drain_forced")


def test_the_recorder_is_still_replaced_while_workers_drain(tmp_path: Path) -> None:
    limits = Limits(drain_delay=0.0, drain=20.0)
    with Supervised(tmp_path, behave={"worker": "never drains"}, limits=limits) as proxy:
        proxy.ready().signal(signal.SIGTERM)
        until(lambda: proxy.said("worker", "drain"), 5)
        os.kill(proxy.pids("recorder")[0], signal.SIGKILL)
        proxy.event("recorder.ready", restarts=1)
        proxy.signal(signal.SIGINT)
        assert proxy.wait(20) == 0


def test_a_new_connection_is_refused_once_the_workers_have_gone(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"recorder": "never drains"}, patience={"recorder_drain": 20.0}) as proxy:
        host, port = proxy.ready().event("proxy.ready")["listen"].rsplit(":", 1)
        proxy.signal(signal.SIGTERM)
        until(lambda: proxy.said("recorder", "drain"), 10)
        with socket.socket() as client:
            assert client.connect_ex((host, int(port))) != 0
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(20) == 0


def test_the_supervisors_own_death_leaves_no_process(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready().signal(signal.SIGKILL)
        assert proxy.wait() == -signal.SIGKILL
        for role, count in (("worker", 2), ("recorder", 1), ("admin", 1)):
            until(lambda role=role, count=count: len(proxy.said(role, "ended")) == count, 5)  # type: ignore[misc]
            assert len(proxy.said(role, "orphaned")) == count


def test_a_child_that_loses_its_control_socket_is_succeeded_while_it_drains(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"admin": "hangs up"}) as proxy:
        proxy.ready()
        [first] = proxy.pids("admin")
        proxy.behave(admin="well")
        proxy.event("admin.ready", restarts=1)
        assert proxy.event("admin.ended", pid=first)["why"] == "it closed its control socket"
        assert is_alive(first)
        proxy.note_family()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
