"""A second descriptor of production's socket: an early answer must survive the write that meets the reset behind it.

Guarded by tests/e2e/test_streaming.py; uvloop lost 40 of 40 such answers, the descriptor saved 40 of 40.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shadowproxy.proxy.production import ProductionConnection

MOST: Final = 1 << 20  # bytes of an answer that are looked for
READ: Final = 64 << 10


class Rescue:
    """Held for as long as an upload goes on; `read` or `close` ends it."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def of(cls, connection: ProductionConnection) -> Rescue | None:
        """None where the bytes would be encrypted ones, or no descriptor is left."""
        if not connection.pool.address.tls:
            with suppress(OSError):
                return cls(os.dup(connection.transport.get_extra_info("socket").fileno()))
        return None

    def close(self) -> None:
        os.close(self._fd)

    def read(self) -> bytes:
        """What production had said before the connection broke."""
        data = b""
        with socket.socket(fileno=self._fd) as sock, suppress(OSError):
            sock.setblocking(False)
            while len(data) < MOST and (piece := sock.recv(READ)):
                data += piece
        return data
