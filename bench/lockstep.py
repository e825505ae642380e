"""The world of one worker, played by one thread: client, models, recorder and supervisor.

Law: nothing is sent before the worker sleeps again. Every event is thus handled in a wake-up of its own, always in the
same order, and the worker's instructions are the same from run to run. The client asks, production answers, then the
candidate; the recorder acknowledges what it gets at once.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.failure import MeasurementError
from shadowproxy.core.outcome import LOGGED
from shadowproxy.wire import frames
from shadowproxy.wire.messages import Configure, Failed, Ready, SupervisorInbox, pack

_PATIENCE_S = 60.0
_LOOK_S = 0.0002
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Worker(Protocol):
    def is_asleep(self) -> bool: ...


class Peer:
    """One connection of the worker's: whole messages out of it, fixed bytes into it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""

    def message(self) -> bytes:
        """The next whole request or answer."""
        while (end := self._whole()) is None:
            more = self.sock.recv(1 << 16)
            if not more:
                raise MeasurementError(f"the worker ended a connection after {self._buffer[:200]!r}")
            self._buffer += more
        message, self._buffer = self._buffer[:end], self._buffer[end:]
        return message

    def _whole(self) -> int | None:
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._buffer, 0, head + 2)
        end = head + 4 + (int(length[1]) if length else 0)
        return end if len(self._buffer) >= end else None


class Model:
    """An upstream that answers always the same, when it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(answer),
            answer,
        )
        self.socket = _listening()
        self._peer: Peer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def receive(self) -> None:
        """A whole request; one connection is all that a client with one makes."""
        if self._peer is None:
            self._peer = Peer(self.socket.accept()[0])
            self._peer.sock.settimeout(_PATIENCE_S)
        self._peer.message()

    def reply(self) -> None:
        assert self._peer is not None
        self._peer.sock.sendall(self.answer)


class Recorder:
    """Acknowledges at once what it has read, as far as it has; `pairs` counts them."""

    def __init__(self, path: Path) -> None:
        self.pairs = 0
        self._decoder = frames.Decoder()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._listening.settimeout(_PATIENCE_S)
        self._socket: socket.socket | None = None

    def accept(self) -> None:
        self._socket = self._listening.accept()[0]
        self._socket.settimeout(_PATIENCE_S)
        self.read_once()

    def read_once(self) -> None:
        """Waits for something, reads it and acknowledges the pairs that were in it, or the greeting."""
        assert self._socket is not None
        last: int | None = None
        for frame in self._decoder.feed(self._socket.recv(1 << 20)):
            if frame.kind == frames.HELLO:
                last = 0
            elif frame.kind == frames.PAIR:
                self.pairs += 1
                last = frame.seq
        if last is not None:
            self._socket.sendall(frames.ack(last, LOGGED))

    def read_what_is_there(self) -> None:
        assert self._socket is not None
        self._socket.settimeout(0)
        try:
            self.read_once()
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(_PATIENCE_S)

    def close(self) -> None:
        self._listening.close()
        if self._socket is not None:
            self._socket.close()


class Supervisor:
    """`theirs` is the worker's end of the control socket."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.settimeout(_PATIENCE_S)
        self._inbox = SupervisorInbox()

    def configure(self, snapshot: bytes) -> None:
        """Until the worker is ready. Raises MeasurementError when it says that it cannot be."""
        self.theirs.close()
        self._ours.sendall(pack(Configure(snapshot)))
        while True:
            data = self._ours.recv(1 << 16)
            if not data:
                raise MeasurementError("the worker ended before it was ready")
            for message in self._inbox.feed(data):
                if isinstance(message, Failed):
                    raise MeasurementError(f"the worker could not start: {message.reason}")
                if isinstance(message, Ready):
                    return

    def read_what_is_there(self) -> None:
        """A control socket that nobody reads would fill up."""
        self._ours.setblocking(False)
        try:
            self._ours.recv(1 << 20)
        except BlockingIOError:
            pass
        finally:
            self._ours.settimeout(_PATIENCE_S)


class Lockstep:
    """Everything that one worker talks to. `candidate` is None where nothing is mirrored."""

    def __init__(self, place: Path, request: bytes, production: bytes, candidate: bytes | None) -> None:
        self.listen = _listening()
        self.recorder_path = place / "recorder.sock"
        self.recorder = Recorder(self.recorder_path)
        self.supervisor = Supervisor()
        self.production = Model(production)
        self.candidate = None if candidate is None else Model(candidate)
        self._request = request
        self._client: Peer | None = None

    def begin(self, snapshot: bytes) -> None:
        self.supervisor.configure(snapshot)
        self.recorder.accept()
        sock = socket.create_connection(self.listen.getsockname(), timeout=_PATIENCE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = Peer(sock)

    def exchange(self, worker: Worker, count: int) -> None:
        """`count` requests, one after the other."""
        assert self._client is not None
        expected = self.production.answer.partition(b"\r\n\r\n")[2]
        for _ in range(count):
            self._step(worker, self._client.sock.sendall, self._request)
            self.production.receive()
            if self.candidate is not None:
                self.candidate.receive()
            self._step(worker, self.production.reply)
            answer = self._client.message()
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(expected):
                raise MeasurementError(f"the worker answered {answer[:300]!r}")
            if self.candidate is not None:
                self._step(worker, self.candidate.reply)
            self.supervisor.read_what_is_there()
            self.recorder.read_what_is_there()

    def settle(self, worker: Worker, pairs: int) -> None:
        """Until the recorder has so many pairs and the worker knows."""
        while self.recorder.pairs < pairs:
            self.recorder.read_once()
        _until(worker.is_asleep)

    def close(self) -> None:
        self.recorder.close()
        self.listen.close()

    def _step(self, worker: Worker, send: Callable[..., None], *words: bytes) -> None:
        _until(worker.is_asleep)
        send(*words)
        _until(worker.is_asleep)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise MeasurementError(f"the worker was still busy after {_PATIENCE_S:.0f} s")
        time.sleep(_LOOK_S)


def _listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    sock.settimeout(_PATIENCE_S)
    return sock
