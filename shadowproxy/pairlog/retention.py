"""What is deleted: segments that are too old, and the oldest while the log is too large.

Bodies are most of a log and no figure needs them, so they go first: when they are older than their own age, and, where
the log is too large, before any pair. The ledger goes by age alone: it is small, and without it nobody can say what the
pairs that are left are a part of.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from shadowproxy.pairlog.names import BODIES, KINDS, LEDGER, PAIRS, Segment, segments
from shadowproxy.pairlog.segment import is_open

_DELETED_FIRST: Final = (BODIES, PAIRS, LEDGER)


class Limits(NamedTuple):
    age_s: float
    size_bytes: int
    bodies_s: float = math.inf  # of bodies in files of their own


def size_of(folder: Path) -> int:
    """Bytes in all segments."""
    return sum(segment.size_bytes for kind in (*KINDS, BODIES) for segment in segments(folder, kind))


def prune(folder: Path, limits: Limits, now_s: float, delete: Callable[[Path], None] = os.unlink) -> list[Segment]:
    """Delete what `limits` do not allow, oldest first, and say what it was."""
    gone = []
    for segment in _too_much(folder, limits, now_s):
        with contextlib.suppress(FileNotFoundError):
            delete(segment.path)
        gone.append(segment)
    return gone


def _too_much(folder: Path, limits: Limits, now_s: float) -> Iterator[Segment]:
    found = [segment for kind in _DELETED_FIRST for segment in segments(folder, kind)]
    size = sum(segment.size_bytes for segment in found)
    ages = {BODIES: min(limits.bodies_s, limits.age_s), PAIRS: limits.age_s, LEDGER: limits.age_s}
    for segment in found:
        is_old = now_s - segment.modified_s > ages[segment.name.kind]
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
