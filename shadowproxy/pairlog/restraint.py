"""What a process must not cost production: CPU priority, who is killed first when memory ends, address space.

A system that refuses loses a safeguard, not the log.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Restraint(NamedTuple):
    nice: int
    oom_score_adj: int
    memory_bytes: int  # address space: a quarter of it is Python's and its libraries'


def restrain(restraint: Restraint) -> None:
    """Hold this process within it, or within what it is held within already."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(restraint.nice, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < restraint.oom_score_adj:
            score.write_text(str(restraint.oom_score_adj))
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = restraint.memory_bytes if hard == resource.RLIM_INFINITY else min(restraint.memory_bytes, hard)
        if soft == resource.RLIM_INFINITY or soft > ceiling:
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
