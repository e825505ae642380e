"""How a body stands in a line: always a string with its encoding, or null with the reason.

utf8        the text as received, its content coding removed
base64      bytes that are no UTF-8, or whose coding is unknown or broken (then as received)
withheld    redaction applies and could not be carried out
not_stored  none came, or the settings say that it is not kept
"""

from __future__ import annotations

from base64 import b64encode
from codecs import utf_8_decode
from typing import Final, NamedTuple

UTF8, BASE64, WITHHELD, NOT_STORED = "utf8", "base64", "withheld", "not_stored"


class StoredBody(NamedTuple):
    body: str | None
    encoding: str
    truncated: bool  # what stands in `body` is only the beginning


NO_BODY: Final = StoredBody(None, NOT_STORED, False)
WITHHELD_BODY: Final = StoredBody(None, WITHHELD, False)


def stored(body: bytes, limit: int, truncated: bool = False, opaque: bool = False) -> StoredBody:
    """At most `limit` bytes of `body`; `truncated`: it is a prefix already; `opaque`: never as text.

    A character that the cut divides is left out, so that text stays text.
    """
    if len(body) > limit:
        body, truncated = body[:limit], True
    if not opaque:
        try:
            text, _ = utf_8_decode(body, "strict", not truncated)
            return StoredBody(text, UTF8, truncated)
        except UnicodeDecodeError:
            pass
    return StoredBody(b64encode(body).decode("ascii"), BASE64, truncated)
