"""The boxes in an answer, whatever shape a detector gives them.

A box is an object with `box`, `bbox` or `bounding_box` (four numbers: two opposite corners; or an object with `xmin
ymin xmax ymax`, `left top right bottom` or `x y width height`) and a class in `label`, `class`, `class_name`, `name`,
`category` or `category_id`; or an object whose one member with four numbers is named by the class (TorchServe); or an
array of four corners' numbers, a score and a class.
"""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.compare.distribution import NUMBERS
from shadowproxy.compare.scores.boxes import Box, Corners

_BOX: Final = ("box", "bbox", "bounding_box")
_LABEL: Final = ("label", "class", "class_name", "name", "category", "category_id", "class_id")
_CORNERS: Final = (("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"))
_EXTENT: Final = ("x", "y", "width", "height")


def boxes(item: Any) -> list[Box] | None:
    """The boxes of one picture; None where something in it is no box. An empty list holds none."""
    if isinstance(item, dict):
        item = [item]
    if not isinstance(item, list):
        return None
    found = [_box(element) for element in item]
    return None if None in found else [box for box in found if box is not None]


def _box(element: Any) -> Box | None:
    if isinstance(element, list):
        corners = _corners(element[:4])
        label = element[5] if len(element) > 5 else None
        return Box(corners, label) if corners is not None and len(element) <= 6 else None
    if not isinstance(element, dict):
        return None
    label = next((element[name] for name in _LABEL if name in element), None)
    for name in _BOX:
        if name in element:
            corners = _corners(element[name])
            return Box(corners, label) if corners is not None else None
    named = [(name, corners) for name, value in element.items() if (corners := _corners(value)) is not None]
    return Box(named[0][1], named[0][0]) if len(named) == 1 else None


def _corners(value: Any) -> Corners | None:
    if isinstance(value, dict):
        for names in _CORNERS:
            if all(name in value for name in names):
                return _corners([value[name] for name in names])
        if all(name in value for name in _EXTENT):
            extent = [value[name] for name in _EXTENT]
            if NUMBERS.issuperset(map(type, extent)):
                x, y, width, height = extent
                return _corners([x, y, x + width, y + height])
        return None
    if not isinstance(value, list) or len(value) != 4 or not NUMBERS.issuperset(map(type, value)):
        return None
    try:
        x1, y1, x2, y2 = map(float, value)
    except OverflowError:
        return None
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
