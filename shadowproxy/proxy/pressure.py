"""Whether the container's CPU quota stops this process: the kernel then holds every thread back, production's too.

Law: of the control group that the process is in when it is made, and of its ancestors, the worst counts. Nothing is
opened after that: a look reads what is open already, a few µs for each file, once a second. Where the kernel says
nothing about quotas there is no pressure.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST: Final = 0.1  # share of the quota's periods in which the group was stopped, since the last look


class Throttling:
    def __init__(self, membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> None:
        self._files: dict[int, tuple[int, int]] = {}  # descriptor → (periods, those in which it was stopped)
        for path in _statistics(membership, mount):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                seen = _read(descriptor)
                if seen is None:
                    os.close(descriptor)
                else:
                    self._files[descriptor] = seen

    def close(self) -> None:
        for descriptor in self._files:
            os.close(descriptor)
        self._files.clear()

    def share(self) -> float:
        """Of the periods since the last look, in the group that was stopped most often; 0 where none has passed."""
        worst = 0.0
        for descriptor, (periods, stopped) in self._files.items():
            seen = _read(descriptor)
            if seen is not None:
                self._files[descriptor] = seen
                if seen[0] > periods:
                    worst = max(worst, (seen[1] - stopped) / (seen[0] - periods))
        return worst


def _statistics(membership: Path, mount: Path) -> list[Path]:
    """`cpu.stat` of the group and its ancestors, by cgroup v2 and v1, whichever is there."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            found += _along(mount, group)
        elif "cpu" in controllers.split(","):
            found += _along(mount / "cpu", group)
    return [path for path in found if path.is_file()]


def _along(root: Path, group: str) -> list[Path]:
    """Inside a container the group's path may not be visible; the root of the mount then is the group itself."""
    here = root / group.lstrip("/")
    return [folder / "cpu.stat" for folder in (here, *here.parents) if folder == root or root in folder.parents]


def _read(descriptor: int) -> tuple[int, int] | None:
    try:
        lines = os.pread(descriptor, 4096, 0).split(b"\n")
        facts = dict(line.split(b" ", 1) for line in lines if b" " in line)
        return int(facts[b"nr_periods"]), int(facts[b"nr_throttled"])
    except (OSError, ValueError, KeyError):
        return None
