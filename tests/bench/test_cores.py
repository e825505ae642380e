"""CPU time is that of the whole tree, threads included, and a pinned process leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench.cores import busy_s, command_line, cpu_ns, pinned, tree

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""


def _until(condition: object, deadline_s: float = 20) -> None:
    end = time.monotonic() + deadline_s
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"


def test_a_thread_s_work_is_counted() -> None:
    before = cpu_ns([os.getpid()])
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        _until(lambda: cpu_ns([os.getpid()]) - before > 50_000_000)
    finally:
        stop.set()
        thread.join()
    assert cpu_ns([os.getpid()]) > before


def test_a_process_that_is_gone_counts_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert cpu_ns([process.pid]) == 0
    assert command_line(process.pid) == []


def test_a_pinned_tree_lives_on_its_core_and_ends_with_the_block(tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    mine = os.sched_getaffinity(0)
    log = tmp_path / "log"
    with pinned([sys.executable, "-c", PARENT], core, tmp_path, log) as process:
        _until(lambda: log.exists() and log.read_text().endswith("\n"))
        child = int(log.read_text())
        assert sorted(tree(process.pid)) == sorted([process.pid, child])
        assert "import sys; sys.stdin.read()" in command_line(child)
        assert {tuple(os.sched_getaffinity(pid)) for pid in (process.pid, child)} == {(core,)}
    assert os.sched_getaffinity(0) == mine
    assert process.returncode == -15
    # Its stdin was its parent's: it ends when the pipe does.
    _until(lambda: cpu_ns([child]) == 0)


def test_who_ignores_sigterm_is_killed_with_its_group(tmp_path: Path) -> None:
    stubborn = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    )
    log = tmp_path / "log"
    with pinned([sys.executable, "-c", stubborn], min(os.sched_getaffinity(0)), tmp_path, log, stop_s=0.2) as process:
        _until(lambda: log.exists() and log.read_text() == "up\n")
    assert process.returncode == -9


def test_busy_time_grows_with_work() -> None:
    cores = os.sched_getaffinity(0)
    before = busy_s(cores)
    _until(lambda: bool(sum(range(100_000))) and busy_s(cores) - before >= 0.03)
    assert busy_s(cores) > before
