"""One pair as one line: when, where, whether it differs, how each side answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from shadowproxy.report.words import NOTHING, milliseconds, plain

_STYLES: Final = {"same": "", "different": "yellow", "incomparable": "red"}


def departs(pair: Mapping[str, Any]) -> bool:
    """Whether there is something to look at: other than the same."""
    return _mapping(pair.get("comparison")).get("result") != "same"


def line(pair: Mapping[str, Any]) -> tuple[str, str]:
    """(style, text)."""
    comparison = _mapping(pair.get("comparison"))
    result = str(comparison.get("result"))
    decides = ", decides differently" if comparison.get("agrees") is False else ""
    said = plain(comparison.get("reason")) if result == "incomparable" else plain(result) + decides
    sides = " → ".join(_side(_mapping(pair.get(role))) for role in ("production", "shadow"))
    time = plain(pair.get("ts") or NOTHING)[11:23]
    where = f"{plain(pair.get('route') or NOTHING, 20)}  {plain(pair.get('candidate'), 20)}"
    return _STYLES.get(
        result, ""
    ), f"{time}  {where}  {said}  {sides}{_predictions(comparison)}  {plain(pair['pair_id'])}"


def _side(exchange: Mapping[str, Any]) -> str:
    status = exchange.get("status")
    what = plain(exchange.get("outcome") or NOTHING) if status is None else plain(status)
    timing = _mapping(exchange.get("timing_ms"))
    total, sent = timing.get("total"), timing.get("sent")
    if not isinstance(total, (int, float)) or not isinstance(sent, (int, float)) or not math.isfinite(total):
        return what
    return f"{what} {milliseconds(max(0.0, total - sent - (timing.get('stalled') or 0.0)))}"


def _predictions(comparison: Mapping[str, Any]) -> str:
    old, new = comparison.get("production_prediction"), comparison.get("shadow_prediction")
    return "" if old is None or new is None or old == new else f"  {plain(old, 24)} → {plain(new, 24)}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
