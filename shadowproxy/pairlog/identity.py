"""UUIDv7 (RFC 9562 §5.7), ascending within a process: ids of one millisecond count up from a random start (§6.2).

Layout: 48 bits of ms since 1970, version 7, 12 bits, variant 10, 62 bits. The 74 free bits are one counter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

_FREE_BITS: Final = 74
_FREE: Final = (1 << _FREE_BITS) - 1
_LOW_BITS: Final = 62
_LOW: Final = (1 << _LOW_BITS) - 1
_VARIANT: Final = 2 << _LOW_BITS
_STEP_BYTES: Final = 4  # the next id is so far ahead that it cannot be guessed from the last
_POOL: Final = 4096  # random bytes drawn at once: a system call for each id would cost more than the id


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ids:
    """`next()` gives ids in the order of their text. A clock that steps back does not: the last time is kept."""

    __slots__ = ("_at", "_clock", "_free", "_ms", "_pool", "_random", "_start")

    def __init__(self, clock: Callable[[], int] = now_ms, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._ms = -1
        self._start = ""  # what the ids of one ms have in common
        self._free = 0
        self._pool = b""
        self._at = 0

    def next(self) -> str:
        now = self._clock()
        if now > self._ms:
            self._begin(now)
        else:
            # `_draw`, written out: most ids are made here.
            at, pool = self._at, self._pool
            step = pool[at : at + _STEP_BYTES]
            if len(step) < _STEP_BYTES:
                step = self._draw(_STEP_BYTES)
            else:
                self._at = at + _STEP_BYTES
            self._free += 1 + int.from_bytes(step)
            if self._free > _FREE:
                self._begin(self._ms + 1)
        free = self._free
        low = f"{_VARIANT | free & _LOW:x}"  # 16 digits, as the first bit is set
        return f"{self._start}{free >> _LOW_BITS:03x}-{low[:4]}-{low[4:]}"

    def _begin(self, ms: int) -> None:
        self._ms = ms
        self._start = f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7"
        # The top bit is left clear, so that there is room to count up.
        self._free = int.from_bytes(self._draw(10)) & (_FREE >> 1)

    def _draw(self, size: int) -> bytes:
        if self._at + size > len(self._pool):
            self._pool = self._random(_POOL)
            self._at = 0
        self._at += size
        return self._pool[self._at - size : self._at]
