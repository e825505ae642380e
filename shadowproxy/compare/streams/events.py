"""Server-sent events (WHATWG HTML §9.2.6): bytes in, events out, each with the place in the body where it was whole.

Lines end with LF, CRLF or CR; a line that begins with `:` is a comment; several `data` lines are one text. What stands
behind the last empty line is taken for an event too: some servers do not end their last one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MEDIA_TYPE: Final = "text/event-stream"
DONE: Final = "[DONE]"

_BLANK_LINE: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE: Final = re.compile(r"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    name: str  # "" where none is given: "message" by the standard
    data: str
    end: int  # bytes of the body after which it is whole


def events(body: bytes) -> list[Event]:
    """The events with data, but for the closing `[DONE]`. Never raises: bytes that are no UTF-8 are replaced."""
    return [event for event in _all(body) if event.data and event.data.strip() != DONE]


def _all(body: bytes) -> Iterator[Event]:
    start = len(_BOM) if body.startswith(_BOM) else 0
    for blank in _BLANK_LINE.finditer(body, start):
        yield _event(body[start : blank.start()], blank.end())
        start = blank.end()
    yield _event(body[start:], len(body))


def _event(block: bytes, end: int) -> Event:
    name = ""
    data = []
    for line in _LINE.split(block.decode("utf-8", "replace")):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.removeprefix(" ").strip()
    return Event(name, "\n".join(data), end)
