"""What paths say about places: many paths followed at once while a value is walked.

A `Place` stands for all concrete paths at which the same patterns are still open. `Place.below(step)` leads down, and
to None where no pattern can match any more, so that most of a body is walked without asking. Places are built when
first reached and remembered; steps that no pattern names share one place, so the number of places depends on the
configuration and never on the traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from shadowproxy.compare.jsonpath import Path, Step
from shadowproxy.compare.tolerance import Tolerance


class Mark(NamedTuple):
    """What holds at the places that `path` selects."""

    path: Path
    ignored: bool = False  # neither it nor anything below is compared
    unordered: bool = False  # an array whose elements are a multiset
    flat: bool = False  # an array whose nesting says nothing (row-major tensors)
    key: str | None = None  # an array of objects that are paired by this member
    typed: Mapping[str, Tolerance] | None = None  # an object's member `datatype` says what its numbers may miss
    rounded: Tolerance | None = None  # what the numbers in it may miss on top of what is configured


class Place:
    __slots__ = (
        "_indexes", "_machine", "_names", "_open", "flat", "ignored", "is_loose", "is_uniform", "key", "rounded",
        "typed", "unordered",
    )  # fmt: skip

    def __init__(self, machine: _Machine, open_: frozenset[tuple[int, int]]) -> None:
        marks = [mark for number, at in open_ if at == len((mark := machine.marks[number]).path.segments)]
        self.ignored = any(mark.ignored for mark in marks)
        self.unordered = any(mark.unordered for mark in marks)
        self.flat = any(mark.flat for mark in marks)
        self.key = next((mark.key for mark in marks if mark.key is not None), None)
        self.typed = next((mark.typed for mark in marks if mark.typed is not None), None)
        self.rounded = next((mark.rounded for mark in marks if mark.rounded is not None), None)
        self.is_loose = self.typed is not None or self.rounded is not None
        self._machine = machine
        self._open = open_
        # Steps that some pattern names at this place, and None for all others; values are filled in when asked for.
        self._names: dict[str | None, Any] = {None: _UNBUILT}
        self._indexes: dict[int | None, Any] = {None: _UNBUILT}
        self.is_uniform = True  # all indexes lead to one place
        for number, at in open_:
            segments = machine.marks[number].path.segments
            selector = segments[at].selector if at < len(segments) else None
            if isinstance(selector, str):
                self._names[selector] = _UNBUILT
            elif isinstance(selector, int):
                self._indexes[selector] = _UNBUILT
                self.is_uniform = False

    def below(self, step: Step) -> Place | None:
        known: dict[Any, Any] = self._names if step.__class__ is str else self._indexes
        name = step if step in known else None
        place = known[name]
        if place is _UNBUILT:
            # No pattern names the "other" steps, so any step that none of them names stands for all.
            place = known[name] = self._machine.after(self._open, step)
        return place  # type: ignore[no-any-return]


_UNBUILT: Final = object()


class _Machine:
    __slots__ = ("marks", "places")

    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self.marks = marks
        self.places: dict[frozenset[tuple[int, int]], Place | None] = {frozenset(): None}

    def place(self, open_: frozenset[tuple[int, int]]) -> Place | None:
        if open_ not in self.places:
            self.places[open_] = Place(self, open_)
        return self.places[open_]

    def after(self, open_: frozenset[tuple[int, int]], step: Step) -> Place | None:
        return self.place(
            frozenset((number, after) for number, at in open_ for after in self.marks[number].path.advance(at, step))
        )


def root_of(marks: Iterable[Mark]) -> Place | None:
    """The place of `$`, or None where there are no marks."""
    machine = _Machine(tuple(marks))
    return machine.place(frozenset((number, 0) for number in range(len(machine.marks))))
