"""Embeddings that come as base64 of little-endian float32, as OpenAI's SDK asks for: read into the numbers they are."""

from __future__ import annotations

import struct
from base64 import b64decode
from binascii import Error
from typing import Any


def numbers(encoded: Any) -> Any:
    """The list of numbers; the value itself where it is no such text."""
    if not isinstance(encoded, str):
        return encoded
    try:
        raw = b64decode(encoded, validate=True)
    except (Error, ValueError):
        return encoded
    if not raw or len(raw) % 4:
        return encoded
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))
