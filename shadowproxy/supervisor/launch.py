"""How a child is started: its command line, its environment, and what it may take from the machine.

Children are exec'd, never only forked, share our process group, and must not be broken by a file in the working
directory that is named like a module of the standard library.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import shadowproxy
from shadowproxy.wire.child import COMMANDED

_PYTHON: Final = (sys.executable, "-P", "-m")  # -P: the working directory is not searched for modules

COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "worker": (*_PYTHON, "shadowproxy.proxy"),
    "recorder": (*_PYTHON, "shadowproxy.recorder"),
    "admin": (*_PYTHON, "shadowproxy.admin"),
}

# Long bodies come and go in mappings of their own size: without this the heap keeps what it once needed. But uvloop
# reads up to 256,000 bytes into a fresh object, and where each read was mapped and given back at once, its page faults
# cost 0.5 s of CPU a GB, more than all else: reads stay within the heap, and so much of its end stays with the process.
# (tests/supervisor/test_launch.py)
_ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 10),
    "MALLOC_TRIM_THRESHOLD_": str(2 << 20),
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a child must not cost production: CPU priority, who is killed first when memory ends, address space."""

    nice: int
    oom_score_adj: int
    memory_bytes: int


CEILINGS: Final[Mapping[str, Ceiling]] = {
    "recorder": Ceiling(nice=12, oom_score_adj=500, memory_bytes=4 << 30),
    "admin": Ceiling(nice=10, oom_score_adj=700, memory_bytes=2 << 30),
}


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts processes of each role; the command lines are replaceable."""

    commands: Mapping[str, Sequence[str]] = field(default_factory=lambda: COMMANDS)

    def start(self, role: str, arguments: Sequence[str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
        """Raises OSError when the system refuses. Stray prints of a child go to stderr: stdout is for results.

        The signals that only we act on are blocked meanwhile and so arrive blocked in the child, which ignores them
        before it unblocks them (`wire.child.ignore_signals`): a Ctrl-C cannot hit a child that is not yet deaf to it.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, COMMANDED)
        try:
            process = subprocess.Popen(
                [*self.commands[role], *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__ or subprocess.DEVNULL,
                pass_fds=fds,
                env=environment(),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _restrain(process.pid, CEILINGS.get(role))
        return process


def environment() -> dict[str, str]:
    """Ours, with a module path that finds this package and never the working directory by accident."""
    env = {**os.environ, **_ALLOCATOR}
    # An empty entry (as in `PYTHONPATH=:/x`) means the working directory.
    path = [entry for entry in env.get("PYTHONPATH", "").split(os.pathsep) if entry]
    root = str(Path(shadowproxy.__file__).parent.parent)
    # sys.path[0] is the directory of the script, or the working directory, which children do not have.
    known = sys.path if sys.flags.safe_path else sys.path[1:]
    if root not in known and root not in path:
        path.append(root)
    if path:
        env["PYTHONPATH"] = os.pathsep.join(path)
    else:
        env.pop("PYTHONPATH", None)
    return env


def _restrain(pid: int, ceiling: Ceiling | None) -> None:
    """Best effort: a system that refuses loses a safeguard, not the child."""
    if ceiling is None:
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, ceiling.nice)
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(ceiling.oom_score_adj))
    with suppress(OSError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_AS, (ceiling.memory_bytes, ceiling.memory_bytes))
