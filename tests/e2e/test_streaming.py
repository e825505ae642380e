"""Bytes flow while they come, in both directions, in constant memory and no faster than the slower side."""

from __future__ import annotations

import select
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, get, post
from tests.support.message import Body, body_pieces, response_framing
from tests.support.processes import forget_memory_peak, memory_peak, open_files
from tests.support.proxy import Proxy
from tests.support.until import LEAST_S, settles, until
from tests.support.upstream import Connection, Handler, Request, Upstream, echo, replies, response

MIB = 1 << 20
BLOCK = bytes(range(256)) * 256  # 64 KiB
HEAD = b"HTTP/1.1 200 OK\r\n"
EVENTS = HEAD + b"Content-Type: text/event-stream\r\n"
# What one stalled stream may cost between the ends: the buffers of four sockets, which the kernel tunes up to 6 MiB
# each, and what the proxy itself holds.
# What the kernel may hold of a stream that nobody reads: a full buffer at each end of both connections.
STALLED = 4 * MIB + 2 * sum(int(Path(f"/proc/sys/net/ipv4/tcp_{way}mem").read_text().split()[2]) for way in "rw")
# How far a worker's memory may grow while it passes on a body of any length.
CONSTANT = 16 * MIB
SIZES = [pytest.param(128 * MIB, id="128MiB"), pytest.param(1024 * MIB, id="1GiB", marks=pytest.mark.campaign)]


class Bench:
    def __init__(self, proxy: Proxy, production: Upstream, candidate: Upstream) -> None:
        self.proxy = proxy
        self.production = production
        self.candidate = candidate

    def serve(self, handler: Handler) -> None:
        self.production.handler = handler

    def client(self, receive_buffer: int = 0) -> Client:
        return Client(self.proxy.address, receive_buffer=receive_buffer, timeout_s=60)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Upstream() as production, Upstream(replies(response(b"{}"))) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url}],
            "limits": {"body": 0},
        }
        with Proxy(tmp_path_factory.mktemp("streaming"), config) as proxy:
            yield Bench(proxy, production, candidate)


# -- events pass at once -------------------------------------------------------------------------------------------


class Turns:
    """Production sends its next piece only when the test says so."""

    def __init__(self, head: bytes, *, chunked: bool) -> None:
        self._head = head
        self._chunked = chunked
        self._go = threading.Semaphore(0)
        self._pieces: list[bytes] = []

    def next(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._go.release()

    def __call__(self, connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(self._head)
        while self._go.acquire(timeout=LEAST_S) and (piece := self._pieces.pop(0)):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
        if self._chunked:
            connection.send(b"0\r\n\r\n")
        else:
            connection.finish()


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until-close"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_event_arrives_before_the_next_is_sent(bench: Bench, chunked: bool, method: str) -> None:
    turns = Turns(EVENTS + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"), chunked=chunked)
    bench.serve(turns)
    with bench.client() as client:
        client.send(post("/events", b"{}", method=method))
        head = client.read_head()
        assert head.get(b"content-type") == b"text/event-stream"
        for number in range(30):
            turns.next(b"data: %d\n\n" % number)
            assert b"data: %d\n\n" % number in client.wire.through(b"\n\n\r\n")
        turns.next(b"")
        assert client.wire.through(b"0\r\n\r\n") == b"0\r\n\r\n"


def test_the_head_arrives_before_the_body_begins(bench: Bench) -> None:
    turns = Turns(HEAD + b"Content-Length: 5\r\n\r\n", chunked=False)
    bench.serve(turns)
    with bench.client() as client:
        client.send(get("/head-first"))
        assert client.read_head().line == b"HTTP/1.1 200 OK"
        turns.next(b"hello")
        assert client.wire.through(b"hello") == b"hello"
        turns.next(b"")


def test_interim_answers_arrive_before_the_final_one(bench: Bench) -> None:
    turns = Turns(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", chunked=False)
    bench.serve(turns)
    with bench.client() as client:
        client.send(get("/hints"))
        assert client.read_head().line == b"HTTP/1.1 103 Early Hints"
        turns.next(response(b"hello"))
        assert client.read().data == b"hello"
        turns.next(b"")


def test_tiny_chunks_keep_order(bench: Bench) -> None:
    count = 20_000
    body = b"".join(b"1\r\n%c\r\n" % (33 + n % 90) for n in range(count)) + b"0\r\n\r\n"
    bench.serve(replies(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body))
    with bench.client() as client:
        answer = client.ask(post("/tiny"))
    assert answer.data == bytes(33 + n % 90 for n in range(count))


# -- uploads stream ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "length"])
def test_production_sees_part_one_before_the_client_sends_part_two(bench: Bench, chunked: bool) -> None:
    seen = threading.Semaphore(0)

    def watches(connection: Connection, request: Request) -> None:
        for number in range(20):
            connection.read_until(request, b"part %d." % number)
            seen.release()
        echo(connection, request)

    bench.serve(watches)
    parts = [b"part %d." % number for number in range(20)]
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {sum(map(len, parts))}"
    with bench.client() as client:
        client.send(get("/upload", framing, method="POST"))
        for part in parts:
            client.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            assert seen.acquire(timeout=LEAST_S), f"{part!r} did not reach production"
        if chunked:
            client.send(b"0\r\n\r\n")
        assert b"part 19." in client.read().data


def test_an_answer_may_begin_before_the_upload_ends(bench: Bench) -> None:
    """Both directions at once: each part is answered before the next one is sent."""

    def talks(connection: Connection, request: Request) -> None:
        connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(10):
            connection.read_until(request, b"part %d." % number)
            connection.send(b"7\r\nseen %d.\r\n" % number)
        connection.read_body(request)
        connection.send(b"0\r\n\r\n")

    bench.serve(talks)
    with bench.client() as client:
        client.send(get("/both", "Transfer-Encoding: chunked", method="POST"))
        for number in range(10):
            client.send(b"7\r\npart %d.\r\n" % number)
            assert b"seen %d." % number in client.wire.through(b".\r\n")
        client.send(b"0\r\n\r\n")
        assert client.wire.through(b"0\r\n\r\n") == b"0\r\n\r\n"


# -- constant memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("framing", ["length", "chunked", "until-close"])
def test_a_long_answer_in_constant_memory(bench: Bench, size: int, framing: str) -> None:
    blocks = size // len(BLOCK)
    fields = {"length": b"Content-Length: %d\r\n\r\n" % size, "chunked": b"Transfer-Encoding: chunked\r\n\r\n"}

    def long(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(HEAD + fields.get(framing, b"\r\n"))
        piece = b"10000\r\n" + BLOCK + b"\r\n" if framing == "chunked" else BLOCK
        for _ in range(blocks):
            connection.send(piece)
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")
        elif framing == "until-close":
            connection.finish()

    bench.serve(long)
    worker = bench.proxy.worker()
    forget_memory_peak(worker)
    before = memory_peak(worker)
    with bench.client() as client:
        client.send(post("/long"))
        head = client.read_head()
        body, length, checksum = Body("?"), 0, 0
        for piece in body_pieces(client.wire, response_framing(head, b"POST"), body):
            length += len(piece)
            checksum = zlib.crc32(piece, checksum)
    assert (length, body.complete) == (size, True)
    assert checksum == repeated_checksum(blocks)
    assert memory_peak(worker) - before < CONSTANT


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_long_upload_in_constant_memory(bench: Bench, size: int, chunked: bool) -> None:
    checksums: list[tuple[int, int]] = []

    def sums(connection: Connection, request: Request) -> None:
        checksum = 0
        while piece := connection.next_piece(request):
            checksum = zlib.crc32(piece, checksum)
        checksums.append((request.body.length, checksum))
        connection.send(response(b"{}"))

    bench.serve(sums)
    worker = bench.proxy.worker()
    forget_memory_peak(worker)
    before = memory_peak(worker)
    blocks = size // len(BLOCK)
    with bench.client() as client:
        client.send(get("/long", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}", method="POST"))
        piece = b"10000\r\n" + BLOCK + b"\r\n" if chunked else BLOCK
        for _ in range(blocks):
            client.send(piece)
        if chunked:
            client.send(b"0\r\n\r\n")
        assert client.read().status == 200
    assert checksums == [(size, repeated_checksum(blocks))]
    assert memory_peak(worker) - before < CONSTANT


def repeated_checksum(blocks: int) -> int:
    checksum = 0
    for _ in range(blocks):
        checksum = zlib.crc32(BLOCK, checksum)
    return checksum


# -- backpressure --------------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_stops_production(bench: Bench) -> None:
    size = 256 * MIB

    def long(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(BLOCK)):
            connection.send(BLOCK)

    bench.serve(long)
    worker = bench.proxy.worker()
    forget_memory_peak(worker)
    before = memory_peak(worker)
    seen = len(bench.production.requests)
    with bench.client(receive_buffer=65536) as client:
        client.send(get("/stalled"))
        (request,) = bench.production.wait_requests(seen + 1)[seen:]
        connection = bench.production.connections[request.connection]
        start = connection.sent
        assert settles(lambda: connection.sent, what="production's sending") - start < STALLED
        assert memory_peak(worker) - before < CONSTANT
        head = client.read_head()
        body = Body("?")
        read = sum(map(len, body_pieces(client.wire, response_framing(head, b"GET"), body)))
        assert (read, body.complete) == (size, True)


def test_production_that_does_not_read_stops_the_client(bench: Bench) -> None:
    size = 256 * MIB
    go = threading.Event()

    def stalls(connection: Connection, request: Request) -> None:
        assert go.wait(LEAST_S)
        connection.read_body(request)
        connection.send(response(b"%d" % request.body.length))

    bench.serve(stalls)
    worker = bench.proxy.worker()
    forget_memory_peak(worker)
    before = memory_peak(worker)
    with bench.client() as client:
        client.send(get("/stalled", f"Content-Length: {size}", method="POST"))

        def upload() -> None:
            for _ in range(size // len(BLOCK)):
                client.send(BLOCK)

        sending = threading.Thread(target=upload, daemon=True)
        sending.start()
        assert settles(lambda: client.sent, what="the client's sending") < STALLED
        assert memory_peak(worker) - before < CONSTANT
        go.set()
        assert client.read().data == b"%d" % size
        sending.join(10)


def test_other_clients_are_served_beside_a_stalled_one(bench: Bench) -> None:
    def long(connection: Connection, request: Request) -> None:
        if request.target == b"/stalled":
            connection.send(HEAD + b"\r\n")
            while not connection.ended:
                connection.send(BLOCK)
        else:
            echo(connection, request)

    bench.serve(long)
    with bench.client(receive_buffer=65536) as stalled, bench.client() as other:
        stalled.send(get("/stalled"))
        assert stalled.read_head().line.endswith(b"200 OK")
        for number in range(50):
            assert other.ask(post(f"/{number}")).status == 200


# -- departure -----------------------------------------------------------------------------------------------------


def silent(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.wait_end()


def begins_and_waits(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(HEAD + b"Content-Length: 100\r\n\r\nhello")
    connection.wait_end()


def endless(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.send(b"10000\r\n" + BLOCK + b"\r\n")


@pytest.mark.parametrize("leave", ["fin", "half-close", "reset"])
@pytest.mark.parametrize("handler", [silent, begins_and_waits, endless], ids=lambda handler: handler.__name__)
def test_a_client_that_leaves_cancels_production_but_not_the_copy(bench: Bench, leave: str, handler: Handler) -> None:
    bench.serve(handler)
    seen, copies = len(bench.production.requests), len(bench.candidate.requests)
    id_ = f"leaves-{leave}-{getattr(handler, '__name__', '')}"
    with bench.client() as client:
        client.send(post("/leaves", b"{}", f"X-Request-ID: {id_}"))
        (request,) = bench.production.wait_requests(seen + 1)[seen:]
        bench.candidate.wait_requests(copies + 1)
        if handler is not silent:
            assert client.read_head().line.endswith(b"200 OK")
        {"fin": client.close, "half-close": client.finish_writing, "reset": client.reset}[leave]()
        connection = bench.production.connections[request.connection]
        until(lambda: connection.ended or connection.is_closed, 5, "the end of production's connection")
    (pair,) = until(lambda: bench.proxy.log().of(id_), 10, "the pair of the request that was left", step_s=0.05)
    assert pair["production"]["outcome"] == "client_aborted"
    assert pair["shadow"]["outcome"] == "complete"


def test_a_client_that_leaves_while_production_stalls_is_noticed(bench: Bench) -> None:
    """The client's buffers are full and nobody reads: neither FIN nor RST reaches a paused transport by itself."""
    bench.serve(endless)
    seen = len(bench.production.requests)
    client = bench.client(receive_buffer=65536)
    client.send(get("/stalled-leaves"))
    (request,) = bench.production.wait_requests(seen + 1)[seen:]
    connection = bench.production.connections[request.connection]
    settles(lambda: connection.sent, what="production's sending")
    client.reset()
    until(lambda: connection.ended or connection.is_closed, 5, "the end of production's connection")
    sent = connection.sent
    bench.serve(echo)
    with bench.client() as another:
        assert another.ask(get("/after")).status == 200
    assert connection.sent == sent, "production is read on for nobody"


def test_a_client_that_leaves_during_its_upload(bench: Bench) -> None:
    bench.serve(echo)
    seen, copies = len(bench.production.requests), len(bench.candidate.requests)
    with bench.client() as client:
        client.send(get("/upload-leaves", "Content-Length: 1000", method="POST") + b"a" * 500)
        (request,) = bench.production.wait_requests(seen + 1)[seen:]
    until(lambda: request.body.ended, 5, "the end of production's request")
    assert not request.body.complete
    assert len(bench.candidate.requests) == copies, "a copy of half a request"


def test_connections_that_left_cost_no_open_files(bench: Bench) -> None:
    bench.serve(silent)
    worker = bench.proxy.worker()
    with bench.client() as client:
        client.send(get("/warm"))
    before = open_files(worker)
    for number in range(40):
        with bench.client() as client:
            client.send(post(f"/leaves/{number}"))
    until(lambda: open_files(worker) <= before + 4, 10, f"{before} open files again", step_s=0.05)
    assert open_files(worker) <= before + 4


# -- early answers -------------------------------------------------------------------------------------------------

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nX-From: production\r\nContent-Length: 9\r\n\r\ntoo large"


def refuses_and_resets(connection: Connection, request: Request) -> None:
    """Answers at once and closes with the upload unread, so that the kernel sends RST."""
    connection.next_piece(request)
    connection.send(TOO_LARGE)
    connection.close()


def refuses_and_waits(connection: Connection, request: Request) -> None:
    """Answers at once, and then reads the upload to its end: a loaded machine may have sent it all by then."""
    connection.send(TOO_LARGE)
    connection.read_body(request)


@pytest.mark.parametrize("handler", [refuses_and_resets, refuses_and_waits], ids=lambda handler: handler.__name__)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_early_refusal_reaches_a_client_in_the_middle_of_its_upload(
    bench: Bench, handler: Handler, chunked: bool
) -> None:
    bench.serve(handler)
    size = 16 * MIB
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    for attempt in range(15):
        with bench.client() as client:
            client.send(get(f"/early/{attempt}", framing, method="POST"))
            piece = b"10000\r\n" + BLOCK + b"\r\n" if chunked else BLOCK
            for _ in range(size // len(BLOCK)):
                if select.select([client.sock], [], [], 0)[0] or not client.send_as_much_as_goes(piece):
                    break
            answer = client.read()
            assert (answer.status, answer.data, answer.kind) == (413, b"too large", ""), f"attempt {attempt}"
            assert answer.head.get(b"x-from") == b"production"
            client.wait_end()


# -- upgrades ------------------------------------------------------------------------------------------------------

SOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
)


def upper(connection: Connection, request: Request) -> None:
    """Accepts, then answers each piece in upper case; `bye.` ends the tunnel from this side."""
    connection.send(SWITCH)
    while b"bye." not in connection.wire.buffer and (connection.wire.buffer or connection.wire.fill()):
        connection.send(connection.wire.take(len(connection.wire.buffer)).upper())
        if not connection.wire.fill():
            break
    connection.finish()


def test_a_websocket_is_a_tunnel(bench: Bench) -> None:
    bench.serve(upper)
    seen, copies = len(bench.production.requests), len(bench.candidate.requests)
    with bench.client() as client:
        client.send(get("/socket", *SOCKET))
        head = client.read_head()
        assert head.line == b"HTTP/1.1 101 Switching Protocols"
        assert (head.get(b"upgrade") or b"").lower() == b"websocket"
        assert (head.get(b"connection") or b"").lower() == b"upgrade"
        assert head.get(b"sec-websocket-accept") == b"x"
        for number in range(20):
            client.send(b"frame %d;" % number)
            assert client.wire.through(b";") == b"FRAME %d;" % number
        client.send(b"bye.")
        assert client.wait_end() == "fin"
    (request,) = bench.production.requests[seen:]
    assert (request.get(b"upgrade") or b"").lower() == b"websocket"
    assert (request.get(b"connection") or b"").lower() == b"upgrade"
    assert request.get(b"sec-websocket-key") == b"eA=="
    assert len(bench.candidate.requests) == copies, "a tunnel was mirrored"


def test_bytes_behind_a_websocket_head_wait_for_the_101(bench: Bench) -> None:
    arrived = threading.Event()
    go = threading.Event()

    def waits(connection: Connection, request: Request) -> None:
        arrived.set()
        assert go.wait(LEAST_S)
        assert not connection.wire.buffer
        assert not select.select([connection.wire.sock], [], [], 0)[0], "bytes came before the 101"
        upper(connection, request)

    bench.serve(waits)
    with bench.client() as client:
        client.send(get("/socket", *SOCKET) + b"early;")
        assert arrived.wait(LEAST_S)
        client.send(b"more;")
        go.set()
        assert client.read_head().line.startswith(b"HTTP/1.1 101")
        assert client.wire.through(b"MORE;") == b"EARLY;MORE;"


def test_a_refused_websocket_is_an_answer_like_any_other(bench: Bench) -> None:
    bench.serve(replies(response(b"no", status="403 Forbidden")))
    with bench.client() as client:
        answer = client.ask(get("/socket", *SOCKET))
        assert (answer.status, answer.data) == (403, b"no")


def test_a_client_that_ends_its_tunnel_ends_it_on_the_other_side(bench: Bench) -> None:
    bench.serve(upper)
    seen = len(bench.production.requests)
    with bench.client() as client:
        client.send(get("/socket", *SOCKET))
        assert client.read_head().line.startswith(b"HTTP/1.1 101")
    connection = bench.production.connections[bench.production.requests[seen].connection]
    until(lambda: connection.ended or connection.is_closed, 5, "the end of the tunnel")
    assert connection.ended or connection.is_closed


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(
    "lines",
    [("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA"), SOCKET],
    ids=["h2c", "websocket-post"],
)
def test_an_upgrade_that_is_not_honoured_hides_no_body(bench: Bench, chunked: bool, lines: tuple[str, ...]) -> None:
    """llhttp ends such a message at its head: its body would be read as the next request."""
    bench.serve(echo)
    seen = len(bench.production.requests)
    body = get("/smuggled")
    raw = post("/upgrade", body, *lines)
    if chunked:
        raw = get("/upgrade", *lines, "Transfer-Encoding: chunked", method="POST")
        raw += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with bench.client() as client:
        client.send(raw + get("/behind"))
        first, second = client.read(), client.read()
        assert (first.status, second.status) == (200, 200)
    requests = bench.production.requests[seen:]
    assert [request.target for request in requests] == [b"/upgrade", b"/behind"]
    assert requests[0].data == body
    assert requests[0].get(b"upgrade") is None
    assert requests[0].get(b"http2-settings") is None
