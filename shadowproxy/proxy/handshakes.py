"""Clients that speak TLS, accepted by hand: an event loop's own server tells of one only after its handshake.

Law: whoever was accepted is taken at once, and counts from there on; what a client does before its handshake is over
(nothing, most often, if it means harm) holds no more files than are counted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 64  # clients in one turn of the loop: a thousand that come together delay nobody
PAUSE_S: Final = 0.1  # where no file is left; the kernel would say again and again that somebody waits


class TlsServer:
    """Accepts on `sock`, which is its own and does not block, until `close`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, take: Callable[[socket.socket], None]
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._take = take
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._sock)
                self._again = self._loop.call_later(PAUSE_S, self._listen)
                return
            self._take(client)

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
