"""Request ids: UUIDv7 (RFC 9562 §5.7), made without a library because none is as cheap."""

from __future__ import annotations

from binascii import hexlify
from random import Random, SystemRandom
from typing import Final

_TOGETHER: Final = 64  # ids whose random part is drawn in one go
_DIGITS: Final = 20  # of random digits that one id uses up
_VARIANTS: Final = {digit: b"-%x" % (0x8 | int(chr(digit), 16) >> 2) for digit in b"0123456789abcdef"}


class Ids:
    """Random bits come from one seeded generator a process; ids need to be distinct, not secret.

    The random parts are made by the dozen, and the time's is kept for its millisecond: to format five numbers for each
    id would take four times as long.
    """

    __slots__ = ("_bits", "_tails", "_time", "_unix_ms")

    def __init__(self) -> None:
        self._bits = Random(SystemRandom().getrandbits(128)).getrandbits
        self._tails: list[bytes] = []
        self._unix_ms = -1
        self._time = b""

    def new(self, unix_ms: int) -> bytes:
        if unix_ms != self._unix_ms:
            self._unix_ms = unix_ms
            self._time = b"%08x-%04x-7" % (unix_ms >> 16, unix_ms & 0xFFFF)
        if not self._tails:
            self._tails = self._drawn()
        return self._time + self._tails.pop()

    def _drawn(self) -> list[bytes]:
        size = _TOGETHER * _DIGITS // 2
        digits = hexlify(self._bits(8 * size).to_bytes(size, "big"))
        ids = (digits[at : at + _DIGITS] for at in range(0, 2 * size, _DIGITS))
        return [b"%b%b%b-%b" % (one[:3], _VARIANTS[one[3]], one[4:7], one[7:19]) for one in ids]
