"""What requests carry: a file as it is, or the bodies of a pair log's requests, whole ones only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shadowproxy.pairlog import reader

MOST: Final = 10_000  # bodies that are held; more of a log are not read
_JSON_STARTS: Final = (b"{", b"[")


class BodiesError(ValueError):
    """What was given holds no body that could be sent."""


@dataclass(frozen=True, slots=True)
class Body:
    data: bytes
    content_type: str | None


def read(path: Path) -> list[Body]:
    """A directory is a pair log, and so is a file with the name of one; any other file is one body.

    Raises OSError when it cannot be read, BodiesError for a log without a whole body.
    """
    if not _is_log(path):
        data = path.read_bytes()
        return [Body(data, "application/json" if data.lstrip()[:1] in _JSON_STARTS else None)]
    found = list(_of_log(path))
    if not found:
        raise BodiesError(f"{path}: expected a pair log with whole request bodies, there were none")
    return found


def _is_log(path: Path) -> bool:
    return path.is_dir() or path.name.startswith("pairs-")


def _of_log(path: Path) -> Iterator[Body]:
    seen: set[tuple[str, str]] = set()
    for pair in reader.find([path]).pairs():
        # A request has a pair for each candidate.
        identity = (str(pair.get("id")), str(pair.get("ts")))
        body = _body(pair["request"])
        if body is not None and identity not in seen:
            seen.add(identity)
            yield body
            if len(seen) == MOST:
                return


def _body(request: dict[str, Any]) -> Body | None:
    text, encoding = request.get("body"), request.get("body_encoding")
    if text is None or request.get("body_truncated"):
        return None
    headers = {name.lower(): value for name, value in request.get("headers") or ()}
    if encoding == "base64":
        data = base64.b64decode(text)
    elif encoding == "utf8":
        data = text.encode()  # decompressed, so no Content-Encoding goes with it
    else:
        return None
    return Body(data, headers.get("content-type"))
