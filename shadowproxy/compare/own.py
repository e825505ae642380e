"""Scores that users bring along: a function of a pair's decisions that gives numbers for `comparison.metrics`.

A function is called once for each comparable pair. It gives a number, which becomes the metric of the score's name;
or a mapping, each of whose numbers becomes `NAME_KEY`; or None, where it has nothing to say. What is no finite number
is left out. One that raises gives `NAME_failed` = 1 and harms nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec

from shadowproxy.compare.decision import TEXT, Decision


class ScoredPair(msgspec.Struct, frozen=True):
    """What a score sees. Values are those of JSON; `twin` pairs are shown alike, the twin as `other`."""

    protocol: str  # the preset that production's answer followed, "" for none
    kind: str  # of the prediction
    production: tuple[Any, ...]  # the items of production's decision: labels, rows of probabilities, texts …
    other: tuple[Any, ...]
    production_answer: Any  # the whole answer
    other_answer: Any


Score = Callable[[ScoredPair], float | Mapping[str, float] | None]


class OwnScore(msgspec.Struct, frozen=True):
    name: str
    origin: str  # where the function is, as the package states it
    call: Score


def scored(scores: Iterable[OwnScore], pair: ScoredPair) -> dict[str, float]:
    """The metrics of all scores. Never raises what a score raises."""
    metrics: dict[str, float] = {}
    for score in scores:
        try:
            given = score.call(pair)
            named = given if isinstance(given, Mapping) else {"": given}
            found = {
                f"{score.name}_{key}" if key else score.name: float(value)
                for key, value in named.items()
                if value is not None
            }
        except Exception:  # noqa: BLE001 - the root of somebody else's code: it must not cost the pair
            metrics[f"{score.name}_failed"] = 1.0
        else:
            metrics.update((name, value) for name, value in found.items() if isfinite(value))
    return metrics


def items_of(decision: Decision) -> tuple[Any, ...]:
    """The items as a score sees them: of generated answers the text."""
    return tuple(item.content for item in decision.raw) if decision.kind == TEXT else decision.raw
