"""A route's configuration of comparison, compiled once and used for every pair.

`Rules.digest` names everything that can change a comparison's outcome: pairs with different digests were not judged
alike. A change of what the code does with the same configuration must change `_REVISION`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from shadowproxy.compare.jsonpath import Path, compile_path
from shadowproxy.compare.marks import Mark, Place, root_of
from shadowproxy.compare.prediction import KINDS, Prediction
from shadowproxy.compare.presets import AUTO, BY_NAME, NAMES, NONE, PRESETS, Preset
from shadowproxy.compare.tolerance import Tolerance

_REVISION = 1
_HEADER = "header:"


# The settings live floors above this room, so what is read of a route is said by shape.
class PredictionSettings(Protocol):
    @property
    def at(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def tolerance(self) -> float | None: ...
    @property
    def top(self) -> int | None: ...


class CompareSettings(Protocol):
    @property
    def up_to(self) -> int: ...
    @property
    def ignore(self) -> tuple[str, ...]: ...
    @property
    def absolute(self) -> float: ...
    @property
    def relative(self) -> float: ...
    @property
    def unordered(self) -> tuple[str, ...]: ...
    @property
    def headers(self) -> tuple[str, ...]: ...


class RouteSettings(Protocol):
    @property
    def protocol(self) -> str: ...
    @property
    def prediction(self) -> PredictionSettings | None: ...
    @property
    def compare(self) -> CompareSettings: ...


class Plan(msgspec.Struct, frozen=True):
    """What holds for the answers of one protocol, or of none."""

    protocol: str
    place: Place | None  # what the rules say about paths, from `$` down
    prediction: Prediction
    error: str | None = None  # a 2xx answer with this member is an error
    shape: tuple[str, ...] = ()


class Rules(msgspec.Struct, frozen=True):
    digest: str
    protocol: str  # auto, none, or the name of the preset that every answer follows
    up_to: int  # longer bodies are not read
    tolerance: Tolerance
    headers: tuple[str, ...]  # names of compared headers, lower case
    plans: Mapping[str, Plan]  # by the preset's name, "" for none


def compile_rules(route: RouteSettings) -> Rules:
    """The rules of a route; ValueError with one sentence that begins with the key at fault."""
    compare = route.compare
    if route.protocol not in NAMES:
        raise ValueError(f"protocol: expected one of {', '.join(NAMES)}, not {route.protocol!r}")
    tolerance = Tolerance(compare.absolute, compare.relative)
    marks = [
        *(Mark(_path("compare.ignore", text), ignored=True) for text in compare.ignore if not text.startswith(_HEADER)),
        *(Mark(_path("compare.unordered", text), unordered=True) for text in compare.unordered),
    ]
    ignored = {text.removeprefix(_HEADER).strip().lower() for text in compare.ignore if text.startswith(_HEADER)}
    own = _prediction(route.prediction, tolerance) if route.prediction is not None else None
    plans = {"": Plan("", root_of(marks), own or Prediction())}
    for preset in PRESETS:
        if route.protocol in (AUTO, preset.name):
            plans[preset.name] = _plan(preset, marks, own, tolerance)
    return Rules(
        digest=_digest(route),
        protocol=route.protocol,
        up_to=compare.up_to,
        tolerance=tolerance,
        headers=tuple(dict.fromkeys(name.lower() for name in compare.headers if name.lower() not in ignored)),
        plans=plans,
    )


def _plan(preset: Preset, marks: Iterable[Mark], own: Prediction | None, tolerance: Tolerance) -> Plan:
    prediction = own or Prediction(
        kind=preset.kind,
        at=compile_path(preset.at) if preset.at else None,
        tolerance=tolerance,
        reader=preset.reader,
    )
    known = (
        *(Mark(compile_path(path), ignored=True) for path in preset.ignore),
        *(Mark(compile_path(path), key=key) for path, key in preset.keyed),
        *(Mark(compile_path(path), flat=True) for path in preset.flat),
    )
    return Plan(preset.name, root_of((*marks, *known)), prediction, preset.error, preset.shape)


def _prediction(settings: PredictionSettings, tolerance: Tolerance) -> Prediction:
    if settings.kind not in KINDS:
        raise ValueError(f"prediction.is: expected one of {', '.join(KINDS)}, not {settings.kind!r}")
    key = settings.key
    # A decision lies in the whole body unless a path says where; an opaque one lies nowhere.
    at = settings.at if settings.at is not None or settings.kind == "opaque" else "$"
    return Prediction(
        kind=settings.kind,
        at=_path("prediction.at", at) if at is not None else None,
        key=_path("prediction.key", key) if key is not None and key.startswith("$") else key,
        threshold=0.5 if settings.threshold is None else settings.threshold,
        tolerance=tolerance if settings.tolerance is None else Tolerance(settings.tolerance),
        top=settings.top,
    )


def _path(key: str, text: str) -> Path:
    try:
        return compile_path(text)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _digest(route: RouteSettings) -> str:
    compare, prediction = route.compare, route.prediction
    presets: list[Any] = [msgspec.to_builtins(p) for p in PRESETS] if route.protocol == AUTO else []
    if route.protocol not in (AUTO, NONE):
        presets = [msgspec.to_builtins(BY_NAME[route.protocol])]
    content = [
        _REVISION,
        [compare.up_to, sorted(compare.ignore), compare.absolute, compare.relative, sorted(compare.unordered)],
        sorted(name.lower() for name in compare.headers),
        prediction
        and [
            prediction.at,
            prediction.kind,
            prediction.key,
            prediction.threshold,
            prediction.tolerance,
            prediction.top,
        ],
        route.protocol,
        presets,
    ]
    return sha256(msgspec.json.encode(content)).hexdigest()[:12]
