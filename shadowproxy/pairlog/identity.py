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
_STEP_BITS: Final = 32  # the next id is so far ahead that it cannot be guessed from the last
_POOL: Final = 4096  # random bytes drawn at once: a system call for each id would cost more than the id


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ids:
    """`next()` gives ids in the order of their text. A clock that steps back does not: the last time is kept."""

    __slots__ = ("_at", "_clock", "_free", "_ms", "_pool", "_random")

    def __init__(self, clock: Callable[[], int] = now_ms, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._ms = -1
        self._free = 0
        self._pool = b""
        self._at = 0

    def next(self) -> str:
        now = self._clock()
        if now > self._ms:
            self._ms = now
            # The top bit is left clear, so that there is room to count up.
            self._free = int.from_bytes(self._draw(10)) & (_FREE >> 1)
        else:
            self._free += 1 + int.from_bytes(self._draw(_STEP_BITS // 8))
            if self._free > _FREE:
                self._ms += 1
                self._free = int.from_bytes(self._draw(10)) & (_FREE >> 1)
        high = self._free >> _LOW_BITS
        bits = self._ms << 80 | 7 << 76 | high << 64 | 2 << 62 | (self._free & _LOW)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _draw(self, size: int) -> bytes:
        if self._at + size > len(self._pool):
            self._pool = self._random(_POOL)
            self._at = 0
        self._at += size
        return self._pool[self._at - size : self._at]
