"""The streams of TGI and of Triton's generate extension: a token or a piece of text in each event."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from shadowproxy.compare.streams.folded import Chunk, Folded, count


def tgi(chunks: list[Chunk]) -> Folded | None:
    """The last event holds the whole text and the details; where it did not come, the tokens' texts do."""
    answer: dict[str, Any] = {}
    pieces: list[str] = []
    carries = []
    for _, piece in chunks:
        carried = False
        if isinstance(piece, dict):
            token = piece.get("token")
            if isinstance(token, dict) and isinstance(token.get("text"), str) and not token.get("special"):
                pieces.append(token["text"])
                carried = bool(token["text"])
            answer.update((name, piece[name]) for name in ("generated_text", "details", "error", "error_type")
                          if piece.get(name) is not None)  # fmt: skip
        carries.append(carried)
    if pieces and "generated_text" not in answer:
        answer["generated_text"] = "".join(pieces)
    if not answer:
        return None
    details = answer.get("details")
    return Folded(answer, carries, count(details.get("generated_tokens")) if isinstance(details, dict) else None)


def triton(chunks: list[Chunk]) -> Folded | None:
    """Each event has the shape of an answer. Some models send what is new, some all that there is so far."""
    answer: dict[str, Any] = {}
    texts: list[str] = []
    carries = []
    for _, piece in chunks:
        text = piece.get("text_output") if isinstance(piece, dict) else None
        if isinstance(piece, dict):
            answer.update(piece)
        if isinstance(text, str):
            texts.append(text)
        carries.append(bool(text) and isinstance(text, str))
    if not texts and "error" not in answer:
        return None
    if texts:
        grows = len(texts) > 1 and all(before and after.startswith(before) for before, after in pairwise(texts))
        answer["text_output"] = texts[-1] if grows else "".join(texts)
    return Folded(answer, carries)
