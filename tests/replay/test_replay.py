"""A replay end to end: real sockets, a log of its own, and laws that hold."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, ClassVar

import pytest

from shadowproxy.cli import call
from shadowproxy.core.ledger import broken_laws
from shadowproxy.pairlog.reader import find
from shadowproxy.replay.run import Pace
from tests.support import scores as packages
from tests.support.pairs import PairLog, answer
from tests.support.reports import report_on

Captured = pytest.CaptureFixture[str]
Answer = Callable[["Handler"], tuple[int, bytes]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []
    lock: ClassVar[Lock] = Lock()
    answer: ClassVar[Answer]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, answered = type(self).answer(self)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def upstream(answered: Answer) -> Any:
    """(its url, what it has seen)."""
    kind = type("Scripted", (Handler,), {"seen": [], "answer": staticmethod(answered)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kind.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def always(status: int = 200, body: bytes = b'{"label": "a"}') -> Answer:
    return lambda _: (status, body)


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "log", every_s=0.01)
    log.pair(times=4, production=answer(version="1.0"))
    log.pair(production=answer(version="1.0"), request={"method": "GET", "target": "/a%2Fb?x=%20y", "headers": [],
             "body": None, "body_encoding": "not_stored", "body_bytes": 0, "body_truncated": False}, key="joined",
             slices={"country": "DE"})  # fmt: skip
    for body_encoding in ("withheld", "not_stored"):
        log.pair(request={"method": "POST", "target": "/p", "headers": [], "body": None, "body_encoding": body_encoding,
                          "body_bytes": 3, "body_truncated": False})  # fmt: skip
    log.pair(request={"method": "POST", "target": "/p", "headers": [], "body": "x", "body_encoding": "utf8",
                      "body_bytes": 3, "body_truncated": True})  # fmt: skip
    return log


def replay(log: PairLog, tmp_path: Path, url: str, *more: str) -> Path:
    target = tmp_path / "replayed"
    assert call(["replay", str(log.write()), "--to", f"v3={url}", "--pairs", str(target), *more]) == 0
    return target


def test_requests_go_out_as_they_came_and_the_old_answers_stand_beside_the_new(
    log: PairLog, tmp_path: Path, capsys: Captured
) -> None:
    with upstream(lambda h: (200, b'{"label": "%s"}' % (b"b" if h.command == "GET" else b"a"))) as (url, seen):
        target = replay(log, tmp_path, url)
    out = capsys.readouterr().out
    assert out.startswith(f"5 of 8 requests replayed to v3 → {target}\n")
    assert sorted(out.splitlines()[1].removeprefix("skipped: ").split(", ")) == [
        "1 not_stored",
        "1 truncated",
        "1 withheld",
    ]
    [odd] = [request for request in seen if request[0] == "GET"]
    assert (odd[1], odd[3]) == ("/a%2Fb?x=%20y", b"")
    [post, *_] = [request for request in seen if request[0] == "POST"]
    assert post[3] == b'{"x": 1}'
    assert post[2]["content-type"] == "application/json"
    assert (post[2]["x-shadow"], post[2]["x-shadow-candidate"]) == ("1", "v3")
    assert post[2]["x-request-id"].startswith("request-")
    old = {pair["id"]: pair for pair in find([log.root]).pairs()}
    for pair in find([target]).pairs():
        was = old[pair["id"]]
        for name in ("request", "production", "key", "slices", "answered_by"):
            assert pair[name] == was[name]
        assert (pair["origin"], pair["candidate"]) == ("replay", "v3")
        assert pair["trial"] != was["trial"]
        assert pair["shadow"]["status"] == 200
        assert pair["shadow"]["timing_ms"]["total"] >= pair["shadow"]["timing_ms"]["sent"] >= 0
        assert pair["comparison"]["result"] == ("different" if pair["request"]["method"] == "GET" else "same")


def test_every_request_is_in_the_ledger_and_its_laws_hold(log: PairLog, tmp_path: Path) -> None:
    with upstream(always(503)) as (url, _):
        target = replay(log, tmp_path, url)
    rows = list(find([target]).ledger())
    assert [broken_laws(row) for row in rows] == [[] for _ in rows]
    [last] = [row for row in rows if row["ts"] == rows[-1]["ts"]]
    assert (last["requests"], last["sent"], last["logged"], last["in_flight"]) == (8, 5, 5, 0)
    assert (last["excluded"], last["dropped"]) == ({"refused": 2}, {"body_too_large": 1})
    report = report_on(target).candidates["v3"]
    assert (report.pairs, report.origin, report.production) == (5, "replay", "v1")
    assert report.statuses == {"503": 5}


def test_the_twin_gets_them_too(log: PairLog, tmp_path: Path) -> None:
    with upstream(always(body=b'{"label": "b"}')) as (url, _), upstream(always()) as (twin, seen):
        target = replay(log, tmp_path, url, "--twin", twin)
    assert len(seen) == 5
    for pair in find([target]).pairs():
        assert (pair["comparison"]["agrees"], pair["noise"]["agrees"]) == (False, True)
        assert pair["twin"]["upstream"] == "twin"


def test_an_upstream_that_is_not_there_is_an_outcome(log: PairLog, tmp_path: Path, capsys: Captured) -> None:
    with upstream(always()) as (url, _):
        pass
    target = replay(log, tmp_path, url)
    assert "not answered: 5 connect_error" in capsys.readouterr().out
    assert {pair["shadow"]["outcome"] for pair in find([target]).pairs()} == {"connect_error"}


def test_the_settings_of_a_configured_candidate_hold(log: PairLog, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "production: {url: 'http://127.0.0.1:1'}\n"
        "candidates:\n- name: v3\n  url: http://127.0.0.1:2\n  path: {replace: /predict, with: /v3/predict}\n"
        "  json: {set: {'$.model': m3}}\n  headers: {set: {X-Token: t}, remove: [Content-Type]}\n"
        "pairs: {redact: {json: ['$.label'], key: 0123456789abcdef}}\n"
    )
    log.pairs = log.pairs[:4]
    with upstream(always(body=b'{"label": "secret"}')) as (url, seen):
        target = replay(log, tmp_path, url, "-c", str(config))
    for _, path, headers, body in seen:
        assert path == "/v3/predict"
        assert json.loads(body) == {"x": 1, "model": "m3"}
        assert headers["x-token"] == "t"
        assert "application/json" not in headers.values()
    written = b"".join(path.read_bytes() for path in target.iterdir())
    assert b'"label\\":\\"secret' not in written
    assert b"secret" not in written
    # What redaction hides in the log is not compared with what comes now.
    assert {pair["comparison"]["result"] for pair in find([target]).pairs()} == {"same"}


def test_own_scores_measure_what_is_replayed(
    log: PairLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    source = "def odd(pair):\n    return 7\n"
    packages.install(
        tmp_path / "own", monkeypatch, "odd_replayed", source, "odd = odd_replayed:odd", "ghost = nowhere:f"
    )
    with upstream(always()) as (url, _):
        folder = replay(log, tmp_path, url)
    assert {pair["comparison"]["metrics"]["odd"] for pair in find([folder]).pairs()} == {7}
    assert "score ghost is left out: nowhere:f cannot be imported" in capsys.readouterr().err


def test_a_log_of_columns_is_replayed_as_well(log: PairLog, tmp_path: Path) -> None:
    folder = log.write("20260301T140000Z-0-1-000001")
    columns = tmp_path / "columns"
    assert call(["export", str(folder), "-o", str(columns)]) == 0
    with upstream(always()) as (url, seen):
        assert call(["replay", str(columns), "--to", f"v3={url}", "--pairs", str(tmp_path / "r")]) == 0
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("pace", "number", "since_first_s", "due_s"),
    [
        (Pace(), 100, 50.0, 0.0),
        (Pace(rate=20), 100, 50.0, 5.0),
        (Pace(speed=2), 100, 50.0, 25.0),
        (Pace(speed=0.5), 100, 50.0, 100.0),
        (Pace(speed=1), 100, -3.0, 0.0),  # lines of several workers are not quite in order
    ],
)
def test_when_a_request_is_due(pace: Pace, number: int, since_first_s: float, due_s: float) -> None:
    assert pace.due_s(number, since_first_s) == due_s


def test_a_rate_is_kept(log: PairLog, tmp_path: Path) -> None:
    arrived: list[float] = []

    def noted(_: Handler) -> tuple[int, bytes]:
        arrived.append(time.monotonic())
        return 200, b"{}"

    with upstream(noted) as (url, _):
        replay(log, tmp_path, url, "--rate", "10")
    # Five requests, four gaps; a busy machine may be late with the first.
    assert max(arrived) - min(arrived) >= 4 / 10 / 2


def test_no_more_than_the_concurrency_is_under_way(log: PairLog, tmp_path: Path) -> None:
    now, most, lock, both = 0, 0, Lock(), Event()

    def counted(_: Handler) -> tuple[int, bytes]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        if now == 2:
            both.set()
        both.wait(60)
        time.sleep(0.02)  # a third would come meanwhile
        with lock:
            now -= 1
        return 200, b"{}"

    with upstream(counted) as (url, seen):
        replay(log, tmp_path, url, "--concurrency", "2")
    assert (len(seen), most) == (5, 2)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--to", "nameless"], 2, "error: --to nameless: expected NAME=URL"),
        (["--to", "v3=ftp://x"], 2, "--to v3=ftp://x: expected scheme"),
        (["--to", "v3=http://127.0.0.1:1", "--rate", "5", "--speed", "2"], 2, "expected one of them"),
        (["--to", "v3=http://127.0.0.1:1", "--pairs", "LOG"], 2, "expected a directory without a log"),
        (["--to", "v3=http://127.0.0.1:1", "--rate", "0"], 2, "--rate"),
        ([], 2, "--to"),
    ],
)
def test_wishes_that_cannot_be_meant(
    more: list[str], code: int, said: str, log: PairLog, tmp_path: Path, capsys: Captured
) -> None:
    folder = str(log.write())
    assert call(["replay", folder, *(folder if word == "LOG" else word for word in more)]) == code
    assert said in capsys.readouterr().err


def test_a_log_without_pairs_exits_3(tmp_path: Path, capsys: Captured) -> None:
    assert call(["replay", str(PairLog(tmp_path).write()), "--to", "v3=http://127.0.0.1:1"]) == 3
    assert "nothing to replay" in capsys.readouterr().err


def test_no_task_is_left_behind(log: PairLog, tmp_path: Path) -> None:
    with upstream(always()) as (url, _):
        replay(log, tmp_path, url)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
