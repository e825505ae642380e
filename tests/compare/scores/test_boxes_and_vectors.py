"""Boxes are matched by overlap; vectors by their angle."""

from __future__ import annotations

import pytest

from shadowproxy.compare.scores.boxes import Box, are_same, iou, matched
from shadowproxy.compare.scores.vectors import cosine, distance

A = Box((0, 0, 10, 10), "cat")
B = Box((20, 20, 30, 30), "dog")


def test_intersection_over_union() -> None:
    assert iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)  # 1 of 4 + 4 - 1
    assert iou((0, 0, 1, 1), (1, 0, 2, 1)) == 0  # they only touch
    assert iou((0, 0, 0, 0), (0, 0, 1, 0)) == 0  # no area
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 1  # but the same place


def test_boxes_match_whatever_their_order() -> None:
    assert are_same([A, B], [B, A])
    assert [(m.production, m.other, m.iou) for m in matched([A, B], [B, A])] == [(0, 1, 1.0), (1, 0, 1.0)]


def test_the_best_matches_together_win_over_the_best_single_one() -> None:
    # Greedy matching would give the first box its best and leave the second without one.
    x = [Box((0, 0, 10, 10), 1), Box((0, 0, 10, 7), 1)]
    y = [Box((0, 0, 10, 8), 1), Box((0, 0, 10, 14), 1)]
    assert {(m.production, m.other) for m in matched(x, y)} == {(0, 1), (1, 0)}


@pytest.mark.parametrize(
    "other",
    [
        [],
        [A],
        [A, B._replace(label="cat")],  # another class
        [A, Box((25, 20, 35, 30), "dog")],  # IoU 50 / 150
        [A, B, B],
    ],
)
def test_other_boxes_are_not_the_same(other: list[Box]) -> None:
    assert not are_same([A, B], other)


def test_no_boxes_are_the_same_as_none() -> None:
    assert are_same([], [])


def test_the_cosine_of_vectors() -> None:
    assert cosine([1, 0], [0, 1]) == 0
    assert cosine([1, 2], [2, 4]) == pytest.approx(1)
    assert cosine([1, 0], [-1, 0]) == -1
    assert cosine([0, 0], [1, 0]) is None  # no direction
    assert cosine([float("nan"), 0], [1, 0]) is None
    assert distance([0, 0], [3, 4]) == 5
