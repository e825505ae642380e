"""What a segment of columns says about the lines that it was made of, in its Parquet footer, as plain JSON.

    torn    1 where the lines ended in an unfinished one, else 0
    marks   [worker, boot, first, last, candidates] for each life of a worker that wrote to it: its lowest and highest
            seq, and whose lines of the frame `last` are there (see `marks`)

The footer's strings are stored as they are, so that a search in bytes finds the note: a recorder that starts asks for
marks, and need not load a database for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

KEY: Final = "shadowproxy"
_MAGIC: Final = b"PAR1"
_BEGIN: Final = b'{"v":1,"torn":'
_MAX_FOOTER: Final = 64 << 20


class Note(msgspec.Struct, frozen=True):
    v: int = 1
    torn: int = 0
    marks: tuple[tuple[int, int, int, int, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return orjson.dumps(msgspec.to_builtins(self)).decode()


def note_of(path: Path) -> Note:
    """An empty one for Parquet that others wrote, or that is none."""
    footer = _footer(path)
    at = footer.find(_BEGIN)
    if at < 0:
        return Note()
    try:
        value: Any = _first_document(footer[at:])
        return msgspec.convert(value, Note)
    except (ValueError, msgspec.ValidationError):
        return Note()


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        end = file.seek(0, 2)
        if end < 12:
            return b""
        file.seek(end - 8)
        tail = file.read(8)
        size = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or size > min(end - 8, _MAX_FOOTER):
            return b""
        file.seek(end - 8 - size)
        return file.read(size)


def _first_document(data: bytes) -> Any:
    """The JSON document at the start of `data`, whatever follows: up to the brace that closes it."""
    depth, quoted, escaped = 0, False, False
    for at, sign in enumerate(data):
        if escaped:
            escaped = False
        elif quoted and sign == 0x5C:
            escaped = True
        elif sign == 0x22:
            quoted = not quoted
        elif not quoted and sign in b"{}":
            depth += 1 if sign == 0x7B else -1
            if depth == 0:
                return orjson.loads(data[: at + 1])
    raise ValueError("no end")
