"""What becomes of a stream of events: the answer as it would have come in one piece, and which events carried it."""

from __future__ import annotations

from typing import Any, NamedTuple

from shadowproxy.compare.streams.events import Event


class Chunk(NamedTuple):
    """An event with its data read: `value` is JSON, or the text where it is none."""

    name: str
    value: Any


class Folded(NamedTuple):
    value: Any
    carries: list[bool]  # for each event: whether a part of the generated answer is in it
    tokens: int | None = None  # how many the server says that it generated


class Shape(NamedTuple):
    """What times of arrival are held against."""

    ends: tuple[int, ...]  # for each event: bytes of the body after which it was whole
    carries: tuple[bool, ...]
    tokens: int | None

    @staticmethod
    def of(events: list[Event], folded: Folded) -> Shape:
        return Shape(tuple(event.end for event in events), tuple(folded.carries), folded.tokens)


def count(value: Any) -> int | None:
    """A count of tokens as a server states it; None for anything that is none. LiteLLM says 0 of completions."""
    return value if value.__class__ is int and 0 < value < 1 << 31 else None
