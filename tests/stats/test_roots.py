from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.roots import crossing, descent


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


def test_a_descent_ends_at_each_root_from_a_rough_guess() -> None:
    squares = np.array([2.0, 3.0, 4.0, 1e-6])
    found = descent(lambda x: (squares - x * x, -2 * x), np.zeros(4), np.full(4, 5.0), np.array([1.4, 0.1, 4.9, 1.0]))
    assert found == pytest.approx(np.sqrt(squares), rel=1e-12)


def test_a_descent_that_would_leave_the_bracket_is_halved() -> None:
    found = descent(
        lambda x: (-np.arctan(x - 0.3), -1 / (1 + (x - 0.3) ** 2)), -np.ones(1) * 9, np.ones(1) * 9, np.full(1, 8.0)
    )
    assert found == pytest.approx([0.3], abs=1e-12)


def test_a_descent_looks_at_the_function_a_few_times() -> None:
    looked = []

    def falling(x: Floats) -> tuple[Floats, Floats]:
        looked.append(x)
        return 1 - np.exp(x), -np.exp(x)

    assert descent(falling, np.full(2, -9.0), np.full(2, 9.0), np.array([0.5, -0.5])) == pytest.approx(
        [0, 0], abs=1e-12
    )
    assert len(looked) <= 6
