"""Lines to a TCP server that takes one JSON object a line: Logstash's json_lines, rsyslog's imtcp, Vector, Fluent Bit.

Stands beside the floors, like `logs`. A thread of its own does all that may wait; it begins with the first line.

Law: `offer` never blocks and never raises. A line beyond the rate, or beyond what the spool holds, is dropped and
counted; of a full spool the new line goes, for the old ones have been promised. What was handed to the system when a
receiver died may be lost with it: TCP does not say.
"""

from __future__ import annotations

import atexit
import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

CONNECT_S: Final = 5.0
SEND_S: Final = 10.0  # a receiver that takes nothing for so long is as good as gone
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
BATCH_BYTES: Final = 64 << 10
FAREWELL_S: Final = 1.0  # at the process's end, for what is still in the spool

Tell = Callable[[str, dict[str, object]], None]


class Shipper:
    """`dress` is applied to each line, on the thread; `tell(event, fields)` hears that a receiver is away, or back."""

    def __init__(
        self,
        to: str,
        buffer_bytes: int,
        rate: float,
        dress: Callable[[bytes], bytes] = bytes,
        tell: Tell | None = None,
        pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        host, _, port = to.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self._to = to
        self._buffer_bytes = buffer_bytes
        self._rate = rate
        self._dress = dress
        self._tell = tell or (lambda event, fields: None)
        self._first_pause_s = self._pause_s = pause_s
        self._spool: deque[bytes] = deque()
        self._held_bytes = 0
        self._tokens = rate
        self._refilled_at = time.monotonic()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._socket: socket.socket | None = None
        self._is_away = False
        self.sent = 0
        self.dropped = 0

    def offer(self, line: bytes) -> bool:
        """Whether the line, without its newline, will be sent."""
        with self._changed:
            if self._closing or not self._allowed() or self._held_bytes + len(line) > self._buffer_bytes:
                self.dropped += 1
                return False
            self._spool.append(line)
            self._held_bytes += len(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"ship to {self._to}", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._changed.notify()
        return True

    def _allowed(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._refilled_at) * self._rate)
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def close(self, within_s: float = FAREWELL_S) -> None:
        """Nothing more is taken; what waits may leave within that time. Whatever then is left is counted as dropped."""
        thread = self._thread
        with self._changed:
            self._closing = True
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(within_s)
        with self._changed:
            self.dropped += len(self._spool)
            self._spool.clear()
            self._held_bytes = 0
        atexit.unregister(self.close)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait():
            batch = self._batch()
            try:
                self._send(batch)
            except OSError as e:
                self._lost(e)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, self._pause_s)
                    if self._closing:
                        break
                self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
            else:
                self._delivered(len(batch))
        self._disconnect()

    def _wait(self) -> bool:
        """Until there is something to send; False when there never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._spool or self._closing)
            return bool(self._spool)

    def _batch(self) -> list[bytes]:
        """What is sent next; it stays in the spool until it was."""
        batch: list[bytes] = []
        size = 0
        with self._changed:
            for line in self._spool:
                if batch and size + len(line) > BATCH_BYTES:
                    break
                batch.append(line)
                size += len(line)
        return batch

    def _send(self, batch: list[bytes]) -> None:
        if self._socket is not None and self._has_ended(self._socket):
            self._disconnect()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, CONNECT_S)
            self._socket.settimeout(SEND_S)
        self._socket.sendall(b"".join(self._dress(line) + b"\n" for line in batch))

    @staticmethod
    def _has_ended(sock: socket.socket) -> bool:
        """A receiver has nothing to say but its end."""
        poller = select.poll()  # not select(2), which knows no descriptor above 1023
        poller.register(sock, select.POLLIN)
        if not poller.poll(0):
            return False
        try:
            return not sock.recv(4096)
        except OSError:
            return True

    def _delivered(self, lines: int) -> None:
        with self._changed:
            for _ in range(min(lines, len(self._spool))):
                self._held_bytes -= len(self._spool.popleft())
        self.sent += lines
        self._pause_s = self._first_pause_s
        if self._is_away:
            self._is_away = False
            self._tell("ship.back", {"to": self._to, "dropped": self.dropped})

    def _lost(self, error: OSError) -> None:
        self._disconnect()
        if not self._is_away:
            self._is_away = True
            self._tell("ship.away", {"to": self._to, "why": error.strerror or str(error) or type(error).__name__})

    def _disconnect(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None
