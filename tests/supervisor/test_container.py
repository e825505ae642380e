"""As PID 1 of a container: signals arrive, orphans are reaped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import Process, processes
from tests.support.supervised import Supervised
from tests.support.until import until

_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def _can_make_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, timeout=20, check=False).returncode == 0


def _children(pid: int) -> list[Process]:
    return [process for process in processes() if process.parent == pid]


@pytest.mark.skipif(not _can_make_namespaces(), reason="this machine lets nobody make a PID namespace (unshare)")
def test_as_pid_1_it_reaps_orphans_and_ends_at_a_signal(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"recorder": "leaves an orphan"}, inside=_NAMESPACE) as proxy:
        proxy.ready()
        [supervisor] = _children(proxy.process.pid)
        until(lambda: len(_children(supervisor.pid)) == 5, 5, "an orphan")
        (tmp_path / "journal.end").touch()
        until(lambda: len(_children(supervisor.pid)) == 4, 5, "the orphan is reaped, the four children are not")
        assert all(child.state != "Z" for child in _children(supervisor.pid))
        os.kill(supervisor.pid, signal.SIGTERM)
        assert proxy.wait() == 0
        proxy.event("drain.done")
