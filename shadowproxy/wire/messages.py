"""Messages between the supervisor and its children, on one socketpair a child.

Law: a message is `length:u32` (little-endian) and that many bytes of msgpack, a tagged struct of the tables below.

    supervisor → child                                  child → supervisor
    Configure  begin with this snapshot                 Ready      serving (after Configure)
    Prepare    build this generation, warm it           Prepared   built, or why not
    Commit     requests from now on use it              Heartbeat  alive, with totals (each second)
    Abort      forget what was prepared                 Drained    nothing in flight, all frames acknowledged
    Hush       (worker) no copies to these, at once
    Drain      finish what is in flight, then exit      Failed     cannot go on: one sentence
    Stop       exit now                                 Ask        (admin) what the supervisor is to do or tell
    Answer     to Ask
    Hold       (recorder) a worker's loop is late: leave it the processor

Counters are cumulative totals of one boot, never deltas: whoever missed a message lost nothing.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

_LENGTH: Final = struct.Struct("<I")
MAX_MESSAGE: Final = 64 << 20


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class Stats(msgspec.Struct, kw_only=True):
    """What one process counted since its boot.

    Keys of `counters`, `gauges` and `histograms` are `name` or `name{label="value",…}` as in Prometheus' text format,
    without the prefix `shadowproxy_`. A histogram is (bucket upper bounds in s, counts
    per bucket with +Inf last, sum in s).
    `ledger` holds rows as in the contract's ledger line, without `v kind ts worker boot`.
    """

    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    histograms: dict[str, tuple[list[float], list[int], float]] = {}
    ledger: list[dict[str, Any]] = []


class Configure(_Message, frozen=True, tag=True):
    snapshot: bytes


class Prepare(_Message, frozen=True, tag=True):
    generation: int
    snapshot: bytes
    warm: bool = False  # not prepared before production can be reached, with connections ready to be used


class Commit(_Message, frozen=True, tag=True):
    generation: int


class Abort(_Message, frozen=True, tag=True):
    generation: int


class Hush(_Message, frozen=True, tag=True):
    """The kill switch ahead of its configuration: nothing is prepared, nobody else is waited for.

    `candidates` are all that are to be silent whatever the configuration says; an empty list ends it.
    """

    candidates: tuple[str, ...] = ()


class Drain(_Message, frozen=True, tag=True):
    delay_s: float  # serve on for so long; only the last one at a socket also accepts
    grace_s: float  # then finish what is in flight for at most so long
    last: bool = False  # nobody succeeds this worker at its socket


class Stop(_Message, frozen=True, tag=True):
    pass


class Hold(_Message, frozen=True, tag=True):
    pass


class Answer(_Message, frozen=True, tag=True):
    id: int
    ok: bool
    body: Any = None


class Ready(_Message, frozen=True, tag=True):
    pid: int
    role: str  # worker | recorder | admin
    slot: int
    boot: int  # ms since 1970 at the process's start: with (role, slot) it names one life of one process


class Prepared(_Message, frozen=True, tag=True):
    generation: int
    error: str = ""


class Heartbeat(_Message, frozen=True, tag=True):
    stats: Stats
    healthy: bool = True  # worker: production has a usable URL; recorder: it can write
    note: str = ""


class Drained(_Message, frozen=True, tag=True):
    pass


class Failed(_Message, frozen=True, tag=True):
    reason: str


class Ask(_Message, frozen=True, tag=True):
    """`verb` is "status" (everything the supervisor knows), "readiness", "history", "reload", "renew" (restart the
    workers one by one), or one of `settings.steering.verbs`; `body` is the verb's own."""

    id: int
    verb: str
    body: Any = None


ToChild = Configure | Prepare | Commit | Abort | Hush | Drain | Stop | Hold | Answer
ToSupervisor = Ready | Prepared | Heartbeat | Drained | Failed | Ask

_encoder = msgspec.msgpack.Encoder()
_to_child = msgspec.msgpack.Decoder(ToChild)
_to_supervisor = msgspec.msgpack.Decoder(ToSupervisor)


class MessageError(ValueError):
    """The peer sent something that is no message of ours."""


def pack(message: ToChild | ToSupervisor) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class _Splitter:
    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def split(self, data: bytes) -> list[bytes]:
        self._buffer += data
        bodies = []
        while len(self._buffer) >= 4:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > MAX_MESSAGE:
                raise MessageError(f"a message of {size} bytes")
            if len(self._buffer) < 4 + size:
                break
            bodies.append(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]
        return bodies


class ChildInbox(_Splitter):
    """The child's side: bytes in, messages from the supervisor out."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[ToChild]:
        try:
            return [_to_child.decode(body) for body in self.split(data)]
        except msgspec.MsgspecError as e:
            raise MessageError(str(e)) from e


class SupervisorInbox(_Splitter):
    """The supervisor's side: bytes in, messages from one child out."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[ToSupervisor]:
        try:
            return [_to_supervisor.decode(body) for body in self.split(data)]
        except msgspec.MsgspecError as e:
            raise MessageError(str(e)) from e


def merge_stats(into: Stats, more: Stats) -> None:
    """Add the totals of another life of the same role; gauges are not added, they ended with their process."""
    for key, value in more.counters.items():
        into.counters[key] = into.counters.get(key, 0.0) + value
    for key, (bounds, counts, total) in more.histograms.items():
        have = into.histograms.get(key)
        if have is None or have[0] != bounds:
            into.histograms[key] = (list(bounds), list(counts), total)
        else:
            into.histograms[key] = (
                have[0],
                [a + b for a, b in zip(have[1], counts, strict=True)],
                have[2] + total,
            )
