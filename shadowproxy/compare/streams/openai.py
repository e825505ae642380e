"""OpenAI's streams: chat and completions send pieces of each choice, Responses typed events that end with the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shadowproxy.compare.streams.folded import Chunk, Folded, count

Merge = Callable[[dict[str, Any], dict[str, Any]], bool]  # (the choice so far, a piece of it) → it carried something


def chat(chunks: list[Chunk]) -> Folded | None:
    return _choices(chunks, _merge_message, "delta")


def completions(chunks: list[Chunk]) -> Folded | None:
    return _choices(chunks, _merge_text, "text")


def _choices(chunks: list[Chunk], merge: Merge, piece_name: str) -> Folded | None:
    """None where no choice has a member `piece_name`, which tells the two streams from each other."""
    is_ours = False
    answer: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    carries = []
    for _, piece in chunks:
        carried = False
        if isinstance(piece, dict):
            parts = piece.get("choices")
            for name, value in piece.items():
                if name != "choices" and (value is not None or name not in answer):
                    answer[name] = value
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and isinstance(index := part.get("index", 0), int):
                    carried |= merge(choices.setdefault(index, {"index": index}), part)
                    is_ours |= piece_name in part
        carries.append(carried)
    if not is_ours and (choices or "error" not in answer):
        return None
    if isinstance(answer.get("object"), str):
        answer["object"] = answer["object"].removesuffix(".chunk")
    if choices:
        answer["choices"] = [choices[index] for index in sorted(choices)]
    usage = answer.get("usage")
    return Folded(answer, carries, count(usage.get("completion_tokens")) if isinstance(usage, dict) else None)


def _merge_message(choice: dict[str, Any], part: dict[str, Any]) -> bool:
    delta = part.get("delta")
    message = choice.setdefault("message", {"content": None})
    carried = False
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if name == "tool_calls" and isinstance(value, list):
            carried |= _merge_calls(message.setdefault(name, []), value)
        elif name == "function_call" and isinstance(value, dict):
            _merge_strings(message.setdefault(name, {}), value, ())
            carried = True
        elif name == "role":
            message[name] = value
        elif isinstance(value, str):
            message[name] = (message.get(name) or "") + value
            carried |= bool(value)
        elif value is not None or name not in message:
            message[name] = value
    _merge_rest(choice, part, "delta")
    return carried


def _merge_calls(calls: list[dict[str, Any]], pieces: list[Any]) -> bool:
    for piece in pieces:
        if not isinstance(piece, dict):
            continue
        index = piece.get("index", 0)
        call = next((call for call in calls if call.get("index") == index), None)
        if call is None:
            calls.append(call := {"index": index})
        for name, value in piece.items():
            if name == "function" and isinstance(value, dict):
                _merge_strings(call.setdefault(name, {}), value, ("name",))
            elif name != "index" and value is not None:
                call[name] = value
    return bool(pieces)


def _merge_strings(into: dict[str, Any], piece: dict[str, Any], whole: tuple[str, ...]) -> None:
    """Strings are appended, but those that come in one piece."""
    for name, value in piece.items():
        if isinstance(value, str) and isinstance(into.get(name), str) and name not in whole:
            into[name] += value
        elif value is not None:
            into[name] = value


def _merge_text(choice: dict[str, Any], part: dict[str, Any]) -> bool:
    text = part.get("text")
    if isinstance(text, str):
        choice["text"] = choice.get("text", "") + text
    _merge_rest(choice, part, "text")
    return bool(text)


def _merge_rest(choice: dict[str, Any], part: dict[str, Any], apart: str) -> None:
    """Members beside the text: logprobs come in lists that are joined, of others the last that is not null counts."""
    for name, value in part.items():
        if name in (apart, "index"):
            continue
        if name == "logprobs" and isinstance(value, dict):
            into = choice.get(name)
            into = choice[name] = into if isinstance(into, dict) else {}
            for key, entries in value.items():
                known = into.get(key)
                into[key] = known + entries if isinstance(known, list) and isinstance(entries, list) else entries
        elif value is not None or name not in choice:
            choice[name] = value


def responses(chunks: list[Chunk]) -> Folded | None:
    """The last event holds the response; where it did not come, the items that were done are its output."""
    answer: dict[str, Any] = {}
    items: dict[int, Any] = {}
    carries = []
    for name, piece in chunks:
        carried = False
        if isinstance(piece, dict):
            kind = piece.get("type", name)
            kind = kind if isinstance(kind, str) else ""
            carried = kind.endswith(".delta") and bool(piece.get("delta"))
            if isinstance(piece.get("response"), dict):
                answer = piece["response"]
            elif kind == "response.output_item.done" and isinstance(piece.get("output_index"), int):
                items[piece["output_index"]] = piece.get("item")
            elif kind == "error":
                answer = {**answer, "error": piece.get("error", piece)}
        carries.append(carried)
    if not answer:
        return None
    if items and not answer.get("output"):
        answer = {**answer, "output": [items[index] for index in sorted(items)]}
    usage = answer.get("usage")
    return Folded(answer, carries, count(usage.get("output_tokens")) if isinstance(usage, dict) else None)
