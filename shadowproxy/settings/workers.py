"""`workers: auto`: how many worker processes this machine, or this container, has room for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path


def usable_workers() -> int:
    """`max(1, min(affinity, ceil(cpu quota)) - 1)`: one processor is left to the recorder and the rest."""
    return workers_for(len(os.sched_getaffinity(0)), cpu_quota())


def workers_for(affinity: int, quota: float | None) -> int:
    processors = affinity if quota is None else min(affinity, math.ceil(quota))
    return max(1, processors - 1)


def cpu_quota(membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors that the control group may use: the least of its own limit and its ancestors'; None without one."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            quotas += _along(mount, group, _quota_v2)
        elif "cpu" in controllers.split(","):
            quotas += _along(mount / "cpu", group, _quota_v1)
    return min(quotas, default=None)


def _along(root: Path, group: str, read: Callable[[Path], float | None]) -> list[float]:
    """Inside a container the group's path is often not visible; the root of the mount then is the group itself."""
    here = root / group.lstrip("/")
    found = []
    while True:
        quota = read(here)
        if quota is not None:
            found.append(quota)
        if here == root or root not in here.parents:
            return found
        here = here.parent


def _quota_v2(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1(group: Path) -> float | None:
    try:
        quota = int((group / "cpu.cfs_quota_us").read_text())
        period = int((group / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None
