"""How alike two texts are.

    normalised        Unicode NFC, whitespace runs as one space, none at the ends
    edit_similarity   1 − Levenshtein distance / length of the longer
    rouge_l           F1 of the longest common subsequence of tokens: 2·LCS/(m + n)
    chrf              chrF2 (Popović 2015): character n-grams up to 6, recall weighted twice; 0 … 100
    divergence        the index of the first token that differs

Tokens are words (letters, digits, underscore) and single other characters. All take time that grows faster than the
texts do, so what stands behind `MAX_CHARACTERS` is not looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

MAX_CHARACTERS: Final = 10_000
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_LONGEST_GRAM: Final = 6
_BETA: Final = 2


def normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text[:MAX_CHARACTERS])


def edit_similarity(a: str, b: str) -> float:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_similarity(a[:MAX_CHARACTERS], b[:MAX_CHARACTERS])


def rouge_l(a: Sequence[str], b: Sequence[str]) -> float:
    """Of two sequences of tokens."""
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(a, b)


def chrf(hypothesis: str, reference: str) -> float:
    """chrF2 of one text against one reference, whitespace left out. Orders that one of them is too short for do not
    count, as in sacrebleu; 0 where nothing is common, 100 for two texts without any character."""
    a, b = ("".join(text[:MAX_CHARACTERS].split()) for text in (hypothesis, reference))
    if not a and not b:
        return 100.0
    precision = recall = 0.0
    orders = 0
    for n in range(1, _LONGEST_GRAM + 1):
        ours, theirs = len(a) - n + 1, len(b) - n + 1
        if ours <= 0 or theirs <= 0:
            break
        common = (_grams(a, n) & _grams(b, n)).total()
        precision += common / ours
        recall += common / theirs
        orders += 1
    if not precision or not recall:
        return 0.0
    precision, recall = precision / orders, recall / orders
    return 100 * (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)


def _grams(text: str, n: int) -> Counter[str]:
    return Counter([text[at : at + n] for at in range(len(text) - n + 1)])


def divergence(a: Sequence[str], b: Sequence[str]) -> int | None:
    """Where two sequences part; the shorter's length where it begins the longer, None where they are equal."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return None if len(a) == len(b) else min(len(a), len(b))
