"""Instructions of the recorder for one pair, counted by valgrind: on a busy machine the same as on a quiet one.

    python -m bench.pair_instructions                      by what the comparison finds, as bench.recorder has it
    python -m bench.pair_instructions --top 25             the C functions that take most of them
    python -m bench.pair_instructions --against FILE       beside an earlier run's JSON, kept in bench/results/

A real recorder runs under callgrind; supervisor and worker are played by one thread, which sends as many pairs at a
time as gather in a recorder at 2,000 requests/s, and the next when those are acknowledged.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import builds
from bench.callgrind import counted
from bench.counting import Count, Counting, per_request
from bench.failure import MeasurementError
from bench.lockstep import Supervisor
from bench.recorder import CASES
from bench.scenarios import Scenario, request_for
from shadowproxy.core.outcome import COMPLETE, LOGGED
from shadowproxy.settings.build import build
from shadowproxy.settings.model import Settings
from shadowproxy.settings.settle import settle
from shadowproxy.settings.snapshot import encode
from shadowproxy.wire import frames

_AT_ONCE = 80  # pairs that gather in 40 ms (recording.GATHER_S) at 2,000 requests/s
_IDLE_S = 2.0
_PATIENCE_S = 120.0
_MS = 1_000_000


class Sender:
    """The worker's end: greets, says what generation 1 is, and sends pairs until each is acknowledged as logged."""

    def __init__(self, path: Path, snapshot: bytes, case: Scenario) -> None:
        self._case = case
        self._seq = 0
        self._decoder = frames.Decoder()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE_S)
        self._socket.connect(str(path))
        self._socket.sendall(frames.hello(0, 1) + frames.config(snapshot, 1))
        self._wait_for(0)

    def send(self, count: int) -> None:
        while count > 0:
            many = min(count, _AT_ONCE)
            count -= many
            parts: list[bytes | bytearray] = []
            for _ in range(many):
                self._seq += 1
                parts += frames.pack_pair(self._seq, pair_of(self._case, self._seq))
            self._socket.sendall(b"".join(parts))
            self._wait_for(self._seq)

    def _wait_for(self, seq: int) -> None:
        while True:
            data = self._socket.recv(1 << 16)
            if not data:
                raise MeasurementError(f"the recorder ended before it had acknowledged pair {seq}")
            for frame in self._decoder.feed(data):
                status = frames.unpack_ack(frame.payload)
                if status != LOGGED:
                    raise MeasurementError(f"pair {frame.seq} was not logged: status {status}")
                if frame.seq == seq:
                    return

    def close(self) -> None:
        self._socket.close()


def pair_of(case: Scenario, seq: int) -> frames.Pair:
    """One request as bench.recorder sends it; ids and times differ from pair to pair, as they do in traffic."""
    request, _, body = request_for(80).partition(b"\r\n\r\n")
    bodies = (case.production, case.candidate if case.candidate is not None else case.production)
    return frames.Pair(
        generation=1,
        route=0,
        flags=0,
        answered_by=frames.PRODUCTION,
        arrival_us=1_772_373_600_000_000 + 500 * seq,
        id=b"%032x" % seq,
        head=request + b"\r\n\r\n",
        body=body,
        body_bytes=len(body),
        exchanges=tuple(
            frames.Exchange(
                role=role,
                outcome=COMPLETE,
                dropped=0,
                flags=0,
                status=200,
                start=_MS // 10 + 1009 * seq,
                connect=0,
                sent=_MS // 20 + 13 * seq,
                first_byte=_MS // 2 + 1013 * seq,
                total=_MS // 2 + 1019 * seq,
                stalled=0,
                head=b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 01 Mar 2026 14:00:00 GMT\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n" % len(answer),
                body=answer,
                body_bytes=len(answer),
                error=b"",
            )
            for role, answer in ((frames.PRODUCTION, bodies[0]), (frames.FIRST_CANDIDATE, bodies[1]))
        ),
    )


def count(case: Scenario, pairs: int) -> Count:
    """Runs a recorder under callgrind. Raises MeasurementError."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="shadowproxy-bench-")))
        path = place / "recorder.sock"
        listen = stack.enter_context(socket.socket(socket.AF_UNIX))
        listen.bind(str(path))
        listen.listen()
        supervisor = Supervisor()
        fds = (supervisor.theirs.fileno(), listen.fileno())
        arguments = ["--slot", "0", "--control", str(fds[0]), "--listen", str(fds[1])]
        command = (sys.executable, "-m", "shadowproxy.recorder", *arguments)
        environment = {**builds.environment(), "PYTHONHASHSEED": "0"}
        recorder = stack.enter_context(counted(command, place, fds, environment))
        snapshot = _snapshot(place)
        supervisor.configure(snapshot)
        sender = Sender(path, snapshot, case)
        stack.callback(sender.close)
        sender.send(2 * _AT_ONCE)
        recorder.begin()
        time.sleep(_IDLE_S)
        idle = recorder.cut()
        began = time.perf_counter()
        sender.send(pairs)
        busy_s = time.perf_counter() - began
        return per_request(recorder.cut(), idle, pairs, busy_s / _IDLE_S)


def _snapshot(place: Path) -> bytes:
    tree: dict[str, object] = {
        "production": {"url": "http://127.0.0.1:1", "version": "1"},
        "candidates": [{"name": "v2", "url": "http://127.0.0.1:2", "version": "2"}],
        "pairs": {"dir": str(place / "pairs")},
    }
    return encode(build(settle(Settings.model_validate(tree)), "json"))


COUNTING = Counting("pair_instructions", __doc__, "pair", CASES, count, many=10 * _AT_ONCE, default=CASES)

if __name__ == "__main__":
    builds.prefer_compiled()
    sys.exit(COUNTING.run())
