"""What any bytes must not do: for each reader of foreign bytes one function that raises where they did it.

A target holds what the product makes of the bytes against a second opinion: a strict parser of the tests' own, the
same bytes cut otherwise, another reader of the same file. `SEEDS` are good inputs to begin from, `FOUND` what was once
read wrong.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from shadowproxy.compare import assess, compare
from shadowproxy.compare.presets import PRESETS
from shadowproxy.http1 import answer as answers
from shadowproxy.http1 import request as requests
from shadowproxy.http1.chunked import ChunkedDecoder, ChunkedError
from shadowproxy.http1.refusal import KINDS, Refused
from shadowproxy.pairlog.reader import find
from shadowproxy.wire import frames
from tests.compare.exchanges import answer, rules
from tests.compare.samples import SAMPLES, body
from tests.support import frames as made
from tests.support.message import parse_head
from tests.support.pairs import PairLog
from tests.support.pairs import answer as exchange
from tests.support.reports import report_on

END = b"\r\n\r\n"


def _one_head(data: bytes) -> bytes:
    return (data + END)[: (data + END).index(END) + len(END)]


def _is_one_of(refused: Refused, *statuses: int) -> None:
    assert refused.status in statuses
    assert refused.kind in KINDS


def request_head(data: bytes) -> None:
    """What is accepted, a strict parser accepts too, and it says the same of where the message ends."""
    raw = _one_head(data)
    try:
        found = requests.parse(raw, 100)
    except Refused as refused:
        _is_one_of(refused, 400, 431, 501, 505)
        return
    head = parse_head(raw)
    method, target, version = head.line.split(b" ")
    assert (found.method, found.old) == (method, version == b"HTTP/1.0")
    assert found.target == b"*" or (found.target[:1] == b"/" and target.endswith(found.target.lstrip(b"/")))
    assert not re.search(rb"[\x00-\x20\x7f#]", found.target)
    assert len(head.all(b"host")) == 1 or (found.old and not head.all(b"host"))
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    assert len(lengths) + len(codings) <= 1
    assert found.chunked == bool(codings)
    assert found.length == (int(lengths[0]) if lengths else 0)
    assert not codings or codings[0].lower() == b"chunked"
    probe = requests.HeadProbe()
    probe.feed(raw[: -len(END)])  # what comes of a good head is not refused before its end


def answer_head(data: bytes) -> None:
    """As `request_head`; the first byte says whether a HEAD is answered."""
    raw, is_head = _one_head(data[1:]), data[:1] == b"H"
    try:
        found = answers.parse(raw, is_head)
    except Refused as refused:
        _is_one_of(refused, 502)
        return
    head = parse_head(raw)
    assert found.status == int(head.line.split(b" ")[1])
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    assert len(lengths) <= 1
    if is_head or found.status < 200 or found.status in (204, 304):
        assert found.framing == answers.NONE
    elif codings:
        assert found.framing == answers.CHUNKED
        assert [coding.lower() for coding in codings] == [b"chunked"]
    elif lengths:
        assert (found.framing, found.length) == (answers.LENGTH, int(lengths[0]))
    else:
        assert found.framing == answers.UNTIL_CLOSE


_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")


def _dechunked(wire: bytes) -> tuple[bytes, bytes] | None:
    """(body, what follows it) by the grammar of RFC 9112 §7.1, chunk by chunk; None where it does not end well."""
    out, at = b"", 0
    while match := _SIZE.match(wire, at):
        size, at = int(match[1], 16), match.end()
        if not size:
            while trailer := _TRAILER.match(wire, at):
                at = trailer.end()
            return (out, wire[at + 2 :]) if wire[at : at + 2] == b"\r\n" else None
        if wire[at + size : at + size + 2] != b"\r\n":
            return None
        out, at = out + wire[at : at + size], at + size + 2
    return None


def chunked(data: bytes) -> None:
    """The same body however it is cut (the first byte says how), and the grammar's."""
    wire = data[1:]
    expected = _dechunked(wire)
    for step in (len(wire) or 1, 1, max(1, data[0] if data else 1)):
        decoder, got, at = ChunkedDecoder(1 << 20), b"", 0
        try:
            while at < len(wire) and not decoder.done:
                got += b"".join(decoder.feed(wire[at : at + step]))
                at += step
        except ChunkedError:
            assert expected is None, f"refused: {expected}"
            continue
        assert (expected is not None) == decoder.done
        if decoder.done:
            assert (got, decoder.rest + wire[at:]) == expected


def frame(data: bytes) -> None:
    """The same frames however they are cut, and what is read as a pair is packed to the same bytes."""
    stream = data[1:]
    whole = _frames([stream])
    step = max(1, data[0] if data else 1)
    assert _frames([stream[at : at + step] for at in range(0, len(stream), step)]) == whole
    for kind, seq, payload in whole[0]:
        try:
            if kind == frames.PAIR:
                pair = frames.unpack_pair(memoryview(payload))
                assert b"".join(frames.pack_pair(seq, pair))[frames.HEAD_BYTES :] == payload
            elif kind == frames.HELLO:
                frames.unpack_hello(memoryview(payload))
            elif kind == frames.ACK:
                frames.unpack_ack(memoryview(payload))
        except frames.FrameError:
            continue


def _frames(pieces: list[bytes]) -> tuple[list[tuple[int, int, bytes]], bool]:
    """Frames, and whether the stream ended in a refusal."""
    decoder, got = frames.Decoder(1 << 20), []
    try:
        for piece in pieces:
            for one in decoder.feed(piece):
                got.append((one.kind, one.seq, bytes(one.payload)))  # not in one go: what came before a fault counts
    except frames.FrameError:
        return got, True
    return got, False


TYPES = ("application/json", "text/event-stream", "application/octet-stream", "text/plain", "multipart/form-data", None)
RULES = {name: rules(protocol=name) for name in ("auto", "none", *(preset.name for preset in PRESETS))}
PROTOCOLS = sorted(RULES)
BETWEEN = b"\xfe\xfe"


def comparison(data: bytes) -> None:
    """Two answers, whose protocol, type and request the first bytes choose: compared, and each alike to itself."""
    by = RULES[PROTOCOLS[data[0] % len(PROTOCOLS)] if data else "auto"]
    type_ = TYPES[data[1] % len(TYPES)] if data[1:] else None
    sample = SAMPLES[data[2] % len(SAMPLES)] if data[2:] else SAMPLES[0]
    a, _, b = data[3:].partition(BETWEEN)
    more = {"headers": (("Inference-Header-Content-Length", str(data[0])),)} if data[:1] > b"\x7f" else {}
    production, other = (assess(by, "POST", sample.target, answer(one, type_=type_, **more)) for one in (a, b))
    found, same = compare(by, production, other), compare(by, production, production)
    assert found.items_disagreeing <= found.items
    assert all(value - value == 0 for value in found.metrics.values())
    assert found.as_dict()["result"] in ("same", "different", "incomparable")
    assert same.result != "different", same
    assert same.agrees is not False


def _log(folder: Path) -> None:
    written = PairLog(folder)
    for number in range(4):
        written.pair(
            candidate=f"v{number % 2 + 2}", shadow=exchange(status=200 + number, body=f'{{"label": {number}}}')
        )
    for number in (2, 3):
        written.ledger(candidate=f"v{number}", eligible=2, sent=2, finished={"complete": 2}, logged=2)
    written.write()


def _file(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        _log(Path(folder))
        return (Path(folder) / f"{name}-1.jsonl").read_bytes()


GOOD = {name: _file(name) for name in ("pairs", "ledger")}


def pair_log(data: bytes) -> None:
    """A damaged file is read on: every line that is whole, and what is not is counted."""
    for name, good in GOOD.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / f"{name}-1.jsonl").write_bytes(data)
            log = find([Path(folder)])
            read = list(log.pairs()) + list(log.ledger())
            *lines, tail = data.split(b"\n")
            known = set(good.split(b"\n")) - {b""}
            assert len(read) >= sum(line in known for line in lines)
            assert len(read) + log.bad_lines == sum(bool(line.strip()) for line in lines)
            assert log.torn_lines <= bool(tail.strip())


def report_log(data: bytes) -> None:
    """The report reads a damaged file of pairs as the reader does: as many, torn and bad lines too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs-1.jsonl"
        path.write_bytes(data)
        (Path(folder) / "ledger-1.jsonl").write_bytes(GOOD["ledger"])
        log = find([Path(folder)])
        known = set(GOOD["pairs"].split(b"\n")) - {b""}
        whole = sum(line in known for line in data.split(b"\n")[:-1])
        sources = report_on(Path(folder)).sources
        assert whole <= sources.pairs <= len(list(log.pairs()))
        assert sources.torn_lines == log.torn_lines


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (request_head, answer_head, chunked, frame, comparison, pair_log, report_log)
}


def _samples() -> Iterator[bytes]:
    for number, sample in enumerate(SAMPLES):
        whole = body(sample.production)
        kind = PROTOCOLS.index(sample.protocol) if getattr(sample, "protocol", "") in RULES else 0
        yield bytes([kind, number % len(TYPES), number % 256]) + whole + BETWEEN + whole


SEEDS: dict[str, list[bytes]] = {
    "request_head": [
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"POST http://a.test/x?y HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 5\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
        b"PUT /a%2Fb HTTP/1.0\r\nContent-Length: 0\r\nVia: 1.1 a\r\nX-Request-ID: r-1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: [::1]:8\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nExpect: x\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nX-A: \xff\tb\r\nX-a:\r\n\r\n",
    ],
    "answer_head": [
        b"GHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
        b"GHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n",
        b"GHTTP/1.0 404 \r\nConnection: keep-alive\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\n",
        b"GHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GHTTP/1.1 204 No Content\r\nX: \xff\r\n\r\n",
    ],
    "chunked": [
        b"\x035\r\nhello\r\n0\r\n\r\n",
        b"\x02A;a=b\r\n0123456789\r\n1\r\nx\r\n0\r\nX-Sum: 7\r\nx-b:\r\n\r\nGET / HTTP/1.1\r\n",
        b"\x07" + b"1\r\na\r\n" * 20 + b"0\r\n\r\n",
    ],
    "frame": [
        b"\x05" + frames.hello(3, 1_772_373_600_000) + frames.config(b"{}", 7) + frames.ledger(b"[]") + frames.bye(),
        b"\x64" + b"".join(frames.pack_pair(1, made.pair())) + frames.ack(2**63, 3),
    ],
    "comparison": list(_samples()),
    "pair_log": list(GOOD.values()),
    "report_log": [GOOD["pairs"]],
}

FOUND: list[tuple[str, bytes]] = [
    # A bare LF ends llhttp's request line of HTTP/0.9; what follows was read as the version, the LF as of the target.
    ("request_head", b"POST http://a.test/x?y1\nHost: HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 5\r\n\r\n"),
]
