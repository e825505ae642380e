"""Room for descriptors, taken before the process has threads.

The kernel doubles a process's table of descriptors when a descriptor no longer fits. With threads it first waits until
nobody can be reading the old table (`expand_fdtable` in Linux' fs/file.c: synchronize_rcu), and whoever opened the
descriptor waits with it: 10 to 20 ms, in which the one thread of a loop serves nobody. A process of one thread does
not wait, and a table never shrinks.
"""

from __future__ import annotations

import fcntl
import os
import resource
from contextlib import suppress
from typing import Final

MOST: Final = 1 << 16  # descriptors: a table of 512 KiB in the kernel


def make_room() -> None:
    """For as many as the process may open, `MOST` at most; a system that refuses leaves all as it is."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = (MOST if limit == resource.RLIM_INFINITY else min(limit, MOST)) - 1
    with suppress(OSError):
        fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, last))
        finally:
            os.close(fd)
