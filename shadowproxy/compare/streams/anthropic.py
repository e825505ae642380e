"""Anthropic's stream: `message_start`, then blocks that begin, grow and stop, then the message's end."""

from __future__ import annotations

import json
from typing import Any, Final

from shadowproxy.compare.streams.folded import Chunk, Folded, count

# A delta's type: the member of the block that it appends to, and the member of the delta with the piece.
_APPENDS: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("input", "partial_json"),
}


def messages(chunks: list[Chunk]) -> Folded | None:
    answer: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    carries = []
    for name, piece in chunks:
        carried = False
        if isinstance(piece, dict):
            kind = piece.get("type", name)
            if kind == "message_start" and isinstance(piece.get("message"), dict):
                answer = {**answer, **piece["message"]}
            elif kind == "content_block_start" and isinstance(piece.get("content_block"), dict):
                block = dict(piece["content_block"])
                blocks[_index(piece)] = block
                if "input" in block:
                    block["input"] = ""
            elif kind == "content_block_delta" and isinstance(piece.get("delta"), dict):
                carried = _append(blocks.setdefault(_index(piece), {}), piece["delta"])
            elif kind == "message_delta":
                _end(answer, piece)
            elif kind == "error":
                answer["error"] = piece.get("error", piece)
        carries.append(carried)
    if not answer:
        return None
    if blocks or "error" not in answer:
        answer["content"] = [_whole(blocks[index]) for index in sorted(blocks)]
    usage = answer.get("usage")
    return Folded(answer, carries, count(usage.get("output_tokens")) if isinstance(usage, dict) else None)


def _index(piece: dict[str, Any]) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else 0


def _append(block: dict[str, Any], delta: dict[str, Any]) -> bool:
    into, member = _APPENDS.get(str(delta.get("type")), ("", ""))
    value = delta.get(member)
    if not isinstance(value, str):
        return False
    known = block.get(into)
    block[into] = known + value if isinstance(known, str) else value
    return bool(value) and into != "signature"


def _end(answer: dict[str, Any], piece: dict[str, Any]) -> None:
    if isinstance(piece.get("delta"), dict):
        answer.update(piece["delta"])
    if isinstance(piece.get("usage"), dict):
        known = answer.get("usage")
        answer["usage"] = {**(known if isinstance(known, dict) else {}), **piece["usage"]}


def _whole(block: dict[str, Any]) -> dict[str, Any]:
    """The input of a tool comes as pieces of JSON text."""
    text = block.get("input")
    if not isinstance(text, str):
        return block
    try:
        return {**block, "input": json.loads(text) if text else {}}
    except (ValueError, RecursionError):
        return block
