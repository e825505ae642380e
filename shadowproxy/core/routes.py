"""Routes: the first whose rules match a request's head takes it.

Patterns are globs: `*` stands for anything within a path segment, `**` for anything. A rule about the query or a
header compares the whole value with such a glob, in which `*` stands for anything. A rule about a JSON body needs the
body: before it is there such a rule counts as met, and `find` is asked again with `values` when it has come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

Field = Callable[[bytes], bytes | None]
Values = Callable[[str], Any]


def compile_path(glob: str) -> re.Pattern[bytes]:
    parts = re.split(r"(\*\*|\*)", glob)
    pattern = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    return re.compile(pattern.encode() + rb"\Z", re.DOTALL)


def compile_value(glob: str) -> re.Pattern[bytes]:
    return re.compile(".*".join(re.escape(part) for part in glob.split("*")).encode() + rb"\Z", re.DOTALL)


class Rules(Protocol):
    """What a route's `match` holds (settings.snapshot.Match)."""

    @property
    def path(self) -> str | None: ...
    @property
    def methods(self) -> tuple[str, ...]: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def query(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def json(self) -> tuple[tuple[str, Any], ...]: ...


class Matcher:
    """One route's rules, compiled."""

    __slots__ = ("_headers", "_json", "_methods", "_path", "_query", "anything")

    def __init__(self, rules: Rules) -> None:
        self._path = None if rules.path is None else compile_path(rules.path)
        self._methods = frozenset(method.upper().encode() for method in rules.methods)
        self._headers = [(name.lower().encode(), compile_value(value)) for name, value in rules.headers]
        self._query = [(name.encode(), compile_value(value)) for name, value in rules.query]
        self._json = list(rules.json)
        self.anything = not (self._path or self._methods or self._headers or self._query or self._json)

    def matches(self, method: bytes, target: bytes, field: Field, values: Values | None) -> bool:
        """`field(name)` is the first value of a request's field, or None; `values(path)` that of its JSON body."""
        if self._methods and method not in self._methods:
            return False
        path, _, query = target.partition(b"?")
        if self._path is not None and not self._path.match(path):
            return False
        for name, pattern in self._headers:
            value = field(name)
            if value is None or not pattern.match(value):
                return False
        if self._query:
            given = _decoded(query)
            for name, pattern in self._query:
                if not any(key == name and pattern.match(value) for key, value in given):
                    return False
        return values is None or all(_equal(values(path), wanted) for path, wanted in self._json)


def _decoded(query: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values, percent-decoded. parse_qsl raises at decoded bytes beyond ASCII unless it is given text."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _equal(value: Any, wanted: Any) -> bool:
    """JSON's equality: `true` is not 1."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


class Router:
    """`find` answers with the number of the first route that matches, or None.

    Where no rule looks at more than method and path, answers are remembered for as long as there are few of them.
    """

    __slots__ = ("_matchers", "_only_anything", "_rememberable", "_remembered", "needs_body")

    def __init__(self, routes: Sequence[Rules]) -> None:
        self._matchers = [Matcher(rules) for rules in routes]
        self._only_anything = bool(self._matchers) and self._matchers[0].anything
        self.needs_body = any(rules.json for rules in routes)
        self._rememberable = not any(rules.headers or rules.query for rules in routes)
        self._remembered: dict[tuple[bytes, bytes], int | None] = {}

    def find(self, method: bytes, target: bytes, field: Field, values: Values | None = None) -> int | None:
        if self._only_anything:
            return 0
        if values is not None or not self._rememberable:
            return self._search(method, target, field, values)
        key = (method, target)
        try:
            return self._remembered[key]
        except KeyError:
            found = self._search(method, target, field, None)
            if len(self._remembered) >= 1024:
                self._remembered.clear()
            if len(target) <= 256:
                self._remembered[key] = found
            return found

    def _search(self, method: bytes, target: bytes, field: Field, values: Values | None) -> int | None:
        for number, matcher in enumerate(self._matchers):
            if matcher.matches(method, target, field, values):
                return number
        return None
