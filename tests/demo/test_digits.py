"""Digits move by whole pixels, and held-out ones are never learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.demo.digits import PIXELS, SIDE, SLIPS, Digits, slipped, split, with_slips

PICTURE = np.arange(1.0, PIXELS + 1).reshape(1, PIXELS)


@pytest.mark.parametrize(
    ("slip", "blank"),
    [
        ((1, 0), np.s_[:, 0]),
        ((-1, 0), np.s_[:, -1]),
        ((0, 1), np.s_[0, :]),
        ((0, -1), np.s_[-1, :]),
    ],
)
def test_a_slip_moves_every_pixel_and_leaves_a_blank_edge(slip: tuple[int, int], blank: tuple[object, object]) -> None:
    before = PICTURE.reshape(SIDE, SIDE)
    after = slipped(PICTURE, *slip).reshape(SIDE, SIDE)
    right, down = slip
    expected = np.roll(before, (down, right), axis=(0, 1))
    expected[blank] = 0
    assert after.tolist() == expected.tolist()


def test_no_slip_changes_nothing() -> None:
    assert slipped(PICTURE, 0, 0).tolist() == PICTURE.tolist()


def test_each_digit_comes_once_a_slip() -> None:
    digits = with_slips(Digits(np.vstack([PICTURE, PICTURE]), np.array([3, 8])), SLIPS)
    assert len(digits) == 2 * len(SLIPS)
    assert digits.labels.tolist() == [3, 8] * len(SLIPS)
    assert digits.pixels[3].tolist() == slipped(PICTURE, *SLIPS[1])[0].tolist()


def test_the_split_is_seeded_and_has_no_digit_twice() -> None:
    known, held_out = split(7)
    again, _ = split(7)
    other, _ = split(8)
    assert len(known) + len(held_out) == 1797
    assert np.array_equal(known.pixels, again.pixels)
    assert not np.array_equal(known.pixels, other.pixels)
    assert set(held_out.labels.tolist()) == set(range(10))
