"""Detections: which boxes of two answers are the same object.

Boxes are matched one to one so that the sum of their IoU (intersection over union) is greatest, then those below
`LEAST_IOU` are let go: the Hungarian method, by `scipy.optimize.linear_sum_assignment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

LEAST_IOU: Final = 0.5
MOST_BOXES: Final = 500  # of each side: matching takes cubic time

Corners = tuple[float, float, float, float]  # x1, y1, x2, y2


class Box(NamedTuple):
    corners: Corners
    label: Any


class Match(NamedTuple):
    production: int  # positions in the two lists
    other: int
    iou: float


def iou(a: Corners, b: Corners) -> float:
    """Of two boxes given by opposite corners: 1 where they are equal, 0 where they do not overlap or have no area."""
    if a == b:
        return 1.0
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def matched(a: Sequence[Box], b: Sequence[Box]) -> list[Match]:
    """Pairs of boxes with IoU ≥ 0.5, whatever their classes; of longer lists the first 500."""
    table = [[iou(x.corners, y.corners) for y in b[:MOST_BOXES]] for x in a[:MOST_BOXES]]
    if not table or not table[0]:
        return []
    if len(table) == 1 or len(table[0]) == 1:  # one box on a side: the greatest is the match, without scipy
        best = max(
            (Match(i, j, value) for i, row in enumerate(table) for j, value in enumerate(row)), key=lambda m: m.iou
        )
        return [best] if best.iou >= LEAST_IOU else []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    pairs = (Match(int(i), int(j), table[i][j]) for i, j in zip(rows, columns, strict=True))
    return [match for match in pairs if match.iou >= LEAST_IOU]


def are_same(a: Sequence[Box], b: Sequence[Box]) -> bool:
    """Every box has its match, of the same class."""
    if len(a) != len(b):
        return False
    matches = matched(a, b)
    return len(matches) == len(a) and all(a[m.production].label == b[m.other].label for m in matches)
