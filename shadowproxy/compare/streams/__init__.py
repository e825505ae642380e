"""Streamed answers put together again: the value that the same server gives when it is not asked to stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from shadowproxy.compare.streams import anthropic, generate, openai
from shadowproxy.compare.streams.folded import Chunk, Folded

# By the name that a preset gives: the events with their data read → the answer, None where they are another protocol's.
FOLDS: Final[dict[str, Callable[[list[Chunk]], Folded | None]]] = {
    "openai-chat": openai.chat,
    "openai-completions": openai.completions,
    "openai-responses": openai.responses,
    "anthropic": anthropic.messages,
    "tgi": generate.tgi,
    "triton": generate.triton,
}


def fold(chunks: list[Chunk], names: Iterable[str]) -> Folded:
    """By the first fold that knows the events; else what they hold as a list, `{event, data}` where one has a name."""
    for name in names:
        folded = FOLDS[name](chunks)
        if folded is not None:
            return folded
    plain: list[Any] = [{"event": name, "data": value} if name else value for name, value in chunks]
    return Folded(plain, [True] * len(chunks))
