"""Series as processes name them, `name{label="value",…}` (`wire.messages.Stats`), taken apart and added up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

Labels = tuple[tuple[str, str], ...]

_SERIES: Final = re.compile(r'([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})?')
_LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")


@lru_cache(maxsize=4096)
def parse(series: str) -> tuple[str, Labels] | None:
    """(name, labels), None for what is no series."""
    match = _SERIES.fullmatch(series)
    if match is None:
        return None
    pairs = _LABEL.findall(match[2] or "")
    return match[1], tuple((label, _ESCAPE.sub(_unescaped, value)) for label, value in pairs)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def by_label(series: Mapping[str, float], name: str, label: str) -> dict[str, float]:
    """The values of `name` added up by one label."""
    sums: dict[str, float] = {}
    for key, value in series.items():
        parsed = parse(key)
        if parsed is not None and parsed[0] == name:
            which = dict(parsed[1]).get(label, "")
            sums[which] = sums.get(which, 0.0) + value
    return sums


# Everything else adds up over processes: connections, bytes, copies in flight.
_WORST: Final = frozenset({"loop_lag_seconds", "gc_pause_seconds", "cpu_throttled_ratio"})


def merge_gauges(gauges: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """One value a series over all living processes: the sum, or the worst where a sum means nothing."""
    merged: dict[str, float] = {}
    for one in gauges:
        for key, value in one.items():
            parsed = parse(key)
            if key not in merged:
                merged[key] = value
            elif parsed is not None and parsed[0] in _WORST:
                merged[key] = max(merged[key], value)
            else:
                merged[key] += value
    return merged
