from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats.roots import crossing


def test_each_bracket_gets_its_own_root() -> None:
    squares = np.array([2.0, 3.0, 4.0, 1e-6])
    found = crossing(lambda x: x * x - squares, np.zeros(4), np.full(4, 5.0))
    assert found == pytest.approx(np.sqrt(squares), abs=1e-11)


@pytest.mark.parametrize("power", [1, 3, 9, 21])
def test_a_flat_root_is_found_as_well(power: int) -> None:
    found = crossing(lambda x: (x - 0.3) ** power, np.array([-1.0]), np.array([2.0]))
    assert found == pytest.approx([0.3], abs=1e-9 if power == 1 else 1e-2)


def test_a_cliff_does_not_throw_it_out_of_the_bracket() -> None:
    found = crossing(lambda x: np.expm1(200 * (x - 0.7)), np.array([-3.0]), np.array([3.0]))
    assert found == pytest.approx([0.7], abs=1e-11)


def test_without_a_change_of_sign_there_is_no_root() -> None:
    found = crossing(lambda x: x * x - np.array([1.0, -1.0]), np.zeros(2), np.full(2, 5.0))
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])
