"""Two bodies beside each other, line by line, with what differs marked in each.

JSON is printed a value a line and every line knows its path, so that a difference that the comparison found is told
from one that its rules allow (ignored, within the tolerance). Any other text is compared by its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final

from shadowproxy.compare.jsonpath import written

Pieces = tuple[tuple[str, bool], ...]  # (text, does it differ)

MOST_LINES: Final = 400  # of a side, before they are compared
MOST_ROWS: Final = 80
LONGEST_LINE: Final = 400
_AROUND: Final = 2
_MOST_WORDS: Final = 400
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    path: str = ""  # of the value on this line; empty for brackets and for what is no JSON


@dataclass(frozen=True, slots=True)
class Row:
    """Both sides of one line, None where a side has no such line; or a row that stands for `skipped` equal lines."""

    old: Pieces | None
    new: Pieces | None
    found: bool = False  # a difference that the comparison counted
    skipped: int = 0


def rows(old: str, new: str, paths: Sequence[str]) -> list[Row]:
    """`paths`: those that the comparison found to differ; with none of them known every difference counts."""
    lines_old, lines_new = lines(old), lines(new)
    matcher = SequenceMatcher(None, [x.text for x in lines_old], [x.text for x in lines_new], autojunk=False)
    whole: list[Row] = []
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            whole.extend(_skipping(lines_old[a:b], first=not whole, last=b == len(lines_old)))
        else:
            whole.extend(_apart(lines_old[a:b], lines_new[c:d], paths))
    return whole[:MOST_ROWS]


def unmarked(old: str, new: str) -> list[Row]:
    """For answers that are not to be compared, such as a whole one and an error."""
    pairs = zip_longest(lines(old)[:MOST_ROWS], lines(new)[:MOST_ROWS])
    return [Row(_whole(a, differs=False), _whole(b, differs=False)) for a, b in pairs]


def lines(body: str) -> list[Line]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return [Line(line[:LONGEST_LINE]) for line in body.splitlines()[:MOST_LINES]]
    found: list[Line] = []
    for line in _printed(value, "$", "", ""):
        found.append(line)
        if len(found) == MOST_LINES:
            break
    return found


def _printed(value: Any, path: str, indent: str, before: str, after: str = "") -> Iterator[Line]:
    if isinstance(value, dict) and value:
        yield Line(f"{indent}{before}{{")
        for number, (name, inner) in enumerate(value.items()):
            comma = "," if number < len(value) - 1 else ""
            yield from _printed(inner, path + written(name), indent + "  ", f"{_text(name)}: ", comma)
        yield Line(f"{indent}}}{after}")
    elif isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        yield Line(f"{indent}{before}[")
        for number, inner in enumerate(value):
            comma = "," if number < len(value) - 1 else ""
            yield from _printed(inner, f"{path}[{number}]", indent + "  ", "", comma)
        yield Line(f"{indent}]{after}")
    else:
        yield Line((indent + before + _text(value) + after)[:LONGEST_LINE], path)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _skipping(equal: Sequence[Line], *, first: bool, last: bool) -> Iterator[Row]:
    head = 0 if first else _AROUND
    tail = 0 if last else _AROUND
    if len(equal) <= head + tail + 1:
        yield from map(_same, equal)
        return
    yield from map(_same, equal[:head])
    yield Row(None, None, skipped=len(equal) - head - tail)
    yield from map(_same, equal[len(equal) - tail :])


def _same(line: Line) -> Row:
    return Row(((line.text, False),), ((line.text, False),))


def _apart(olds: Sequence[Line], news: Sequence[Line], paths: Sequence[str]) -> Iterator[Row]:
    for number in range(max(len(olds), len(news))):
        old = olds[number] if number < len(olds) else None
        new = news[number] if number < len(news) else None
        found = not paths or any(_is_among(line.path, paths) for line in (old, new) if line is not None)
        if old is not None and new is not None:
            yield Row(*_by_words(old.text, new.text), found=found)
        else:
            yield Row(_whole(old), _whole(new), found=found)


def _whole(line: Line | None, *, differs: bool = True) -> Pieces | None:
    return None if line is None else ((line.text, differs),)


def _is_among(path: str, paths: Sequence[str]) -> bool:
    """A line's own path, one above it, or (an array on one line) one below it."""
    return not path or any(
        path == one or path.startswith((one + ".", one + "[")) or one.startswith((path + ".", path + "["))
        for one in paths
    )


def _by_words(old: str, new: str) -> tuple[Pieces, Pieces]:
    a, b = _WORD.findall(old), _WORD.findall(new)
    if len(a) + len(b) > 2 * _MOST_WORDS:
        return ((old, True),), ((new, True),)
    here: list[tuple[str, bool]] = []
    there: list[tuple[str, bool]] = []
    for what, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if i < j:
            here.append(("".join(a[i:j]), what != "equal"))
        if k < m:
            there.append(("".join(b[k:m]), what != "equal"))
    return tuple(here), tuple(there)
