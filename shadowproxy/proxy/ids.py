"""Request ids: UUIDv7 (RFC 9562 §5.7), made without a library because none is as cheap."""

from __future__ import annotations

from random import SystemRandom


class Ids:
    """Random bits come from one seeded generator a process; ids need to be distinct, not secret."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        import random

        self._bits = random.Random(SystemRandom().getrandbits(128)).getrandbits

    def new(self, unix_ms: int) -> bytes:
        bits = self._bits(74)
        return b"%08x-%04x-7%03x-%04x-%012x" % (
            unix_ms >> 16,
            unix_ms & 0xFFFF,
            bits >> 62,
            0x8000 | (bits >> 48) & 0x3FFF,
            bits & 0xFFFFFFFFFFFF,
        )
