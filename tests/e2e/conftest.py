"""A test run that is told to end takes its proxies along."""

from __future__ import annotations

import signal

import pytest


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(f"signal {number}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """SIGTERM as Ctrl-C: by default it ends Python at once, and the processes of the test at hand would live on."""
    signal.signal(signal.SIGTERM, _interrupt)
