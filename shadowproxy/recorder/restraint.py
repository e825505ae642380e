"""What the recorder must not cost production: CPU priority, who is killed first when memory ends, address space.

The supervisor asks the same of the children that it starts; this holds for a recorder that was started otherwise, too.
A system that refuses loses a safeguard, not the log.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

NICE: Final = 10
OOM_SCORE_ADJ: Final = 500
MEMORY_BYTES: Final = 4 << 30  # address space: a quarter of it is Python's and its libraries'


def restrain() -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < OOM_SCORE_ADJ:
            score.write_text(str(OOM_SCORE_ADJ))
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
        if soft == resource.RLIM_INFINITY or soft > ceiling:
            resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
