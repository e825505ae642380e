"""Server-sent events (WHATWG HTML §9.2.6): bytes in, events out, each with the place in the body where it was whole.

Lines end with LF, CRLF or CR; a line that begins with `:` is a comment; several `data` lines are one text.
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


def events(body: bytes, whole: bool = False) -> list[Event]:
    """The events with data, but for the closing `[DONE]`. Never raises: bytes that are no UTF-8 are replaced.

    What stands behind the last empty line is an event too, as some servers do not end their last one, unless only
    `whole` ones count.
    """
    return list(iter_events(body, whole))


def iter_events(body: bytes, whole: bool = False) -> Iterator[Event]:
    """As `events`, read one by one."""
    return (event for event in _all(body, whole) if event.data and event.data.strip() != DONE)


def _all(body: bytes, whole: bool) -> Iterator[Event]:
    start = len(_BOM) if body.startswith(_BOM) else 0
    for blank in _BLANK_LINE.finditer(body, start):
        yield _event(body[start : blank.start()], blank.end())
        start = blank.end()
    if not whole:
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
