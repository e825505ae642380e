"""The trace context of a copy (W3C Trace Context, level 1): the client's trace, and a parent of its own.

Law: what is valid keeps its trace id and its flags; what is invalid or repeated begins a new trace, whose `tracestate`
is not the old one's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_PARENT: Final = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:\Z|-)")


def trace_of(values: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """(trace id, flags) of a request's `traceparent` fields; None where they say none that is valid."""
    found = _PARENT.match(values[0]) if len(values) == 1 else None
    if found is None or (found[1] == b"00" and found.end() != len(values[0])):
        return None
    # Of a version that is not known here only the flag `sampled` has a meaning.
    flags = found[3] if found[1] == b"00" else b"%02x" % (int(found[3], 16) & 1)
    return found[2], flags


def parent(trace: tuple[bytes, bytes], span: int) -> bytes:
    """The value of the copy's field; `span` is 64 random bits, not 0."""
    return b"00-%b-%016x-%b" % (trace[0], span, trace[1])
