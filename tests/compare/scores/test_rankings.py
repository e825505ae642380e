"""Published values of rank correlation and rank-biased overlap."""

from __future__ import annotations

import string
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shadowproxy.compare.scores.rankings import common_tau, kendall_tau_b, overlap, rank_biased_overlap

# Webber, Moffat and Zobel's measure as other implementations print it.
RBO = [
    ("abcdefg", "abcdefg", 0.9, 1.0),
    ("abcdefg", "bacdefg", 0.9, 0.9),
    ("abcde", "abdcf", 0.9, 0.841780),
    ("abcdefghij", "abdcefghij", 0.9, 0.973000),
    ("abc", "xyz", 0.9, 0.0),
    (string.ascii_lowercase, "kxcnarvmwyp", 0.99, 0.529392),
    ("", "", 0.9, 1.0),
    ("a", "", 0.9, 0.0),
]


@pytest.mark.parametrize(("a", "b", "p", "expected"), RBO)
def test_rank_biased_overlap_has_its_published_values(a: str, b: str, p: float, expected: float) -> None:
    assert rank_biased_overlap(a, b, p) == pytest.approx(expected, abs=5e-7)
    assert rank_biased_overlap(b, a, p) == pytest.approx(expected, abs=5e-7)


def test_kendalls_tau_with_ties() -> None:
    assert kendall_tau_b([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) == pytest.approx(-0.471404521, abs=5e-10)
    assert kendall_tau_b([1, 1], [1, 2]) is None  # a constant side has no order


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_kendalls_tau_is_scipys(pairs: list[tuple[int, int]]) -> None:
    x, y = zip(*pairs, strict=True)
    expected = stats.kendalltau(x, y).statistic
    tau = kendall_tau_b(x, y)
    assert (tau is None and expected != expected) or (tau is not None and isclose(tau, expected, abs_tol=1e-12))


def test_the_order_of_what_both_hold() -> None:
    assert common_tau("abcd", "abcd") == 1
    assert common_tau("abcd", "dcba") == -1
    assert common_tau("abcx", "yabc") == 1
    assert common_tau("ab", "bc") is None


def test_the_share_of_common_first_places() -> None:
    assert overlap("abc", "cba") == 1
    assert overlap("abc", "abd", 2) == 1
    assert overlap("abcd", "xyab") == 0.5
    assert overlap("", "") == 1
