"""Children are started, replaced and kept counted. Real processes; the children are fakes that speak the protocol."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.support.processes import is_alive
from tests.support.supervised import SILENCE, Supervised
from tests.support.until import LEAST_S, until


def test_every_child_gets_the_configuration_with_the_real_ports(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        ready = proxy.ready().event("proxy.ready")
        assert not ready["listen"].endswith(":0")
        for role, count in (("worker", 2), ("recorder", 1), ("admin", 1)):
            assert len(proxy.said(role, f"configured 1 {ready['listen']} 1000")) == count
        assert proxy.ask().startswith("worker ")


def test_a_killed_child_of_each_role_is_replaced(tmp_path: Path) -> None:
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        for role in ("worker", "recorder", "admin"):
            [victim, *others] = proxy.pids(role)
            os.kill(victim, signal.SIGKILL)
            proxy.event(f"{role}.ready", restarts=1)
            assert "SIGKILL" in proxy.event(f"{role}.ended", pid=victim)["why"]
            assert set(others) < set(proxy.pids(role))
        assert len(proxy.said("worker", "began")) == 3  # recorder and admin stopped no worker
        assert len(proxy.said("recorder", "began")) == 2


def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    with Supervised(tmp_path, patience=SILENCE) as proxy:
        proxy.ready()
        worker, recorder = proxy.pids("worker")[0], proxy.pids("recorder")[0]
        for pid in (worker, recorder):
            os.kill(pid, signal.SIGSTOP)
        assert proxy.event("worker.killed", pid=worker)["why"] == "no heartbeat for 2.5 s"
        proxy.event("worker.ready", restarts=1)
        assert not is_alive(worker)
        assert is_alive(recorder)  # a recorder may wait for a disk
        os.kill(recorder, signal.SIGCONT)


def test_children_are_not_judged_by_a_time_in_which_the_supervisor_did_not_run(tmp_path: Path) -> None:
    with Supervised(tmp_path, patience=SILENCE) as proxy:
        proxy.ready()
        group = [proxy.process.pid, *proxy.pids("worker")]
        for pid in group:
            os.kill(pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        until(lambda: time.monotonic() - stopped_at > 3.5)  # longer than worker_silence
        for pid in group:
            os.kill(pid, signal.SIGCONT)
        os.kill(proxy.pids("admin")[0], signal.SIGKILL)
        proxy.event("admin.ready", restarts=1)  # it runs again, and looks
        assert [event for event in proxy.events if event["event"] == "worker.killed"] == []


def test_what_waits_in_a_dead_workers_queue_is_served_by_its_successor(tmp_path: Path) -> None:
    with Supervised(tmp_path, workers=1) as proxy:
        proxy.ready()
        [victim] = proxy.pids("worker")
        os.kill(victim, signal.SIGSTOP)
        answers: list[str] = []
        import threading

        asking = threading.Thread(target=lambda: answers.append(proxy.ask()))
        asking.start()
        os.kill(victim, signal.SIGKILL)
        asking.join(LEAST_S)
        assert len(answers) == 1
        assert answers[0].split()[:2] == ["worker", "0"]
        assert answers[0].split()[2] != str(victim)


def test_a_start_that_always_fails_ends_with_4_and_the_childs_last_words(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"worker": "fails"}) as proxy:
        why = proxy.event("start.failed")["why"]
        assert why == "no worker could start: the disk is on fire (exit status 3)"
        assert proxy.wait() == 4
        assert len(proxy.said("worker", "began")) >= 6  # three attempts for each of two


def test_a_start_that_ends_before_a_word_says_how(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"worker": "crashes"}) as proxy:
        assert proxy.event("start.failed")["why"] == "no worker could start: exit status 1"
        assert proxy.wait() == 4
        assert "no module named model" in proxy.noise


def test_a_worker_that_is_never_ready_is_given_up_in_time(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"worker": "never ready"}, patience={"start": 0.7}, workers=1) as proxy:
        assert "not ready within 0.7 s" in proxy.event("start.failed")["why"]
        assert proxy.wait() == 4


def test_recorder_and_admin_that_cannot_start_stop_no_worker(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"recorder": "crashes", "admin": "fails"}) as proxy:
        proxy.ready()
        assert proxy.ask().startswith("worker ")
        assert proxy.event("admin.failed")["why"] == "the disk is on fire"

        def waits() -> list[float]:
            return [e["restart_in_s"] for e in list(proxy.events) if e["event"] == "recorder.ended"]

        until(lambda: len(waits()) >= 3, what="three ends of the recorder")
        assert waits()[:3] == [0.0, 0.05, 0.1]  # at once, then first_backoff, then twice that
        proxy.behave(recorder="well")
        proxy.event("recorder.ready")


def test_a_child_that_says_it_is_unwell_is_told_of_once(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"recorder": "unhealthy"}) as proxy:
        proxy.ready()
        assert proxy.event("recorder.unhealthy")["why"] == "unhealthy"
        assert proxy.pids("recorder")


def test_a_file_named_like_the_standard_library_breaks_no_child(tmp_path: Path) -> None:
    from shadowproxy.supervisor.launch import COMMANDS, Launcher, environment

    (tmp_path / "asyncio.py").write_text("raise RuntimeError('the wrong asyncio')")
    before, now = Path.cwd(), {**os.environ}
    os.chdir(tmp_path)
    os.environ["PYTHONPATH"] = f":{before}"  # an empty entry is the working directory
    try:
        assert "" not in environment()["PYTHONPATH"].split(":")
        python = COMMANDS["worker"][:-2]
        launcher = Launcher({"worker": [*python, "-c", "import asyncio, shadowproxy.wire.child; print('fine')"]})
        assert launcher.start("worker", (), ()).wait(LEAST_S) == 0
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(now)
