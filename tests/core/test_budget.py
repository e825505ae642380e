from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.budget import Budget

LIMIT = 1000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=60))
def test_it_holds_what_was_taken_and_not_given_back_and_never_more_than_its_limit(
    steps: list[tuple[bool, int]],
) -> None:
    budget = Budget(LIMIT)
    taken: list[int] = []
    highest = 0
    for take, cost in steps:
        if take:
            fits = sum(taken) + cost <= LIMIT
            assert budget.take(cost) == fits
            taken += [cost] * fits
        elif taken:
            budget.give(taken.pop(cost % len(taken)))
        highest = max(highest, sum(taken))
        assert budget.held == sum(taken) <= LIMIT
    assert budget.highest == highest
    for cost in taken:
        budget.give(cost)
    assert budget.held == 0


def test_a_refused_taking_takes_nothing() -> None:
    budget = Budget(LIMIT)
    assert budget.take(LIMIT)
    assert not budget.take(1)
    assert budget.held == LIMIT
    assert budget.take(0)


def test_giving_back_twice_is_a_fault_that_shows() -> None:
    budget = Budget(LIMIT)
    assert budget.take(10)
    budget.give(10)
    with pytest.raises(AssertionError, match="more was given back"):
        budget.give(10)


def test_a_lower_limit_refuses_until_enough_was_given_back() -> None:
    budget = Budget(LIMIT)
    assert budget.take(800)
    budget.limit = 500
    assert not budget.take(0)
    budget.give(400)
    assert budget.take(100)
