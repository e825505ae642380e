"""A route's configuration of comparison, compiled once and used for every pair.

`Rules.digest` names everything that can change a comparison's outcome: pairs with different digests were not judged
alike. A change of what the code does with the same configuration must change `_REVISION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from shadowproxy.compare.decision import KINDS, OPAQUE, Prediction
from shadowproxy.compare.jsonpath import Path, Steps, compile_path
from shadowproxy.compare.marks import Mark, Place, root_of
from shadowproxy.compare.own import OwnScore
from shadowproxy.compare.presets import AUTO, BY_NAME, NAMES, NONE, PRESETS, Preset, has, recognise
from shadowproxy.compare.tolerance import BY_DATATYPE, EXACT, Tolerance, wider

_REVISION = 2
_HEADER = "header:"
BY = " by "  # between a list's path and the member that its objects are paired by


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
    def by_datatype(self) -> bool: ...
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
    shape: tuple[Steps, ...] = ()  # an answer has one of these places; (): any answer fits
    stream: str | None = None
    vectors: Path | None = None
    is_named: bool = False  # the route says that every answer has this shape

    def fits(self, value: Any) -> bool:
        """Whether a lifted value is an answer, or an error, of this protocol."""
        if not self.shape:
            return True
        for steps in self.shape:
            if has(value, steps):
                return True
        return self.error is not None and has(value, (self.error,))


class Plans(dict[str, Plan]):
    """By the preset's name, "" for none; made when first asked for, as most routes ever see one protocol."""

    def __init__(
        self, marks: tuple[Mark, ...], own: Prediction | None, tolerance: Tolerance, route: RouteSettings
    ) -> None:
        super().__init__()
        self._marks = marks
        self._own = own
        self._tolerance = tolerance
        self._datatypes: Mapping[str, Tolerance] = BY_DATATYPE if route.compare.by_datatype else {}
        self._has_place = route.prediction is not None and route.prediction.at is not None
        self._named = route.protocol
        self._of_named: dict[str, tuple[Plan]] = {}

    def __missing__(self, name: str) -> Plan:
        preset = BY_NAME[name] if name else None
        plan = self[name] = self._of(preset) if preset is not None else self._plain()
        return plan

    def named(self, name: str) -> tuple[Plan]:
        """The plan of a protocol that an answer is known to have to follow."""
        plan = self._of_named.get(name)
        if plan is None:
            plan = self._of_named[name] = (msgspec.structs.replace(self[name], is_named=True),)
        return plan

    def _plain(self) -> Plan:
        return Plan("", root_of(self._marks), self._own or Prediction())

    def _of(self, preset: Preset) -> Plan:
        known = (
            *(Mark(compile_path(path), ignored=True) for path in preset.ignore),
            *(Mark(compile_path(path), key=key) for path, key in preset.keyed),
            *(Mark(compile_path(path), flat=True) for path in preset.flat),
            *(Mark(compile_path(path), typed=self._datatypes) for path in preset.typed),
            *(Mark(compile_path(path), rounded=self._datatypes.get(datatype)) for path, datatype in preset.rounded),
        )
        return Plan(
            preset.name,
            root_of((*self._marks, *known)),
            self._prediction(preset),
            preset.error,
            tuple(_steps(path) for path in preset.shape),
            preset.stream,
            compile_path(preset.vectors) if preset.vectors else None,
            self._named == preset.name,
        )

    def _prediction(self, preset: Preset) -> Prediction:
        """The route's own; one that only says what the decision is leaves it to the preset to say where it lies."""
        own = self._own
        if own is not None and (self._has_place or own.kind == OPAQUE or not (preset.at or preset.reader != "path")):
            return own
        tolerance = self._tolerance
        for _, datatype in preset.rounded:
            tolerance = wider(tolerance, self._datatypes.get(datatype, EXACT))
        said = own or Prediction(kind=preset.kind, tolerance=tolerance)
        return msgspec.structs.replace(
            said,
            at=tuple(compile_path(path) for path in preset.at),
            key=said.key if said.key is not None else preset.key,
            datatypes=self._datatypes,
            reader=preset.reader if preset.reader in _OWN_KINDS or said.kind == preset.kind else "path",
        )


# Readers that can be told which kind of decision to read.
_OWN_KINDS = frozenset({"guess", "tensors"})
_REMEMBERED = 1024


class Rules(msgspec.Struct, frozen=True):
    digest: str
    protocol: str  # auto, none, or the name of the preset that every answer follows
    up_to: int  # longer bodies are not read
    tolerance: Tolerance
    headers: tuple[str, ...]  # names of compared headers, lower case
    plans: Plans
    scores: tuple[OwnScore, ...]  # those that users bring along
    by_request: dict[tuple[str, str], tuple[Plan, ...]]  # remembered by `plans_for`
    by_headers: dict[Any, Any]  # remembered by `assessment`

    def plans_for(self, method: str, target: str) -> tuple[Plan, ...]:
        """The plans that an answer to a request may follow, the first that fits; the last always does."""
        try:
            return self.by_request[method, target]
        except KeyError:
            plans = self._plans_for(method, target)
            if len(self.by_request) >= _REMEMBERED:
                self.by_request.clear()
            if len(target) <= _LONGEST_TARGET:
                self.by_request[method, target] = plans
            return plans

    def _plans_for(self, method: str, target: str) -> tuple[Plan, ...]:
        if self.protocol == AUTO:
            return (*(self.plans[preset.name] for preset in recognise(method, target)), self.plans[""])
        return (self.plans["" if self.protocol == NONE else self.protocol],)


_LONGEST_TARGET = 256


def compile_rules(route: RouteSettings, scores: tuple[OwnScore, ...] = ()) -> Rules:
    """The rules of a route; ValueError with one sentence that begins with the key at fault."""
    compare = route.compare
    if route.protocol not in NAMES:
        raise ValueError(f"protocol: expected one of {', '.join(NAMES)}, not {route.protocol!r}")
    tolerance = Tolerance(compare.absolute, compare.relative)
    marks = (
        *(Mark(_path("compare.ignore", text), ignored=True) for text in compare.ignore if not text.startswith(_HEADER)),
        *(_unordered(text) for text in compare.unordered),
    )
    ignored = {text.removeprefix(_HEADER).strip().lower() for text in compare.ignore if text.startswith(_HEADER)}
    own = _prediction(route.prediction, tolerance) if route.prediction is not None else None
    return Rules(
        digest=_digest(route, scores),
        protocol=route.protocol,
        up_to=compare.up_to,
        tolerance=tolerance,
        headers=tuple(dict.fromkeys(name.lower() for name in compare.headers if name.lower() not in ignored)),
        plans=Plans(marks, own, tolerance, route),
        scores=scores,
        by_request={},
        by_headers={},
    )


def _unordered(text: str) -> Mark:
    """Where objects cannot be paired by their member, as one lacks it or it is repeated, they are a multiset."""
    path, by, member = text.partition(BY)
    return Mark(_path("compare.unordered", path.strip()), unordered=True, key=member.strip() if by else None)


def _steps(path: str) -> Steps:
    return tuple(segment.selector for segment in compile_path(path).segments if isinstance(segment.selector, str | int))


def _prediction(settings: PredictionSettings, tolerance: Tolerance) -> Prediction:
    if settings.kind not in KINDS:
        raise ValueError(f"prediction.is: expected one of {', '.join(KINDS)}, not {settings.kind!r}")
    key = settings.key
    # A decision lies in the whole body unless a path says where; an opaque one lies nowhere.
    at = settings.at if settings.at is not None or settings.kind == OPAQUE else "$"
    return Prediction(
        kind=settings.kind,
        at=(_path("prediction.at", at),) if at is not None else (),
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


def _digest(route: RouteSettings, scores: tuple[OwnScore, ...]) -> str:
    compare, prediction = route.compare, route.prediction
    presets: list[Any] = [msgspec.to_builtins(p) for p in PRESETS] if route.protocol == AUTO else []
    if route.protocol not in (AUTO, NONE):
        presets = [msgspec.to_builtins(BY_NAME[route.protocol])]
    content = [
        _REVISION,
        [compare.up_to, sorted(compare.ignore), compare.absolute, compare.relative, sorted(compare.unordered)],
        compare.by_datatype,
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
        [(score.name, score.origin) for score in scores],
    ]
    return sha256(msgspec.json.encode(content)).hexdigest()[:12]
