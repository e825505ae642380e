"""TOML. Python's reader gives no places, so the lines of table headers and `key =` are found by a scan of our own.

The scan is for messages only: a key that it misses is reported at the line of the table around it.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

from shadowproxy.settings.problem import KeyPath, Problem, SettingsError
from shadowproxy.settings.source.document import Document

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_KEY: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_KEY})\s*\]")
_ASSIGNMENT: Final = re.compile(rf"\s*({_KEY})\s*=")
_ONE: Final = re.compile(_PART)
_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


def read_toml(name: str, text: str) -> Document:
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        said = str(e)
        place = _LINE.search(said)
        last = len(text.splitlines()) if said.endswith("(at end of document)") else 0
        raise SettingsError([Problem(name, int(place[1]) if place else last, "", f"not TOML: {said}")]) from e
    return Document(name, tree, _places(name, text))


def _places(name: str, text: str) -> dict[KeyPath, tuple[str, int]]:
    places: dict[KeyPath, tuple[str, int]] = {(): (name, 1)}
    tables: dict[KeyPath, int] = {}  # how many elements an array of tables has so far
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _inside(_steps(header[2]), tables)
            if header[1] == "[[":
                index = tables.get(table, 0)
                tables[table] = index + 1
                places.setdefault(table, (name, number))
                table = (*table, index)
            places.setdefault(table, (name, number))
        elif assignment := _ASSIGNMENT.match(line):
            path = table
            for step in _steps(assignment[1]):
                path = (*path, step)
                places.setdefault(path, (name, number))
    return places


def _steps(key: str) -> list[str]:
    return [part.strip("\"'") for part in _ONE.findall(key)]


def _inside(steps: list[str], tables: dict[KeyPath, int]) -> KeyPath:
    """`[candidates.breaker]` belongs to the newest element of `[[candidates]]`."""
    path: KeyPath = ()
    for position, step in enumerate(steps):
        path = (*path, step)
        if position < len(steps) - 1 and path in tables:
            path = (*path, tables[path] - 1)
    return path
