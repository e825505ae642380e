"""A clock that ticks finer than an event loop's timers, which uvloop, like epoll, rounds to a millisecond.

On Linux a timerfd wakes the loop at the due time itself. Elsewhere the loop's timers are all there is, and requests may
leave up to a millisecond late; the outcome says how late they left (`late_ms`).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

FINEST_NS: Final = 100_000  # more wake-ups than 10,000 a second would be what is measured
_COARSE_S: Final = 0.001
_CLOCK_MONOTONIC: Final = 1  # as time.monotonic_ns() on Linux
_ABSOLUTE: Final = 1


class _Time(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class Ticker:
    """Calls `tick()` at `start_ns` and every `interval_ns` after it (at least FINEST_NS), until `stop`."""

    def __init__(self, start_ns: int, interval_ns: float, tick: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick = tick
        self._timer: asyncio.TimerHandle | None = None
        self._fd = _timer(start_ns, max(FINEST_NS, round(interval_ns)))
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._expired)
        else:
            self._coarse()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _expired(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._tick()

    def _coarse(self) -> None:
        self._timer = self._loop.call_later(_COARSE_S, self._coarse)
        self._tick()


def _timer(start_ns: int, interval_ns: int) -> int:
    """A timerfd, or -1 where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timerfd_create"):
        return -1
    fd = int(libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        return -1
    # A start of 0 would switch the timer off.
    setting = _Setting(_Time(*divmod(interval_ns, 10**9)), _Time(*divmod(max(1, start_ns), 10**9)))
    if libc.timerfd_settime(fd, _ABSOLUTE, ctypes.byref(setting), None) < 0:
        os.close(fd)
        return -1
    return fd
