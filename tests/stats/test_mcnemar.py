from __future__ import annotations

from shadowproxy.stats.mcnemar import METHOD, exact_p


def test_the_exact_test_counts_the_discordant_pairs() -> None:
    assert exact_p(1, 7) == exact_p(7, 1) == 2 * (1 + 8) / 2**8
    assert (exact_p(5, 5), exact_p(0, 0)) == (1, 1)


def test_it_is_named_a_test_for_one_look() -> None:
    assert "one look" in METHOD
