"""Frames on the unix socket between a worker and a recorder.

Law: a frame is `length:u32 kind:u8 seq:u64 payload`, little-endian, where length counts all that follows it.

    worker → recorder                                       recorder → worker
    HELLO    who I am (worker, boot)                        ACK  every PAIR up to seq has this status
    CONFIG   the snapshot that a generation names (JSON)
    PAIR     one request and all its exchanges (seq 1, 2, 3 …)
    LEDGER   cumulative totals (JSON), written as they are
    BYE      nothing follows; the recorder writes all it holds and acknowledges

A worker sends HELLO first, then CONFIG for each generation that its unacknowledged pairs name, then pairs in the order
of seq. The recorder answers HELLO with an ACK of the last seq that the log already holds, and each pair, once its lines
were written (or could not be), with an ACK. The worker keeps a pair until it is acknowledged. Bytes are bytes as they
came: nothing here is parsed, decompressed or checked by the worker.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

HELLO: Final = 1
CONFIG: Final = 2
PAIR: Final = 3
LEDGER: Final = 4
BYE: Final = 5
ACK: Final = 6

MAX_FRAME: Final = 256 << 20  # a longer one is a fault of the sender; the connection is closed

_HEAD: Final = struct.Struct("<IBQ")
_HELLO: Final = struct.Struct("<HQ")
_ACK: Final = struct.Struct("<B")
# generation, route, flags, answered_by role, exchanges, arrival in µs since 1970,
# then lengths: id, head, body, body total
_PAIR: Final = struct.Struct("<IHBBBqHIIQ")
# role, outcome, dropped, flags, status, start, connect, sent, first_byte, total, stalled (ns, -1 = unknown),
# then lengths: head, body, body total, error, arrivals
_PAIR_FRAME: Final = struct.Struct(_HEAD.format + _PAIR.format[1:])  # both at once: one call on production's loop
_EXCHANGE: Final = struct.Struct("<BBBBHqqqqqqIIQHI")
_new: Final = tuple.__new__
_ARRIVAL: Final = struct.Struct("<QI")  # ns since the exchange's start, bytes of the body that had come by then

HEAD_BYTES: Final = _HEAD.size
_PAIR_BYTES: Final = _PAIR.size
EXCHANGE_BYTES: Final = _EXCHANGE.size
# The fixed part of an exchange: the fields of `Exchange` up to `stalled`, then the lengths of head, body, the body as
# it came, error and arrivals. Exposed because two of them are packed for each mirrored request, on production's loop.
exchange_head: Final = _EXCHANGE.pack
NO_ROUTE: Final = 0xFFFF
UNKNOWN: Final = -1
MAX_ERROR: Final = 1000  # bytes of an exchange's error text

# A pair's flags
WARMUP: Final = 1
REQUEST_TRUNCATED: Final = 2
# An exchange's flags: the kept body is a prefix of what came; the answer ended with the connection; the copy left
# within `statistics.warmup` of its trial's first, or of its breaker's closing
BODY_TRUNCATED: Final = 1
CLOSE_DELIMITED: Final = 2
WARMING: Final = 4

# Roles
PRODUCTION: Final = 0
TWIN: Final = 1
FIRST_CANDIDATE: Final = 2  # and FIRST_CANDIDATE + i is snapshot.candidates[i]


class Exchange(NamedTuple):
    """One attempt at one upstream. Times in ns; `start` from the request's arrival, the others from `start`."""

    role: int
    outcome: int  # index into core.outcome.OUTCOMES, 0 when the copy was dropped
    dropped: int  # index into core.outcome.DROPPED, 0 when it was sent
    flags: int
    status: int  # 0: no answer's head came
    start: int
    connect: int
    sent: int
    first_byte: int
    total: int
    stalled: int
    head: bytes  # the answer's head as received, status line to empty line; interim 1xx answers are not in it
    body: bytes | bytearray  # framing removed, content coding as received; at most pairs.store_up_to or compare.up_to
    body_bytes: int  # how long the body was
    error: bytes  # UTF-8, empty when there was none
    arrivals: bytes = b""  # streams: packed (ns, bytes so far), read with `arrivals()`


class Pair(NamedTuple):
    """One request and its exchanges, production's first."""

    generation: int
    route: int  # index into snapshot.routes
    flags: int
    answered_by: int  # the role whose answer the client got
    arrival_us: int  # µs since 1970, UTC
    id: bytes
    head: bytes  # the request's head as the client sent it, request line to empty line
    body: bytes | bytearray  # framing removed
    body_bytes: int
    exchanges: tuple[Exchange, ...]


# As a call, for mypyc 2.4 cannot compile a class with a field of this type.
Frame = NamedTuple("Frame", [("kind", int), ("seq", int), ("payload", memoryview)])  # noqa: UP014


class FrameError(ValueError):
    """The peer sent something that is no frame: the connection is of no more use."""


def hello(worker: int, boot: int) -> bytes:
    return _HEAD.pack(9 + _HELLO.size, HELLO, 0) + _HELLO.pack(worker, boot)


def config(snapshot: bytes, generation: int) -> bytes:
    """`generation` travels in the place of seq."""
    return _HEAD.pack(9 + len(snapshot), CONFIG, generation) + snapshot


def ledger(rows: bytes) -> bytes:
    return _HEAD.pack(9 + len(rows), LEDGER, 0) + rows


def bye() -> bytes:
    return _HEAD.pack(9, BYE, 0)


def ack(seq: int, status: int) -> bytes:
    """Every pair after the last ACK and up to `seq` has `status`: LOGGED, or an index into core.outcome.UNLOGGED."""
    return _HEAD.pack(9 + _ACK.size, ACK, seq) + _ACK.pack(status)


def arrival(at_ns: int, body_bytes: int) -> bytes:
    return _ARRIVAL.pack(at_ns, body_bytes)


def arrivals(data: bytes) -> list[tuple[int, int]]:
    return list(_ARRIVAL.iter_unpack(data))


def _pack_exchange(exchange: Exchange) -> list[bytes | bytearray]:
    *fixed, head, body, body_bytes, error, came = exchange
    first = exchange_head(*fixed, len(head), len(body), body_bytes, len(error), len(came))
    return [first, head, body, error, came]


def pair_head(
    seq: int,
    size: int,
    count: int,
    generation: int,
    route: int,
    flags: int,
    answered_by: int,
    arrival_us: int,
    id_: bytes,
    head: bytes,
    body: bytes | bytearray,
    body_bytes: int,
) -> bytes:
    """What stands before id, head, body and `count` exchanges that are `size` bytes long."""
    n_id, n_head, n_body = len(id_), len(head), len(body)
    length = 9 + _PAIR_BYTES + n_id + n_head + n_body + size
    return _PAIR_FRAME.pack(
        length, PAIR, seq, generation, route, flags, answered_by, count, arrival_us, n_id, n_head, n_body, body_bytes
    )


def pack_pair(seq: int, pair: Pair) -> list[bytes | bytearray]:
    """The frame as a list of buffers for one `writelines`; bodies are not copied."""
    out = [part for exchange in pair.exchanges for part in _pack_exchange(exchange)]
    head = pair_head(seq, sum(map(len, out)), len(pair.exchanges), *pair[:-1])
    return [head, pair.id, pair.head, pair.body, *out]


def unpack_hello(payload: memoryview) -> tuple[int, int]:
    """(worker, boot)"""
    try:
        worker, boot = _HELLO.unpack(payload)
    except struct.error as e:
        raise FrameError(f"HELLO of {len(payload)} bytes") from e
    return worker, boot


def unpack_ack(payload: memoryview) -> int:
    try:
        (status,) = _ACK.unpack(payload)
    except struct.error as e:
        raise FrameError(f"ACK of {len(payload)} bytes") from e
    return int(status)


def unpack_pair(payload: memoryview) -> Pair:
    """The inverse of `pack_pair`; raises FrameError when lengths do not add up."""
    try:
        generation, route, flags, answered_by, count, arrival_us, n_id, n_head, n_body, body_bytes = _PAIR.unpack_from(
            payload
        )
        # A slice beyond the end is shorter than it should be: where all of them end shows it.
        at = _PAIR.size
        id_ = payload[at : (at := at + n_id)].tobytes()
        head = payload[at : (at := at + n_head)].tobytes()
        body = payload[at : (at := at + n_body)].tobytes()
        exchanges = []
        for _ in range(count):
            *fixed, n_head, n_body, total, n_error, n_arrivals = _EXCHANGE.unpack_from(payload, at)
            at += EXCHANGE_BYTES
            answer_head = payload[at : (at := at + n_head)].tobytes()
            answer = payload[at : (at := at + n_body)].tobytes()
            error = payload[at : (at := at + n_error)].tobytes() if n_error else b""
            came = payload[at : (at := at + n_arrivals)].tobytes() if n_arrivals else b""
            # As a class does it that was given a tuple: by name or by position it takes three times as long.
            exchanges.append(_new(Exchange, (*fixed, answer_head, answer, total, error, came)))
    except struct.error as e:
        raise FrameError(f"PAIR of {len(payload)} bytes: {e}") from e
    if at != len(payload):
        many = len(payload) - at
        raise FrameError(f"PAIR has {abs(many)} bytes too {'many' if many > 0 else 'few'}")
    exchanges_ = tuple(exchanges)
    return _new(Pair, (generation, route, flags, answered_by, arrival_us, id_, head, body, body_bytes, exchanges_))


class Decoder:
    """Bytes in, frames out; what is not yet a whole frame is kept.

    A frame's payload is a view that is valid until the next call of `feed`.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._limit = limit

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Raises FrameError at a length that no frame of ours has."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
        view = memoryview(data)
        head_of = _HEAD.unpack_from
        at, end = 0, len(data)
        limit = self._limit
        while end - at >= HEAD_BYTES:
            size, kind, seq = head_of(view, at)
            if not 9 <= size <= limit:
                raise FrameError(f"a frame of {size} bytes")
            behind = at + 4 + size
            if behind > end:
                break
            yield _new(Frame, (kind, seq, view[at + HEAD_BYTES : behind]))
            at = behind
        if 4 <= end - at < HEAD_BYTES and not 9 <= (size := int.from_bytes(view[at : at + 4], "little")) <= limit:
            raise FrameError(f"a frame of {size} bytes")
        self._buffer = bytearray(view[at:])
