"""Waiting for a condition with a deadline: the only way in which these tests wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LEAST_S = 60.0  # whoever succeeds waits no longer for it, and no machine is too busy

_pause = threading.Event()  # never set: its `wait` is the step between two looks


def until(condition: Callable[[], T], within_s: float = 5.0, what: str = "the condition", step_s: float = 0.002) -> T:
    """Look again and again until `condition()` is truthy, and return it; AssertionError at the deadline.

    `within_s` is what an idle machine needs at the most; one that does much else is given `LEAST_S`. That something
    comes soon is shown by a clock, never by this deadline.
    """
    within_s = max(within_s, LEAST_S)
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {within_s} s"
        _pause.wait(step_s)


def settles(
    figure: Callable[[], int], quiet_s: float = 0.4, within_s: float = LEAST_S, what: str = "the figure"
) -> int:
    """Wait until `figure()` has not moved for `quiet_s`, and return it: how one sees that a stream has stalled."""
    deadline = time.monotonic() + within_s
    last, since = figure(), time.monotonic()
    while time.monotonic() - since < quiet_s:
        assert time.monotonic() < deadline, f"{what} still moves after {within_s} s"
        _pause.wait(0.01)
        now = figure()
        if now != last:
            last, since = now, time.monotonic()
    return last
