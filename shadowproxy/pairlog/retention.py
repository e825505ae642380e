"""What is deleted: closed segments that are too old, and the oldest while the log is too large.

The ledger goes by age alone: it is small, and without it nobody can say what the pairs that are left are a part of.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from shadowproxy.pairlog.names import KINDS, LEDGER, PAIRS, Segment, segments
from shadowproxy.pairlog.segment import is_open


class Limits(NamedTuple):
    age_s: float
    size_bytes: int


def size_of(folder: Path) -> int:
    """Bytes in all segments."""
    return sum(segment.size_bytes for kind in KINDS for segment in segments(folder, kind))


def prune(folder: Path, limits: Limits, now_s: float, delete: Callable[[Path], None] = os.unlink) -> list[Segment]:
    """Delete what `limits` do not allow, oldest first, and say what it was."""
    gone = []
    for segment in _too_much(folder, limits, now_s):
        with contextlib.suppress(FileNotFoundError):
            delete(segment.path)
        gone.append(segment)
    return gone


def _too_much(folder: Path, limits: Limits, now_s: float) -> Iterator[Segment]:
    pairs, ledger = segments(folder, PAIRS), segments(folder, LEDGER)
    size = sum(segment.size_bytes for segment in (*pairs, *ledger))
    for segment in (*pairs, *ledger):
        is_old = now_s - segment.modified_s > limits.age_s
        if not is_old and (segment.name.kind == LEDGER or size <= limits.size_bytes):
            continue
        if not is_open(segment):
            size -= segment.size_bytes
            yield segment


def free_bytes(folder: Path) -> int:
    """What an unprivileged process may still write where `folder` is, or will be."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize
