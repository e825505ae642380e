"""Published values of rank correlation and rank-biased overlap."""

from __future__ import annotations

import string
from math import isclose, log

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


def at_least(a: str, b: str, p: float) -> float:
    """RBO_min of Webber, Moffat and Zobel, (11): what the common depth proves, whatever follows below it."""
    depth = min(len(a), len(b))
    common = [len(set(a[:d]) & set(b[:d])) for d in range(1, depth + 1)]
    seen = sum((x - common[-1]) / d * p**d for d, x in enumerate(common, 1))
    return (1 - p) / p * (seen - common[-1] * log(1 - p))


@pytest.mark.parametrize(("a", "b"), [("abcdefg", "abcdefg"), ("abcdefgh", "abcdefg")])
def test_the_extrapolation_lies_above_what_the_lists_prove(a: str, b: str) -> None:
    assert at_least(a, b, 0.9) == pytest.approx(0.767, abs=5e-4)  # as the same implementations print it
    for one, other, p, _ in RBO[:6]:
        assert at_least(one, other, p) <= rank_biased_overlap(one, other, p) + 1e-12


@pytest.mark.parametrize(("p", "depth"), [(0.9, 10), (0.98, 50)])
def test_p_says_how_deep_it_looks(p: float, depth: int) -> None:
    """About 86 % of the weight lies on the first ten places, or fifty: it is what is lost where only they differ."""
    tail = [f"common {place}" for place in range(2000)]
    one, other = ([f"{side} {place}" for place in range(depth)] + tail for side in "ab")
    assert 1 - rank_biased_overlap(one, other, p) == pytest.approx(0.86, abs=0.01)


def test_kendalls_tau_with_ties() -> None:
    x, y = [12, 2, 1, 12, 2], [1, 4, 7, 1, 0]
    assert kendall_tau_b(x, y) == pytest.approx(-0.471404521, abs=5e-10)
    found = stats.kendalltau(x, y)  # whose p-value belongs to the same tau
    assert (found.statistic, found.pvalue) == (pytest.approx(kendall_tau_b(x, y)), pytest.approx(0.282745, abs=5e-7))
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
