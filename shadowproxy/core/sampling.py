"""Which requests a candidate gets a copy of: a share of keys, not of requests.

Law: a key maps to one point in [0, 1); a candidate with share s gets the keys below s. So a 5 % sample lies inside a
10 % sample of the same key, and every worker, restart and machine decides alike.

The point is the first 8 bytes, big-endian, of BLAKE2b(key, digest_size=8, person="shadowproxy") divided by 2^64.
A key is the bytes of the id, of a field's or a cookie's value, or of what a JSON body says: a string's characters in
UTF-8, any other value as the body spells it; null and what is empty is no key.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

_PERSON: Final = b"shadowproxy"


def point(key: bytes) -> float:
    digest = hashlib.blake2b(key, digest_size=8, person=_PERSON).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def is_sampled(key: bytes, share: float) -> bool:
    """`share` in 0…1; 0 takes nothing and 1 everything, without hashing."""
    if share >= 1.0:
        return True
    return share > 0.0 and point(key) < share


def text_key(text: str | None) -> bytes | None:
    """The key that a JSON value stands for, given its text."""
    if text is None or text == "null":
        return None
    return (json.loads(text) if text.startswith('"') else text).encode("utf-8", "surrogatepass")


def cookie(header: bytes, name: bytes) -> bytes | None:
    """The value of one cookie in a Cookie field."""
    for part in header.split(b";"):
        key, _, value = part.strip().partition(b"=")
        if key == name:
            return value
    return None
