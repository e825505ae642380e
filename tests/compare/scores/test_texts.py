"""Published values of text similarity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.scores.texts import chrf, divergence, edit_similarity, normalised, rouge_l, tokens


def test_kitten_and_sitting() -> None:
    assert edit_similarity("kitten", "sitting") == pytest.approx(1 - 0.428571, abs=5e-7)  # three edits of seven
    assert rouge_l(list("kitten"), list("sitting")) == pytest.approx(0.615385, abs=5e-7)  # 2 * 4 / (6 + 7)


def test_chrf_is_what_sacrebleu_prints() -> None:
    assert chrf("The cat sat on the mat.", "The cat is on the mat.") == pytest.approx(67.17273, abs=5e-6)
    assert chrf("", "") == 100
    assert chrf("a", "") == 0
    assert chrf("abc", "xyz") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_chrf_lies_between_nothing_and_everything(a: str, b: str) -> None:
    assert 0 <= chrf(a, b) <= 100 + 1e-9
    assert chrf(a, a) == pytest.approx(100)


def test_texts_are_normalised_in_space_and_composition() -> None:
    assert normalised("  cafe\u0301\n\tau  lait ") == "café au lait"


def test_tokens_are_words_and_marks() -> None:
    assert tokens("It's 3.5 €!") == ["It", "'", "s", "3", ".", "5", "€", "!"]


PARTING = [("abc", "abc", None), ("abc", "abd", 2), ("ab", "abc", 2), ("", "a", 0), ("", "", None)]


@pytest.mark.parametrize(("a", "b", "at"), PARTING)
def test_where_two_sequences_part(a: str, b: str, at: int | None) -> None:
    assert divergence(a, b) == at
