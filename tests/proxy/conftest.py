from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.world import Clock, Make, World, configuration, stopped


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    with stopped(monkeypatch) as clock:
        yield clock


@pytest.fixture
def make(clock: Clock) -> Make:
    """`make(configuration(…))`: a world; without arguments, one without candidates."""
    return lambda snapshot=None: World(snapshot or configuration(), clock)
