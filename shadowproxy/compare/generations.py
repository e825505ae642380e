"""Generated answers as `Text`: what was said, why it ended, which tools were called, in each protocol's own shape.

Tool calls are compared as a multiset of (name, arguments): ids are made up for each answer, and parallel calls have no
order. Arguments that come as JSON text are read, so that spacing and the order of members say nothing.
"""

from __future__ import annotations

import json
from typing import Any

from shadowproxy.compare.decision import Text
from shadowproxy.compare.excerpt import json_text
from shadowproxy.compare.scores.texts import MAX_CHARACTERS


def plain(item: Any) -> Text:
    """Any JSON value as a text."""
    return Text(item if isinstance(item, str) else json_text(item, MAX_CHARACTERS))


def choice(item: Any) -> Text | None:
    """OpenAI chat and completions: one of `choices`."""
    if not isinstance(item, dict):
        return None
    finish = _word(item.get("finish_reason"))
    message = item.get("message")
    if not isinstance(message, dict):
        return Text(_said(item.get("text")), finish)
    calls = [call["function"] for call in _objects(message.get("tool_calls")) if isinstance(call.get("function"), dict)]
    if isinstance(message.get("function_call"), dict):  # the older form
        calls.append(message["function_call"])
    content = _said(message.get("content")) or _said(message.get("refusal"))
    return Text(content, finish, _tools((call.get("name"), call.get("arguments")) for call in calls))


def response(answer: Any) -> Text | None:
    """OpenAI Responses: all of `output`."""
    output = answer.get("output") if isinstance(answer, dict) else None
    if not isinstance(output, list):
        return None
    said, calls = [], []
    for item in _objects(output):
        if item.get("type") == "message":
            said.append(_said(item.get("content")))
        elif item.get("type") in ("function_call", "custom_tool_call"):
            calls.append((item.get("name"), item.get("arguments", item.get("input"))))
    details = answer.get("incomplete_details")
    finish = details.get("reason") if isinstance(details, dict) else answer.get("status")
    return Text("\n".join(said), _word(finish), _tools(calls))


def message(answer: Any) -> Text | None:
    """Anthropic: the blocks of `content`."""
    content = answer.get("content") if isinstance(answer, dict) else None
    if not isinstance(content, list):
        return None
    calls = [(block.get("name"), block.get("input")) for block in _objects(content) if block.get("type") == "tool_use"]
    return Text(_said(content), _word(answer.get("stop_reason")), _tools(calls))


def _said(content: Any) -> str:
    """A string, or the text of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text", part.get("refusal")) for part in _objects(content))
    return "\n".join(part for part in parts if isinstance(part, str))


def _tools(calls: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name if isinstance(name, str) else "", _arguments(given)) for name, given in calls))


def _arguments(given: Any) -> str:
    read = given
    if isinstance(given, str):
        try:
            read = json.loads(given)
        except (ValueError, RecursionError):
            return given
    try:
        return json.dumps(read, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return json_text(read)


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []
