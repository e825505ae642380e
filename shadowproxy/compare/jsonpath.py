"""The subset of JSONPath (RFC 9535) in which configuration points into bodies.

    $            the whole value
    .name        a member                ['name'] or ["name"] for any name
    [n]          an element, from 0      [*] or .*  every element or member
    ..name       a member at any depth   ..* and ..[n] likewise

Filters, slices, unions and negative indexes are refused with a sentence. A *concrete* path names one place and has
names and indexes only; `find` gives such paths, and differences carry them. A place costs as much as it is deep, which
`lift.MAX_DEPTH` bounds for bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn

Step = str | int
Steps = tuple[Step, ...]


class _Every:
    """The selector `*`: every member or element."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "*"


EVERY: Final = _Every()


class _AnyMember(str):
    """A step that stands for each of an object's members: told from a member named `*` by identity."""

    __slots__ = ()


ANY_MEMBER: Final = _AnyMember("*")


class Segment(NamedTuple):
    selector: str | int | _Every
    deep: bool  # `..`: at any depth below

    def selects(self, step: Step) -> bool:
        # An index is not the name "0", and `1 == True` cannot happen: steps are str or int only.
        return self.selector is EVERY or self.selector == step


_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w\-]*")
_INDEX = re.compile(r"\[\s*(0|[1-9]\d{0,15})\s*\]")
_STAR = re.compile(r"\[\s*\*\s*\]")
_QUOTED = re.compile(r"""\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\", "'": "'", '"': '"'}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")

# What people write from other dialects, and what to say to them.
_REFUSED = (
    (re.compile(r"\[\s*\?"), "filters are not supported"),
    (re.compile(r"\[\s*-\s*\d"), "negative indexes are not supported"),
    (re.compile(r"\[[^\]'\"]*:"), "slices are not supported"),
    (re.compile(r"\[[^\]]*,"), "unions are not supported; write one path for each"),
)


def compile_path(text: str) -> Path:
    """The path that `text` writes; ValueError with one sentence for anything outside the subset."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} is not a JSONPath: expected it to start with $, as in $.predictions[*]")
    segments = []
    at = 1
    while at < len(text):
        segment, at = _segment(text, at)
        segments.append(segment)
    return Path(text, tuple(segments))


def concrete(steps: Iterable[Step]) -> str:
    """How a place is written: `$.outputs[0].data[3]`, with brackets and quotes for names that need them."""
    return "$" + "".join(map(written, steps))


def written(step: Step) -> str:
    """One step of a concrete path; any member of a map is `.*`."""
    if step is ANY_MEMBER:
        return ".*"
    if isinstance(step, int):
        return f"[{step}]"
    return _short_member(step) if len(step) <= _SHORT else f"[{_quote(step)}]"


_SHORT = 64


@lru_cache(maxsize=1024)  # of short names only: names come from bodies
def _short_member(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{_quote(name)}]"


class Path:
    """A compiled path. Values are what JSON gives: dict, list, str, int, float, bool, None."""

    __slots__ = ("segments", "text")

    def __init__(self, text: str, segments: tuple[Segment, ...]) -> None:
        self.text = text
        self.segments = segments

    def __repr__(self) -> str:
        return f"<Path {self.text}>"

    def find(self, value: Any) -> list[tuple[str, Any]]:
        """Every match in document order, each with its concrete path."""
        return [(concrete(steps), found) for steps, found in self.locate(value)]

    def values(self, value: Any) -> list[Any]:
        """As `locate`, without the places: those of a batch's items cost more than the items."""
        if any(segment.deep for segment in self.segments):
            return [found for _, found in self.locate(value)]
        nodes = [value]
        for selector, _ in self.segments:
            if selector is EVERY:
                nodes = [
                    child
                    for node in nodes
                    if isinstance(node, (dict, list))
                    for child in (node.values() if isinstance(node, dict) else node)
                ]
            elif isinstance(selector, str):
                nodes = [node[selector] for node in nodes if isinstance(node, dict) and selector in node]
            elif isinstance(selector, int):
                nodes = [node[selector] for node in nodes if isinstance(node, list) and selector < len(node)]
        return nodes

    def locate(self, value: Any) -> list[tuple[Steps, Any]]:
        """As `find`, with the steps themselves."""
        nodes: list[tuple[Steps, Any]] = [((), value)]
        for selector, deep in self.segments:
            if deep:
                nodes = [below for node in nodes for below in _descendants(*node)]
            nodes = [child for steps, found in nodes for child in _children(steps, found, selector)]
        if sum(segment.deep for segment in self.segments) > 1:
            nodes = list(dict(nodes).items())  # `$..a..b` reaches one place in several ways
        return nodes

    def matches(self, path: str) -> bool:
        """Whether a concrete path is one of those that this path selects in some value."""
        steps = []
        for segment in compile_path(path).segments:
            if segment.deep or isinstance(segment.selector, _Every):
                raise ValueError(f"{path!r} is not a concrete path: expected names and indexes only")
            steps.append(segment.selector)
        return self.matches_steps(steps)

    def matches_steps(self, steps: Iterable[Step]) -> bool:
        at = {0}
        for step in steps:
            at = {after for position in at for after in self.advance(position, step)}
        return len(self.segments) in at

    def advance(self, position: int, step: Step) -> Iterator[int]:
        """The positions in `segments` that one step leads to from `position`."""
        if position < len(self.segments):
            segment = self.segments[position]
            if segment.selects(step):
                yield position + 1
            if segment.deep:
                yield position

    def replace(self, value: Any, new: Callable[[Any], Any]) -> Any:
        """`value` with `new(old)` in each matching place; copies what it changes, shares the rest.

        A match inside another match goes with the outer one.
        """
        root = [value]
        copies: set[Steps] = set()
        done: set[Steps] = set()
        for steps, old in self.locate(value):
            if done and any(steps[:length] in done for length in range(len(steps))):
                continue
            done.add(steps)
            holder, last = _own(root, steps, copies)
            holder[last] = new(old)
        return root[0]


def _own(root: list[Any], steps: Steps, copies: set[Steps]) -> tuple[Any, Step]:
    """The container that holds the place `steps`, after copying each container on the way once."""
    holder: Any = root
    last: Step = 0
    for length, step in enumerate(steps):
        if steps[:length] not in copies:
            copies.add(steps[:length])
            holder[last] = holder[last].copy()
        holder, last = holder[last], step
    return holder, last


def _children(steps: Steps, value: Any, selector: str | int | _Every) -> Iterator[tuple[Steps, Any]]:
    if isinstance(selector, str):
        if isinstance(value, dict) and selector in value:
            yield (*steps, selector), value[selector]
    elif isinstance(selector, int):
        if isinstance(value, list) and selector < len(value):
            yield (*steps, selector), value[selector]
    elif isinstance(value, dict):
        yield from (((*steps, name), member) for name, member in value.items())
    elif isinstance(value, list):
        yield from (((*steps, index), element) for index, element in enumerate(value))


def _descendants(steps: Steps, value: Any) -> Iterator[tuple[Steps, Any]]:
    """The value itself and all below it that can have children, in document order; no recursion."""
    pending = [(steps, value)]
    while pending:
        node = pending.pop()
        yield node
        below = [child for child in _children(*node, EVERY) if isinstance(child[1], (dict, list))]
        pending.extend(reversed(below))


def _segment(text: str, at: int) -> tuple[Segment, int]:
    deep = text.startswith("..", at)
    after_dots = at + 2 if deep else at
    if text.startswith("[", after_dots):
        selector, end = _bracket(text, after_dots)
        return Segment(selector, deep), end
    if not deep:
        if not text.startswith(".", at):
            _refuse(text, at, "expected . or [")
        after_dots = at + 1
    if text.startswith("*", after_dots):
        return Segment(EVERY, deep), after_dots + 1
    if found := _NAME.match(text, after_dots):
        return Segment(found[0], deep), found.end()
    return _refuse(text, after_dots, "expected a name or *")


def _bracket(text: str, at: int) -> tuple[str | int | _Every, int]:
    if found := _INDEX.match(text, at):
        return int(found[1]), found.end()
    if found := _STAR.match(text, at):
        return EVERY, found.end()
    if found := _QUOTED.match(text, at):
        return _unquote(text, found[1] if found[1] is not None else found[2]), found.end()
    for pattern, why in _REFUSED:
        if pattern.match(text, at):
            _refuse(text, at, why)
    return _refuse(text, at, "expected [n], [*] or ['name']")


def _unquote(text: str, quoted: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] not in _ESCAPED:
            raise ValueError(f"{text!r} is not a JSONPath: \\{found[2]} is not an escape")
        return _ESCAPED[found[2]]

    name = _ESCAPE.sub(escaped, quoted)
    # Two \u escapes may write one character beyond the basic plane.
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _quote(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r") + "'"


def _refuse(text: str, at: int, why: str) -> NoReturn:
    rest = text[at : at + 20]
    where = f"at {rest!r}" if rest else "at its end"
    raise ValueError(f"{text!r} is not a JSONPath that can be used here: {why} {where}")
