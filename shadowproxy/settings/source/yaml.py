"""YAML by libyaml's events: our own composer, for four things that the stock loader does not do.

Duplicate keys are errors; every key keeps its line; unquoted scalars stay text (`Plain`); nesting is bounded, because
composing 100,000 open brackets overflows the C stack of libyaml's binding and takes the process with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import yaml

from shadowproxy.settings.problem import KeyPath, Problem, SettingsError
from shadowproxy.settings.source.document import Document, Plain

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000  # aliases count each time, so a small file cannot grow without bound
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_MERGE: Final = "<<"


def read_yaml(name: str, text: str) -> Document:
    try:
        composer = _Composer(name, yaml.parse(text, Loader=_LOADER))
        return composer.document()
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = mark.line + 1 if mark is not None else 0
        said = " ".join(part for part in (e.context, e.problem) if part)
        raise _fault(name, line, f"not YAML: {said}") from e
    except yaml.YAMLError as e:
        raise _fault(name, 0, f"not YAML: {str(e).splitlines()[0]}") from e


def _fault(name: str, line: int, message: str) -> SettingsError:
    return SettingsError([Problem(name, line, "", message)])


class _Composer:
    __slots__ = ("_anchors", "_document", "_events", "_name", "_open", "_values")

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self._name = name
        self._events = events
        self._document = Document(name, None, {(): (name, 1)})
        self._anchors: dict[str, list[Any]] = {}  # an anchor's events, played again for each alias
        self._open: list[list[Any]] = []
        self._values = 0

    def document(self) -> Document:
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _fault(self._name, _line(event), "expected one document, there is a second")
                first = self._next()
                self._document.places[()] = (self._name, _line(first))
                self._document.tree = self._value(first, (), 0)
        return self._document

    def _next(self) -> Any:
        event = next(self._events)
        for recording in self._open:
            recording.append(event)
        return event

    def _value(self, event: Any, path: KeyPath, depth: int) -> Any:
        line = _line(event)
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise _fault(self._name, line, f"expected at most {MAX_DEPTH} levels and {MAX_VALUES} values")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, depth)
        anchor = event.anchor
        if anchor:
            self._open.append([event])
        value = self._content(event, path, depth)
        if anchor:
            self._anchors[anchor] = self._open.pop()
        return value

    def _content(self, event: Any, path: KeyPath, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if event.tag is not None:
            raise _fault(self._name, _line(event), f"expected a plain value, there was the tag {event.tag}")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _alias(self, event: Any, path: KeyPath, depth: int) -> Any:
        """The anchor's events again. An alias within its own anchor is not yet known, so there are no cycles."""
        played = self._anchors.get(event.anchor)
        if played is None:
            raise _fault(self._name, _line(event), f"expected an anchor &{event.anchor} above this alias")
        outer = self._events
        replay = iter(played)
        self._events = replay
        recordings, self._open = self._open, []  # an enclosing anchor has recorded the alias itself
        try:
            return self._value(_without_anchor(next(replay)), path, depth)
        finally:
            self._events = outer
            self._open = recordings

    def _scalar(self, event: Any) -> str:
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            raise _fault(self._name, _line(event), f"expected a plain value, there was the tag {event.tag}")
        is_plain = event.tag is None and event.implicit[0]
        return Plain(event.value) if is_plain else str(event.value)

    def _sequence(self, path: KeyPath, depth: int) -> list[Any]:
        items: list[Any] = []
        for index in itertools.count():
            event = self._next()
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, index)
            self._document.places[here] = (self._name, _line(event))
            items.append(self._value(event, here, depth + 1))
        return items

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _fault(self._name, line, "expected text as the key of a mapping")
            key = event.value
            here = (*path, key)
            if key == _MERGE and event.implicit[0]:
                merged += self._merge(self._value(self._next(), here, depth + 1), line)
                continue
            if key in mapping:
                first = self._document.places[here][1]
                message = f"expected each key once, this one is also on line {first}"
                self._document.problems.append(Problem(self._name, line, self._document.problem(here, "").key, message))
            self._document.places[here] = (self._name, line)
            mapping[key] = self._value(self._next(), here, depth + 1)
        for base in merged:
            mapping = base | mapping
        return mapping

    def _merge(self, value: Any, line: int) -> list[dict[str, Any]]:
        bases = value if isinstance(value, list) else [value]
        if not all(isinstance(base, dict) for base in bases):
            raise _fault(self._name, line, "expected a mapping, or a list of them, after <<")
        return bases


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _without_anchor(event: Any) -> Any:
    """The first event of a replay must not define its anchor again."""
    if isinstance(event, yaml.ScalarEvent):
        return yaml.ScalarEvent(
            None, event.tag, event.implicit, event.value, event.start_mark, event.end_mark, event.style
        )
    return type(event)(None, event.tag, event.implicit, event.start_mark, event.end_mark)
