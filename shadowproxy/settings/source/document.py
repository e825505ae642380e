"""The tree that a file (and flags) came to, the place of each of its keys, and what was wrong already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shadowproxy.settings.problem import KeyPath, Problem, dotted


class Plain(str):
    """A YAML scalar without quotes: still the text that was written, so that the key decides what it means.

    `version: 1.10`, `version: 12345e7` and `listen: off` stay text; only a key that wants a number or a boolean makes
    one of it.
    """

    __slots__ = ()


@dataclass(slots=True)
class Document:
    """`tree` holds dict, list, str, Plain, int, float, bool, None; `places` maps key paths to (file or flag, line)."""

    name: str
    tree: Any
    places: dict[KeyPath, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> tuple[str, int]:
        """Where this key is, or the nearest above it that was written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.name, 0

    def problem(self, path: KeyPath, message: str) -> Problem:
        file, line = self.place(path)
        key = "" if file.startswith("--") else dotted(path)  # a flag names itself; its key would be news to its writer
        return Problem(file, line, key, message)
