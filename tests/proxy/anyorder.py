"""A world in which everything happens in any order: who speaks next, how much of it, and who hangs up, is drawn by lot.

Clients play scripts of requests, production and candidates play what a request's target tells them to. Whatever the
order, a client got what production said and nothing else, in the order of its requests; production and candidates got
whole requests or such as end with their connection; and at the end nothing is left over.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from shadowproxy.core.ledger import broken_laws
from shadowproxy.proxy.pool import Pool
from shadowproxy.proxy.reads import READ
from shadowproxy.proxy.upstream import UpstreamConnection
from shadowproxy.proxy.worker import MAX_SNAPSHOTS
from shadowproxy.settings import snapshot as s
from tests.proxy.world import Client, Clock, Dial, FakeTransport, World, candidate, configuration, turns

FINE = ("sized", "sized", "sized", "empty", "bare", "chunked", "chunked", "close", "interim", "early", "both", "extra")
FAULTY = ("eof", "reset", "cut", "torn", "garbage", "silent", "unasked")


def said(number: int, size: int) -> bytes:
    """A body that tells whose it is wherever it is looked at."""
    return (b"<%d>" % number * (size // 3 + 1))[:size]


Got = tuple[int, dict[bytes, bytes], bytes, bool]  # status, fields, body, whether it is whole


@dataclass
class Ask:
    """One request of a script, and what is true of it."""

    number: int
    kind: str
    method: bytes
    body: bytes
    raw: bytes
    old: bool
    last: bool  # the client asked for the connection's end
    bad: bool  # malformed: no upstream may get the whole of it
    loops: bool  # it has been here too often


def ask(lot: random.Random, number: int, faulty: bool) -> Ask:
    kind = lot.choice(FAULTY if faulty and lot.random() < 0.3 else FINE)
    method = lot.choice((b"GET", b"HEAD", b"POST", b"POST", b"POST", b"PUT"))
    old, last = lot.random() < 0.1, lot.random() < 0.1
    bad = lot.random() < 0.05
    body = b""
    lines = [b"%b /%d/%b HTTP/1.%d" % (method, number, kind.encode(), not old), b"Host: a"]
    if last and not old:
        lines.append(b"Connection: close")
    if old and not last:
        lines.append(b"Connection: keep-alive")
    if lot.random() < 0.1:
        lines.append(b"Expect: 100-continue")
    if lot.random() < 0.1:
        lines += [b"Connection: X-Gone", b"X-Gone: 1"]
    loops = lot.random() < 0.05
    if loops:
        lines += [b"Via: 1.1 shadowproxy"] * 3
    wire = b""
    if method not in (b"GET", b"HEAD"):
        body = said(number, lot.choice((0, 1, 5, 3000, 17_000, 70_000)))
        if old or lot.random() < 0.5:
            lines.append(b"Content-Length: %d" % len(body))
            wire = body
        else:
            lines.append(b"Transfer-Encoding: chunked")
            wire = _chunks(lot, body) + (b"0\r\nX-Sum: 1\r\n\r\n" if lot.random() < 0.3 else b"0\r\n\r\n")
            if bad:
                at = wire.rfind(b"0\r\n")
                wire = wire[:at] + b"x\r\n\r\n"
    elif bad:
        lines.append(b"no colon")
    bad = bad and (method in (b"GET", b"HEAD") or wire.endswith(b"x\r\n\r\n"))
    return Ask(number, kind, method, body, b"\r\n".join(lines) + b"\r\n\r\n" + wire, old, last, bad, loops)


def _chunks(lot: random.Random, body: bytes) -> bytes:
    out, at = [], 0
    while at < len(body):
        size = lot.choice((1, 7, 100, 5000, 1 << 20))
        piece = body[at : at + size]
        out.append(b"%x%b\r\n%b\r\n" % (len(piece), lot.choice((b"", b"", b";a=b")), piece))
        at += size
    return b"".join(out)


class Server:
    """One connection to an upstream, seen from there: it reads requests, and plays what their targets tell it to."""

    def __init__(self, lot: random.Random, transport: FakeTransport, name: str) -> None:
        self.lot = lot
        self.transport = transport
        self.name = name
        self.read = 0
        self.requests: list[tuple[int, bytes, bool]] = []  # number, body so far, whole
        self.queue: list[bytes | str] = []
        self._body_at = 0
        self._at_once = False  # what goes beyond an answer comes with it: later it would be taken for the next one
        self.over = False

    @property
    def is_over(self) -> bool:
        return self.over or self.transport.closing or self.transport.lost

    def look(self) -> None:
        """Read what has come of requests."""
        written = self.transport.written
        while self.read < len(written):
            rest = bytes(written[self.read :])
            if not self._body_at:
                end = rest.find(b"\r\n\r\n") + 4
                if end == 3:
                    return
                match = re.match(rb"(\w+) /(\d+)/(\w+) HTTP/1\.1\r\n", rest)
                assert match, f"{self.name} got what begins no request: {rest[:200]!r}"
                assert b"X-Gone" not in rest[:end]
                self._body_at = end
                self._begun(int(match[2]), match[3].decode(), match[1])
            head = rest[: self._body_at]
            body, size, whole = self._body(head, rest[self._body_at :])
            number = self.requests[-1][0]
            self.requests[-1] = (number, body, whole)
            if not whole:
                return
            self.read += self._body_at + size
            self._body_at = 0
            self._ended()

    @staticmethod
    def _body(head: bytes, rest: bytes) -> tuple[bytes, int, bool]:
        """The body so far, its length on the wire, and whether it is whole."""
        if b"\r\nTransfer-Encoding: chunked\r\n" in head:
            body, at = b"", 0
            while (line_end := rest.find(b"\r\n", at)) >= 0:
                size = int(rest[at:line_end].split(b";")[0], 16)
                if not size:
                    end = rest.find(b"\r\n\r\n", line_end)
                    return body, end + 4, end >= 0
                piece = rest[line_end + 2 : line_end + 2 + size]
                body += piece
                at = line_end + 2 + size + 2
                if at > len(rest):
                    break
            return body, 0, False
        match = re.search(rb"(?i)\r\nContent-Length: *(\d+)\r\n", head)
        size = int(match[1]) if match else 0
        return rest[:size], size, len(rest) >= size

    def _begun(self, number: int, kind: str, method: bytes) -> None:
        self.requests.append((number, b"", False))
        self._kind, self._number, self._head_only = kind, number, method == b"HEAD"
        if kind == "early":
            self.queue.append(self._sized())
        elif kind == "both":
            self.queue.append(b"HTTP/1.1 200 OK\r\nX-N: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % number)

    def _sized(self) -> bytes:
        body = answer_body(self._number)
        head = b"HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: %d\r\n\r\n" % (self._number, len(body))
        return head if self._head_only else head + body

    def _chunked(self) -> bytes:
        if self._head_only:
            return b""
        return _chunks(self.lot, answer_body(self._number)) + b"0\r\nX-T: 1\r\n\r\n"

    def _ended(self) -> None:
        kind, number, out = self._kind, self._number, self.queue
        te = b"HTTP/1.1 200 OK\r\nX-N: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % number
        if kind == "sized":
            out.append(self._sized())
        elif kind == "empty":
            out.append(b"HTTP/1.1 204 No Content\r\nX-N: %d\r\n\r\n" % number)
        elif kind == "bare":
            out.append(b"HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: 0\r\n\r\n" % number)
        elif kind == "chunked":
            out.append(te + self._chunked())
        elif kind == "both":
            out.append(self._chunked())
        elif kind == "close":
            body = b"" if self._head_only else answer_body(number)
            out += [b"HTTP/1.1 200 OK\r\nX-N: %d\r\nConnection: close\r\n\r\n" % number + body, "eof"]
        elif kind == "interim":
            out.append(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + self._sized())
        elif kind == "extra":
            self._at_once = True
            out += [self._sized() + b"beyond", "eof"]
        elif kind in ("eof", "reset"):
            out.append(kind)
        elif kind == "cut":
            whole = self._sized()
            out += [whole[: self.lot.randrange(len(whole))], self.lot.choice(("eof", "reset"))]
        elif kind == "torn":
            whole = te + self._chunked()
            out += [whole[: self.lot.randrange(len(whole))], self.lot.choice(("eof", "reset"))]
        elif kind == "garbage":
            out += [self.lot.choice((b"HTTP/1.1 abc\r\n\r\n", b"\0\1\2\n\n", te + b"zz\r\n")), "eof"]
        elif kind == "unasked":
            out += [b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "eof"]

    def can_speak(self) -> bool:
        return bool(self.queue) and not self.is_over and not self.transport.is_paused

    def speak(self, whole: bool = False) -> None:
        first = self.queue[0]
        if isinstance(first, bytes):
            size = 1 << 20 if self._at_once else READ if whole else self.lot.choice((1, 3, 50, 1000, 30_000, READ))
            if first[size:]:
                self.queue[0] = first[size:]
            else:
                del self.queue[0]
            if first:
                self.transport.receive(first[:size])
        else:
            self.over = True
            if first == "eof":
                self.transport.eof()
            else:
                self.transport.lose(ConnectionResetError(104, "Connection reset by peer"))


def answer_body(number: int) -> bytes:
    return said(number, (0, 4, 900, 5000, 20_000, 60_000)[number % 6])


@dataclass
class Player:
    """A client with its script."""

    client: Client
    asks: list[Ask]
    script: bytes
    sent: int = 0
    left: str = ""

    @property
    def transport(self) -> FakeTransport:
        return self.client.transport

    def can_send(self) -> bool:
        gone = self.left or self.transport.closing or self.transport.lost or self.transport.is_paused
        return not gone and self.sent < len(self.script)

    def can_leave(self) -> bool:
        return not (self.left or self.transport.lost or self.transport.is_paused)


class Play:
    def __init__(self, seed: int, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, faulty: bool) -> None:
        self.lot = random.Random(seed)
        self.clock = clock
        self.faulty = faulty
        self.dials: list[tuple[Pool, Dial]] = []
        self.servers: list[Server] = []
        monkeypatch.setattr(Pool, "_open", self._open_of())
        self.generation = 1
        self.world = World(self._snapshot(), clock)
        for upstream in (*self.world.productions, *self.world.mirrors.values()):
            del upstream.pool._open  # type: ignore[attr-defined] # the class's is this play's
        self.players: list[Player] = []
        number = 0
        for _ in range(self.lot.randint(1, 3)):
            asks = []
            for _ in range(self.lot.randint(1, 5)):
                number += 1
                asks.append(ask(self.lot, number, faulty))
            self.players.append(
                Player(self.world.client(tls=self.lot.random() < 0.3), asks, b"".join(one.raw for one in asks))
            )
        self.asks = {one.number: one for player in self.players for one in player.asks}

    def _open_of(self) -> Any:
        play = self

        async def open_(pool: Pool, connection: UpstreamConnection) -> None:
            dial = Dial(connection)
            play.dials.append((pool, dial))
            await dial.answer

        return open_

    def _snapshot(self) -> s.Snapshot:
        lot = self.lot
        names = lot.choice(((), ("v2",), ("v2", "v3")))
        candidates = [
            candidate(name, send=lot.choice(("with_production", "after_production")), timeout=lot.choice((None, 2.0)))
            for name in names
        ]
        timeouts = s.Timeouts(first_byte=5.0, idle=5.0)
        urls = lot.choice((("http://v1.test",), ("http://v1.test", "http://v1b.test")))
        production = s.Production(urls=urls, timeouts=timeouts, connections=lot.choice((1, 2, 512)))
        if lot.random() < 0.3:
            production = msgspec.structs.replace(production, json_set=(("$.model", "m2"),))
        mirror = s.Mirror(methods=("POST", "PUT", "GET"), max_buffered=lot.choice((20_000, 200_000, 64 << 20)))
        limits = s.Limits(client_stall=5.0, keep_alive=20.0)
        return configuration(
            *candidates, production=production, mirror=mirror, limits=limits, generation=self.generation
        )

    # -- what may happen next ----------------------------------------------------------------------------------------

    async def step(self) -> None:
        lot = self.lot
        what = lot.random()
        if what < 0.30:
            self._client_sends()
        elif what < 0.65:
            self._server_speaks()
        elif what < 0.80:
            await self._dial_ends(self.faulty and lot.random() < 0.1)
        elif what < 0.88:
            self._reading_changes()
        elif what < 0.90 and self.faulty:
            self._client_leaves()
        elif what < 0.92:
            self._configuration_changes()
        elif what < 0.94:
            self.clock.sleep(0.5)
        await turns(lot.choice((0, 1, 8)))

    def _client_sends(self) -> None:
        able = [player for player in self.players if player.can_send()]
        if able:
            player = self.lot.choice(able)
            size = self.lot.choice((1, 2, 10, 100, 3000, 70_000, 1 << 20))
            piece = player.script[player.sent : player.sent + size]
            player.sent += len(piece)
            player.client.send(piece)

    def _server_speaks(self, whole: bool = False) -> bool:
        for server in self.servers:
            server.look()
        able = [server for server in self.servers if server.can_speak()]
        if able:
            self.lot.choice(able).speak(whole)
        return bool(able)

    async def _dial_ends(self, failed: bool) -> bool:
        open_ = [(pool, dial) for pool, dial in self.dials if not dial.answer.done()]
        if not open_:
            return False
        pool, dial = self.lot.choice(open_)
        if failed:
            await dial.failed()
        else:
            transport = await dial.made(peer_reads=self.lot.random() < 0.8)
            self.servers.append(Server(self.lot, transport, pool.address.host))
        return True

    def _reading_changes(self) -> None:
        transports = [player.transport for player in self.players] + [server.transport for server in self.servers]
        transport = self.lot.choice(transports)
        if transport.lost:
            return
        if transport.buffered:
            transport.read(self.lot.randint(1, transport.buffered))
        transport.peer_reads = not transport.peer_reads
        if transport.peer_reads:
            transport.read_all()

    def _client_leaves(self) -> None:
        able = [player for player in self.players if player.can_leave()]
        if not able:
            return
        player = self.lot.choice(able)
        player.left = self.lot.choice(("eof", "reset"))
        if player.left == "eof" and not player.transport.closing:
            player.transport.eof()
        else:
            player.transport.lose(ConnectionResetError(104, "Connection reset by peer"))

    def _configuration_changes(self) -> None:
        self.generation += 1
        self.world.worker.prepare(s.encode(self._snapshot()))
        self.world.worker.commit(self.generation)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def run(self, steps: int = 250) -> int:
        """How many requests there were; AssertionError for what must not be."""
        for _ in range(steps):
            await self.step()
        await self._finish()
        self._check()
        for transport in [player.transport for player in self.players] + [server.transport for server in self.servers]:
            transport.hang_up()
        self.world.worker.throttling.close()
        return len(self.asks)

    async def _finish(self) -> None:
        """All read and speak on, then time passes: whatever still hangs has its limit."""
        for _ in range(2000):
            busy = False
            for transport in [player.transport for player in self.players] + [one.transport for one in self.servers]:
                transport.peer_reads = True
                if transport.buffered and not transport.lost:
                    transport.read_all()
                    busy = True
            while any(player.can_send() for player in self.players):
                self._client_sends()
                busy = True
            while self._server_speaks(whole=True):
                busy = True
            busy |= await self._dial_ends(False)
            await turns()
            if not busy and not any(one.can_send() for one in self.players):
                if self._is_quiet():
                    break
                self.clock.sleep(1.0)
        for player in self.players:
            if not player.transport.lost and not player.left:
                player.transport.eof()
        await turns()
        for _ in range(8):
            self.clock.sleep(3.0)
            self.world.worker.runtime.production.sweep()
            await turns()

    def _is_quiet(self) -> bool:
        """Every client has been answered or has gone, and no copy is under way."""
        owing = [one for one in self.players if one.client.protocol.exchange is not None]
        return not owing and not self.world.worker._in_flight()

    # -- what must be true -------------------------------------------------------------------------------------------

    def _check(self) -> None:
        for player in self.players:
            self._check_client(player)
        seen: dict[int, int] = {}
        for server in self.servers:
            for number, body, whole in server.requests:
                asked = self.asks[number]
                if server.name.startswith("v1"):
                    seen[number] = seen.get(number, 0) + whole
                else:
                    assert whole or server.is_over, f"a copy of {number} was not finished, and its connection stands"
                assert asked.body.startswith(body), f"{server.name} got another body for {number}"
                assert not whole or body == asked.body
                assert not (whole and asked.bad), f"{number} is malformed and reached {server.name}"
                assert not asked.loops
            if server.requests and not server.requests[-1][2]:
                assert server.is_over, f"half a request stands in {server.name}"
        assert all(count <= 2 for count in seen.values())
        worker = self.world.worker
        assert worker.budget.held == 0
        for line in worker.ledger.lines():
            assert broken_laws(line) == []
            assert line["in_flight"] == 0
        assert not worker.connections, worker.connections
        assert not worker.paused
        assert worker._in_flight() == 0
        for production in worker._productions.values():
            assert production.open == sum(len(endpoint.pool.idle) for endpoint in production.endpoints)
            assert not production.waiting

    def _check_client(self, player: Player) -> None:
        got = answers(player.client.got, player.asks, player.transport.lost and not player.transport.aborted)
        for at, (status, fields, body, whole) in enumerate(got):
            asked = player.asks[at]
            if b"x-shadowproxy-error" in fields:
                kind = fields[b"x-shadowproxy-error"].decode()
                assert self._may_be_refused(asked, kind), f"{asked.number} ({asked.kind}) was refused: {status} {kind}"
                continue
            assert not asked.bad or not whole or asked.kind in ("early", "both"), "a malformed request was answered"
            assert fields[b"x-n"] == b"%d" % asked.number, f"{asked.number} got {fields[b'x-n']!r}'s answer"
            due = b"" if asked.method == b"HEAD" or status == 204 or asked.kind == "bare" else answer_body(asked.number)
            assert due.startswith(body), f"{asked.number} got other bytes"
            if whole:
                assert body == due, f"{asked.number} got {len(body)} of {len(due)} bytes as if they were all"
            else:
                streams_die = self.generation > MAX_SNAPSHOTS
                assert player.left or self.faulty or asked.bad or streams_die, f"{asked.number} was cut off"
        if not player.left and not self.faulty and self.generation <= MAX_SNAPSHOTS:
            self._check_count(player, got)

    def _check_count(self, player: Player, got: list[Got]) -> None:
        """A client that stayed got an answer to each request, up to where its connection was to end."""
        ends = [at for at, one in enumerate(player.asks, 1) if one.last or one.bad or one.loops]
        due = ends[0] if ends else len(player.asks)
        said_so = any(fields.get(b"connection") == b"close" for _, fields, _, _ in got)
        # An answer before the request's end ends the connection, and is not always announced so.
        early = any(one.kind in ("early", "both") or one.old or one.bad for one in player.asks[: len(got) + 1])
        assert len(got) == due or said_so or early, f"{len(got)} answers to {due} requests"

    def _may_be_refused(self, asked: Ask, kind: str) -> bool:
        return {
            "bad_request": asked.bad,
            "loop": asked.loops,
            "upstream_busy": True,
            "request_timeout": True,  # of who was drawn to say nothing for long
            "timeout": True,
        }.get(kind, self.faulty)


def answers(raw: bytes, asks: list[Ask], ended: bool) -> list[Got]:
    """What a client makes of what it got: status, fields, body, whether it is whole; interim answers are skipped."""
    out = []
    at = 0
    while raw:
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            break
        lines = raw[:end].split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 \d\d\d .*", lines[0]), lines[0]
        status = int(lines[0].split(b" ")[1])
        fields = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in lines[1:]}
        raw = raw[end + 4 :]
        if status < 200:
            assert not asks[at].old
            continue
        assert at < len(asks), "more answers than requests"
        if asks[at].method == b"HEAD" or status in (204, 304):
            body, whole = b"", True
        elif fields.get(b"transfer-encoding") == b"chunked":
            body, size, whole = Server._body(b"\r\nTransfer-Encoding: chunked\r\n", raw)
            raw = raw[size:] if whole else b""
        elif b"content-length" in fields:
            size = int(fields[b"content-length"])
            body, whole = raw[:size], len(raw) >= size
            raw = raw[size:]
        else:
            body, whole, raw = raw, ended, b""
        out.append((status, fields, body, whole))
        at += 1
    return out


__all__ = ["Play"]
