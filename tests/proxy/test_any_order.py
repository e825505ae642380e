from __future__ import annotations

import pytest

from tests.proxy.anyorder import Play
from tests.proxy.world import Clock, stopped


@pytest.mark.parametrize("seed", range(120))
async def test_whatever_the_order_a_client_gets_production_s_answers(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    assert await Play(seed, clock, monkeypatch, faulty=False).run() > 0


@pytest.mark.parametrize("seed", range(120))
async def test_whatever_breaks_nobody_gets_anybody_else_s_bytes(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    assert await Play(seed, clock, monkeypatch, faulty=True).run() > 0


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("faulty", [False, True])
async def test_ten_thousand_orders(faulty: bool) -> None:
    for seed in range(1000, 11_000):
        with pytest.MonkeyPatch.context() as patch, stopped(patch) as clock:
            try:
                assert await Play(seed, clock, patch, faulty=faulty).run() > 0
            except BaseException as e:
                e.add_note(f"seed {seed}")
                raise
