"""What other packages bring along: entry points, found once when a process starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final

from shadowproxy.compare.own import OwnScore

SCORES: Final = "shadowproxy.scores"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def own_scores(refuse: Callable[[str, str], None]) -> tuple[OwnScore, ...]:
    """The installed scores by name; `refuse(name, why)` hears of those that cannot be used."""
    found: dict[str, OwnScore] = {}
    for point in sorted(entry_points(group=SCORES), key=lambda point: (point.name, point.value)):
        if not _NAME.fullmatch(point.name):
            refuse(point.name, "expected a name of lower-case letters, digits and _")
        elif point.name in found:
            refuse(point.name, f"{found[point.name].origin} has this name already, {point.value} is left out")
        else:
            try:
                call = point.load()
            except Exception as error:  # noqa: BLE001 - the root of somebody else's import
                refuse(point.name, f"{point.value} cannot be imported: {type(error).__name__}: {error}")
                continue
            if not callable(call):
                refuse(point.name, f"{point.value} is no function")
                continue
            found[point.name] = OwnScore(point.name, point.value, call)
    return tuple(found.values())
