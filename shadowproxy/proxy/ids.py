"""Request ids: UUIDv7 (RFC 9562 §5.7), made without a library because none is as cheap."""

from __future__ import annotations

from binascii import hexlify
from random import Random, SystemRandom
from typing import Final

_POOL_BYTES: Final = 8192
_DIGITS: Final = 20  # of random digits that one id uses up
_VARIANTS: Final = {digit: b"-%x" % (0x8 | int(chr(digit), 16) >> 2) for digit in b"0123456789abcdef"}


class Ids:
    """Random bits come from one seeded generator a process; ids need to be distinct, not secret.

    Digits are drawn by the thousand, and the time's are kept for its millisecond: five numbers formatted for each id
    take longer.
    """

    __slots__ = ("_at", "_bits", "_digits", "_time", "_unix_ms")

    def __init__(self) -> None:
        self._bits = Random(SystemRandom().getrandbits(128)).getrandbits
        self._digits = b""
        self._at = 0
        self._unix_ms = -1
        self._time = b""

    def new(self, unix_ms: int) -> bytes:
        if unix_ms != self._unix_ms:
            self._unix_ms = unix_ms
            self._time = b"%08x-%04x-7" % (unix_ms >> 16, unix_ms & 0xFFFF)
        digits, at = self._digits, self._at
        if at + _DIGITS > len(digits):
            digits = self._digits = hexlify(self._bits(8 * _POOL_BYTES).to_bytes(_POOL_BYTES, "big"))
            at = 0
        self._at = at + _DIGITS
        variant = _VARIANTS[digits[at + 3]]
        return b"".join(
            (self._time, digits[at : at + 3], variant, digits[at + 4 : at + 7], b"-", digits[at + 7 : at + 19])
        )
