"""The circuit breaker of one candidate: after many failures, nothing is sent for a while, then one probe.

    state      a copy may leave        then
    closed     always                  `failures` failures within `window` s → open
    open       never                   after `probe` s → half-open
    half-open  one, the probe          it succeeds → closed; it fails → open

A failure is a connect error, a timeout or a reset; anything that answers is no failure.
"""

from __future__ import annotations

from collections import deque

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


class Breaker:
    """Times are seconds of any monotonic clock, given by the caller."""

    __slots__ = ("_failed_at", "_failures", "_probe_s", "_probing", "_retry_at", "_window_s", "closed_at", "state")

    def __init__(self, failures: int, window_s: float, probe_s: float) -> None:
        self._failures = failures
        self._window_s = window_s
        self._probe_s = probe_s
        self._failed_at: deque[float] = deque(maxlen=max(1, failures))
        self._retry_at = 0.0
        self._probing = False
        self.state = CLOSED
        self.closed_at = 0.0  # when it last went from open to closed

    def allows(self, now: float) -> bool:
        """Whether a copy may leave; a half-open breaker lends its one probe to whoever asks first."""
        if self.state == CLOSED:
            return True
        if self.state == OPEN and now >= self._retry_at:
            self.state = HALF_OPEN
            self._probing = False
        if self.state == HALF_OPEN and not self._probing:
            self._probing = True
            return True
        return False

    def succeeded(self, now: float) -> None:
        if self.state == HALF_OPEN:
            self.state = CLOSED
            self.closed_at = now
            self._failed_at.clear()

    def failed(self, now: float) -> None:
        if self.state == HALF_OPEN:
            self._open(now)
            return
        self._failed_at.append(now)
        full = len(self._failed_at) == self._failed_at.maxlen
        if self.state == CLOSED and full and now - self._failed_at[0] <= self._window_s:
            self._open(now)

    def unused(self) -> None:
        """The probe that `allows` lent was not sent after all."""
        self._probing = False

    def _open(self, now: float) -> None:
        self.state = OPEN
        self._retry_at = now + self._probe_s
        self._failed_at.clear()
