"""The digits that ship with scikit-learn: which are learnt from, which are asked about, and how those are shifted.

A digit is a row of 64 pixels, 8 × 8, each 0…16. Traffic is made of held-out digits moved by one pixel to the left,
right, top or bottom, as if the scanner had slipped: what leaves the picture is lost, what enters is blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]
Labels = NDArray[np.int64]

SIDE: Final = 8
PIXELS: Final = SIDE * SIDE
CLASSES: Final = 10
SLIPS: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))  # (columns to the right, rows down)

_HELD_OUT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Digits:
    """Rows of pixels with the digit that each one is."""

    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


def split(seed: int) -> tuple[Digits, Digits]:
    """(learnt from, held out): 70 % and 30 %, each with its share of every digit. Needs scikit-learn."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    parts: list[Any] = train_test_split(pixels, labels, test_size=_HELD_OUT, random_state=seed, stratify=labels)
    return Digits(parts[0], parts[2]), Digits(parts[1], parts[3])


def slipped(pixels: Pixels, right: int, down: int) -> Pixels:
    """The rows moved by whole pixels, blank where nothing comes from."""
    pictures = pixels.reshape(-1, SIDE, SIDE)
    moved = np.zeros_like(pictures)
    moved[:, _to(down), _to(right)] = pictures[:, _to(-down), _to(-right)]
    return moved.reshape(-1, PIXELS)


def with_slips(digits: Digits, slips: tuple[tuple[int, int], ...]) -> Digits:
    """Every digit once for each of `slips`, in their order."""
    pixels = np.vstack([slipped(digits.pixels, right, down) for right, down in slips])
    return Digits(pixels, np.tile(digits.labels, len(slips)))


def _to(by: int) -> slice:
    return slice(max(by, 0), SIDE + min(by, 0))
