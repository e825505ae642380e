"""Processes pinned to a core, and the CPU time that trees of them used."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STOP_S = 20.0


@contextmanager
def pinned(
    command: Sequence[str],
    core: int | None,
    cwd: Path,
    stderr: Path,
    *,
    stop_s: float = _STOP_S,
    own_session: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command and all that it starts on one core (None: on all); ends it with SIGTERM, after `stop_s` SIGKILL.

    Where sessions are scheduled as groups, a process gives way to those of its own session alone. Without one of its
    own only the command itself is killed.

    The caller lends its own affinity for the moment of the start: what starts in between inherits it, where a
    later sched_setaffinity on the parent would miss children that it has already made.
    """
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, mine if core is None else {core})
    try:
        with stderr.open("ab") as sink:
            process = subprocess.Popen(
                command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=own_session
            )
    finally:
        os.sched_setaffinity(0, mine)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(stop_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                if own_session:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            process.wait()


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        here = todo.pop()
        found.append(here)
        for task in _tasks(here):
            with suppress(OSError):
                todo.extend(int(child) for child in (task / "children").read_text().split())
    return found


def command_line(pid: int) -> list[str]:
    """A process's arguments; empty when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    return []


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time of processes so far, of every thread alive, to the scheduler's own nanosecond."""
    total = 0
    for pid in pids:
        for task in _tasks(pid):
            with suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def busy_s(cores: Iterable[int]) -> float:
    """Seconds that cores were busy since boot, with whatever: what is not ours in a window is somebody else's."""
    wanted = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name in wanted:
            user, nice, system, _idle, _iowait, *others = (int(value) for value in values[:8])
            ticks += user + nice + system + sum(others)
    return ticks / _TICKS_PER_S


def pss_bytes(pid: int) -> int:
    """A process's memory, pages that it shares divided among those that share them; 0 when it is gone."""
    return _memory(pid, "Pss")


def rss_bytes(pid: int) -> int:
    """A process's resident memory, shared pages and all; 0 when it is gone."""
    return _memory(pid, "Rss")


def _memory(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) << 10
    return 0


def _tasks(pid: int) -> list[Path]:
    with suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []
