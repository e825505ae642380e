from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.rate import RATE, ConnectRate

SECOND = 10**9


def rested(*names: str) -> ConnectRate:
    rate = ConnectRate(0)
    rate.divide(names)
    return rate


def taken(rate: ConnectRate, name: str, tries: int, now: int, *, tls: bool = False) -> int:
    return sum(rate.take(name, tls, now) for _ in range(tries))


def test_one_candidate_has_all_of_it() -> None:
    rate = rested("v2")
    assert taken(rate, "v2", 60, 0) == 50
    assert taken(rate, "v2", 60, SECOND // 5) == 10
    assert taken(rate, "v2", 60, 3600 * SECOND) == 50


def test_a_tls_connection_counts_five_fold() -> None:
    rate = rested("v2")
    assert taken(rate, "v2", 60, 0, tls=True) == 10
    assert taken(rate, "v2", 3, SECOND // 5, tls=True) == 2


def test_one_that_wants_them_all_leaves_the_others_theirs() -> None:
    rate = rested("bad", "good")
    assert taken(rate, "bad", 100, 0) == 37  # 25 in common and 12.5 of its own
    assert taken(rate, "good", 100, 0) == 13  # 12.5 of its own and the half that was left in common
    for second in range(1, 10):
        assert taken(rate, "bad", 100, second * SECOND) <= 38
        assert taken(rate, "good", 10, second * SECOND) == 10


def test_what_others_do_not_use_is_for_whoever_does() -> None:
    rate = rested("v2", "v3", "v4")
    assert taken(rate, "v2", 100, 0) == 33
    assert sum(taken(rate, "v2", 100, step * SECOND // 10) for step in range(1, 101)) >= 10 * 45


def test_a_candidate_that_is_added_or_taken_away_makes_none_of_it_more() -> None:
    rate = rested("v2")
    assert taken(rate, "v2", 40, 0) == 40
    rate.divide(["v2", "v3"])
    rate.divide(["v3"])
    assert taken(rate, "v3", 100, 0) == 10


def test_one_that_is_no_candidate_any_more_uses_what_is_common() -> None:
    rate = rested()
    assert taken(rate, "gone", 100, 0) == 25
    assert taken(rate, "gone", 100, SECOND) == 25


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, SECOND // 10)), max_size=200))
def test_never_more_than_the_rate_together(steps: list[tuple[str, bool, int]]) -> None:
    rate = rested(*"abc")
    now, cost = 0, 0.0
    for name, tls, later in steps:
        now += later
        cost += (5.0 if tls else 1.0) * rate.take(name, tls, now)
        assert cost <= RATE + now * RATE / SECOND + 1e-6
