"""A worker's side of the recorder's socket: keeps what is not acknowledged, and sends it again to the next recorder."""

from __future__ import annotations

import select
import socket
from collections import Counter, OrderedDict
from typing import Any

import orjson

from shadowproxy.core.outcome import LOGGED
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.support.frames import BOOT
from tests.support.until import until


class FakeWorker:
    """Connects when it is used and whenever the recorder is gone; one thread, nothing happens between two calls."""

    def __init__(self, path: str, snapshot: settings.Snapshot, worker: int = 0, boot: int = BOOT) -> None:
        self.path = path
        self.worker = worker
        self.boot = boot
        self.snapshots = {snapshot.generation: snapshot}
        self.unacknowledged: OrderedDict[int, frames.Pair] = OrderedDict()
        self.fates: dict[int, int] = {}
        self.marks: list[int] = []
        self.connections = 0
        self.seq = 0
        self._unsent = bytearray()
        self._socket: socket.socket | None = None
        self._decoder = frames.Decoder()
        self._greeted = False
        self._configured: set[int] = set()

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(self, *raised: object) -> None:
        self.hang_up()

    def offer(self, pair: frames.Pair) -> int:
        """Number the pair, keep it, and send it as soon as there is somebody."""
        self.seq += 1
        self.unacknowledged[self.seq] = pair
        if self._greeted:
            self._queue(self.seq, pair)
        self.turn(0)
        return self.seq

    def ledger(self, rows: list[dict[str, Any]]) -> None:
        self.connect()
        self._unsent += frames.ledger(orjson.dumps(rows))
        self.turn(0)

    def bye(self) -> None:
        self._unsent += frames.bye()
        self.turn(0)

    def settle(self, within_s: float = 10.0) -> Counter[int]:
        """Until all is acknowledged; how many have which status."""
        until(lambda: self.turn(0.01) and not self.unacknowledged, within_s, f"acks of {list(self.unacknowledged)[:5]}")
        return Counter(self.fates.values())

    def greet(self, within_s: float = 10.0) -> int:
        """Until the recorder has answered HELLO; its mark."""
        until(lambda: self.turn(0.01) and self._greeted, within_s, "an answer to HELLO")
        return self.marks[-1]

    def flush(self, within_s: float = 10.0) -> None:
        """Until all that was queued is in the socket."""
        until(lambda: self.turn(0.01) and not self._unsent, within_s, "room in the recorder's socket")

    @property
    def unsent_bytes(self) -> int:
        return len(self._unsent)

    def hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._greeted = False
        self._unsent.clear()

    # -- the socket ------------------------------------------------------------------------------------------------

    def connect(self) -> bool:
        if self._socket is not None:
            return True
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            return False
        sock.setblocking(False)
        self._socket = sock
        self._decoder = frames.Decoder()
        self._greeted = False
        self._configured.clear()
        self._unsent = bytearray(frames.hello(self.worker, self.boot))
        self.connections += 1
        return True

    def turn(self, wait_s: float) -> bool:
        """Send and receive what can be without waiting longer than `wait_s`; True."""
        if not self.connect():
            return True
        assert self._socket is not None
        try:
            writers = [self._socket] if self._unsent else []
            readable, writable, _ = select.select([self._socket], writers, [], wait_s)
            if writable:
                del self._unsent[: self._socket.send(self._unsent[: 1 << 16])]
            if readable:
                self._receive(self._socket.recv(1 << 16))
        except OSError:
            self.hang_up()
        return True

    def _receive(self, data: bytes) -> None:
        if not data:
            self.hang_up()
            return
        for frame in self._decoder.feed(data):
            assert frame.kind == frames.ACK
            status = frames.unpack_ack(frame.payload)
            if self._greeted:
                self._acknowledge(frame.seq, status)
            else:
                assert status == LOGGED
                self._greeted = True
                self.marks.append(frame.seq)
                self._acknowledge(frame.seq, LOGGED)
                for seq, pair in self.unacknowledged.items():
                    self._queue(seq, pair)

    def _acknowledge(self, upto: int, status: int) -> None:
        for seq in [seq for seq in self.unacknowledged if seq <= upto]:
            del self.unacknowledged[seq]
            self.fates[seq] = status

    def _queue(self, seq: int, pair: frames.Pair) -> None:
        if pair.generation not in self._configured:
            self._configured.add(pair.generation)
            self._unsent += frames.config(settings.encode(self.snapshots[pair.generation]), pair.generation)
        self._unsent += b"".join(frames.pack_pair(seq, pair))
