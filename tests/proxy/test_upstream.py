"""How an upstream's bytes are read: every answer whole, byte by byte, and cut at random."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowproxy.core import outcome as o
from shadowproxy.http1.answer import AnswerHead
from shadowproxy.proxy import upstream as u
from shadowproxy.proxy.pool import Address, Pool
from shadowproxy.proxy.upstream import UpstreamConnection
from tests.proxy.world import FakeTransport


class Listening(UpstreamConnection, asyncio.Protocol):
    """Notes what it was told."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.status = 0
        self.body = b""
        self.interims: list[int] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.ends: list[tuple[object, ...]] = []

    def whole(self, head: AnswerHead, body: bytes) -> None:
        self.status = head.status
        self.body = body
        self.ends.append(("complete",))

    def began(self, head: AnswerHead, more: bool) -> None:
        self.status = head.status

    def interim(self, head: AnswerHead) -> None:
        self.interims.append(head.status)

    def pieces(self, pieces: list[bytes]) -> None:
        self.body += b"".join(pieces)

    def ended(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.trailers = trailers
        self.ends.append(("complete",))

    def failed(self, code: int, kind: str, detail: str) -> None:
        assert detail.endswith(".")
        self.ends.append((o.OUTCOMES[code], kind))


def reading(head_request: bool = False) -> tuple[Listening, FakeTransport]:
    pool = Pool(
        Address("up.test", 80, False, b"up.test"),
        Listening,
        limit=1,
        connect_s=1.0,
        keep_alive_s=4.0,
        max_age_s=300.0,
        tls=None,
        server_name=None,
    )
    pool.open = 1
    connection = Listening(pool)
    transport = FakeTransport(connection)
    connection.expect(head_request)
    return connection, transport


def received(wire: bytes, cuts: list[int], end: str = "", head_request: bool = False) -> Listening:
    connection, transport = reading(head_request)
    at = 0
    for until in [*sorted(set(cuts)), len(wire)]:
        if until > at and not transport.closing:
            transport.receive(wire[at:until])
        at = until
    if end == "fin" and not transport.closing:
        connection.eof_received()
    if end:
        transport.lose(ConnectionResetError(104, "reset") if end == "rst" else None)
    else:
        transport.hang_up()
    return connection


H = b"HTTP/1.1 "
COMPLETE, BROKEN = ("complete",), ("protocol_error", "protocol_error")
TRUNCATED, CLOSED, RESET = ("truncated", "upstream_closed"), ("reset", "upstream_closed"), ("reset", "reset")

# wire, how the connection ends, status, body, the one end, may be used again
ANSWERS: list[tuple[bytes, str, int, bytes, tuple[object, ...], bool]] = [
    (H + b"200 OK\r\nContent-Length: 5\r\n\r\nhello", "", 200, b"hello", COMPLETE, True),
    (H + b"200 OK\r\nContent-Length: 0\r\n\r\n", "", 200, b"", COMPLETE, True),
    (H + b"204 No Content\r\n\r\n", "", 204, b"", COMPLETE, True),
    (H + b"304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304, b"", COMPLETE, True),
    (H + b"200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "", 200, b"ok", COMPLETE, False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "", 200, b"ok", COMPLETE, False),
    (
        H + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        "",
        200,
        b"abc",
        COMPLETE,
        True,
    ),
    (H + b"100 Continue\r\n\r\n" + H + b"200 OK\r\nContent-Length: 2\r\n\r\nok", "", 200, b"ok", COMPLETE, True),
    (H + b"200 OK\r\n\r\nuntil", "fin", 200, b"until", COMPLETE, False),
    (H + b"200 OK\r\n\r\n", "fin", 200, b"", COMPLETE, False),
    (H + b"200 OK\r\n\r\nuntil", "rst", 200, b"until", TRUNCATED, False),
    (H + b"200 OK\r\nContent-Length: 5\r\n\r\nhell", "fin", 200, b"hell", TRUNCATED, False),
    (H + b"200 OK\r\nContent-Length: 5\r\n\r\n", "rst", 200, b"", TRUNCATED, False),
    (H + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", "fin", 200, b"ab", TRUNCATED, False),
    (H + b"200 OK\r\nContent-", "fin", 0, b"", TRUNCATED, False),
    (b"", "fin", 0, b"", CLOSED, False),
    (b"", "rst", 0, b"", RESET, False),
    (H + b"100 Continue\r\n\r\n", "fin", 0, b"", CLOSED, False),
    (H + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", 200, b"", BROKEN, False),
    (H + b"200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "", 0, b"", BROKEN, False),
    (H + b"999 Odd\r\n\r\n", "", 0, b"", BROKEN, False),
    (b"garbage\r\n\r\n", "", 0, b"", BROKEN, False),
    (H + b"200 OK\nX: 1\n\n", "", 0, b"", BROKEN, False),
]


@pytest.mark.parametrize(("wire", "end", "status", "body", "fate", "reusable"), ANSWERS)
@pytest.mark.parametrize("way", ["whole", "bytes"])
def test_an_answer_has_one_end_however_it_comes(
    wire: bytes, end: str, status: int, body: bytes, fate: tuple[object, ...], reusable: bool, way: str
) -> None:
    found = received(wire, list(range(1, len(wire))) if way == "bytes" else [], end)
    assert (found.status, found.body, found.ends) == (status, body, [fate])
    assert (found.reusable and found.state == u.IDLE) == reusable


GOOD = [row for row in ANSWERS if row[5]]


@settings(max_examples=60)
@given(st.sampled_from(GOOD), st.lists(st.integers(1, 80), max_size=6))
def test_cuts_at_random_change_nothing(
    row: tuple[bytes, str, int, bytes, tuple[object, ...], bool], cuts: list[int]
) -> None:
    wire, _, status, body, _, _ = row
    found = received(wire, [cut for cut in cuts if cut < len(wire)])
    assert (found.status, found.body, found.ends, found.reusable) == (status, body, [COMPLETE], True)


@pytest.mark.parametrize(("wire", "end", "status", "body", "fate", "reusable"), GOOD)
@pytest.mark.parametrize("cut", [False, True])
def test_bytes_behind_an_answer_forbid_its_reuse(
    wire: bytes, end: str, status: int, body: bytes, fate: tuple[object, ...], reusable: bool, cut: bool
) -> None:
    found = received(wire + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsmuggled!", [len(wire)] if cut else [])
    assert (found.status, found.body, found.ends) == (status, body, [COMPLETE])
    assert not found.reusable


def test_an_answer_to_head_ends_at_its_head_and_body_bytes_close_the_connection() -> None:
    wire = H + b"200 OK\r\nContent-Length: 5\r\n\r\n"
    found = received(wire, [], head_request=True)
    assert (found.status, found.body, found.ends, found.reusable) == (200, b"", [COMPLETE], True)
    for cuts in ([], [len(wire)]):
        found = received(wire + b"hello", cuts, head_request=True)
        assert (found.body, found.ends, found.reusable) == (b"", [COMPLETE], False)


@pytest.mark.parametrize("way", ["whole", "bytes"])
def test_interim_answers_end_nothing_and_are_bounded(way: str) -> None:
    interim = H + b"103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = H + b"200 OK\r\nContent-Length: 2\r\n\r\nok"
    wire = interim * u.MAX_INTERIM + final
    cuts = list(range(1, len(wire))) if way == "bytes" else []
    found = received(wire, cuts)
    assert (found.interims, found.ends) == ([103] * 32, [COMPLETE])
    assert received(interim + wire, cuts).ends == [BROKEN]


def test_trailers_are_told() -> None:
    wire = H + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n"
    assert received(wire, []).trailers == [(b"X-Sum", b"7")]


@pytest.mark.parametrize("step", [1000, 30_000, 80_000])
def test_a_head_is_bounded(step: int) -> None:
    wire = H + b"200 OK\r\nX: " + b"a" * u.MAX_HEAD + b"\r\n\r\n"
    found = received(wire, list(range(step, len(wire), step)))
    assert found.ends == [BROKEN]


def test_chunk_extensions_are_bounded() -> None:
    wire = H + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 2 * u.MAX_HEAD
    assert received(wire, list(range(1000, len(wire), 1000))).ends == [BROKEN]


def test_a_connection_is_used_for_one_answer_after_the_other() -> None:
    connection, transport = reading()
    for number in range(3):
        transport.receive(H + b"200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        assert connection.body == b"%d" % number
        connection.expect(False)
    assert connection.uses == 4
    transport.hang_up()


async def test_the_loss_of_a_connection_is_told_once() -> None:
    connection, transport = reading()
    connection.eof_received()
    transport.lose()
    connection.connection_lost(None)
    assert connection.ends == [CLOSED]
    assert connection.pool.open == 0
    connection.give_up()  # and nothing can be done to it any more
    assert connection.closed
