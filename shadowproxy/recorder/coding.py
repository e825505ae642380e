"""Removing content codings (RFC 9110 §8.4), with a bound on what may come out: a bomb costs no more than any body.

gzip (RFC 1952, also several members) and deflate (RFC 1950, and the bare RFC 1951 that some servers send) are known.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

_GZIP: Final = 16 + zlib.MAX_WBITS
_ALIASES: Final = {"x-gzip": "gzip", "identity": ""}
_MOST_CODINGS: Final = 3
_MOST_MEMBERS: Final = 1000


class Decoded(NamedTuple):
    body: bytes | None  # None: a coding is unknown, or the body is not what it says
    truncated: bool  # more would have come out, or the input was cut off


FAILED: Final = Decoded(None, False)


def decode(body: bytes, codings: str, limit: int, truncated: bool = False) -> Decoded:
    """`codings` is the Content-Encoding field; at most `limit` bytes come out. `truncated`: `body` is a prefix."""
    names = [name for part in codings.lower().split(",") if (name := _ALIASES.get(part.strip(), part.strip()))]
    if len(names) > _MOST_CODINGS:
        return FAILED
    for name in reversed(names):
        if not body:
            break
        decoded, truncated = _DECODERS.get(name, _unknown)(body, limit, truncated)
        if decoded is None:
            return FAILED
        body = decoded
    return Decoded(body, truncated)


def _unknown(body: bytes, limit: int, truncated: bool) -> Decoded:
    return FAILED


def _gzip(body: bytes, limit: int, truncated: bool) -> Decoded:
    out: list[bytes] = []
    room = limit
    for _ in range(_MOST_MEMBERS):
        decoded, rest = _inflate(body, _GZIP, room, truncated)
        if decoded.body is None:
            # Behind a whole member there may be padding, which gunzip ignores as well.
            return Decoded(b"".join(out), truncated) if out else FAILED
        out.append(decoded.body)
        room -= len(decoded.body)
        if decoded.truncated or not rest:
            return Decoded(b"".join(out), decoded.truncated)
        body = rest
    return FAILED


def _deflate(body: bytes, limit: int, truncated: bool) -> Decoded:
    decoded, _ = _inflate(body, zlib.MAX_WBITS, limit, truncated)
    if decoded.body is None:
        decoded, _ = _inflate(body, -zlib.MAX_WBITS, limit, truncated)
    return decoded


def _inflate(body: bytes, window: int, limit: int, truncated: bool) -> tuple[Decoded, bytes]:
    """(what came out, what lies behind the end of the stream)."""
    stream = zlib.decompressobj(window)
    try:
        # One byte more than allowed tells a body of just that length from a longer one.
        out = stream.decompress(body, limit + 1)
    except zlib.error:
        return FAILED, b""
    if len(out) > limit:
        return Decoded(out[:limit], True), b""
    if stream.eof:
        return Decoded(out, False), stream.unused_data
    return (Decoded(out, True) if truncated else FAILED), b""


_DECODERS: Final = {"gzip": _gzip, "deflate": _deflate}
