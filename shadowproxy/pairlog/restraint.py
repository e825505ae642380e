"""What a process must not cost production: CPU priority, who is killed first when memory ends, address space.

Priority alone does not keep a worker from waiting: where both share a core, the kernel lets whoever runs finish a turn,
of 1 to 3 ms, before it looks at who woke. Since Linux 6.12 a process may ask for turns of its own length (`man 2
sched_setattr`, `sched_runtime`), and who wants short ones goes before who wants long ones: ours are long.

A system that refuses loses a safeguard, not the log.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

TURN_NS: Final = 20_000_000  # the kernel takes 0.1 to 100 ms
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
# size, policy (0: as everybody's), flags, nice, priority, runtime, deadline, period
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")


class Restraint(NamedTuple):
    nice: int
    oom_score_adj: int
    memory_bytes: int | None  # address space: a quarter of it is Python's and its libraries'; None: as much as it likes


def restrain(restraint: Restraint) -> None:
    """Hold this process within it, or within what it is held within already."""
    nice = max(restraint.nice, os.getpriority(os.PRIO_PROCESS, 0))
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    _take_long_turns(nice)
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < restraint.oom_score_adj:
            score.write_text(str(restraint.oom_score_adj))
    if restraint.memory_bytes is not None:
        _hold_address_space(restraint.memory_bytes)


def _hold_address_space(memory_bytes: int) -> None:
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        if soft == resource.RLIM_INFINITY or soft > ceiling:
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))


def _take_long_turns(nice: int) -> None:
    """Older kernels and other processors know nothing of it, and a policy that somebody else chose stays."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, TURN_NS, 0, 0)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).syscall(number, 0, wanted, 0)
