"""`bench` from its command line to its exit code, against a server that is told when to stall."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shadowproxy.cli import call
from shadowproxy.cli.errors import DONE, FAILED, TROUBLE, USAGE

Captured = pytest.CaptureFixture[str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers in a thread of its own; `stall_s` of the k-th request delays it, and all that comes meanwhile."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.stall_s: Callable[[int], float] = lambda _: 0.0
        self._lock = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/predict"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                async with self._lock:
                    self.requests.append(head + body)
                    await asyncio.sleep(self.stall_s(len(self.requests)))
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def _bench(*words: str) -> int:
    return call(["bench", *words, "--warmup", "0", "--connections", "4"])


def test_a_stalled_server_shows_in_the_tail(server: Server, capsys: Captured) -> None:
    server.stall_s = lambda k: 0.5 if k == 50 else 0.0
    assert _bench(server.url, "--rate", "200", "--duration", "2s", "--format", "json") == DONE
    (found,) = json.loads(capsys.readouterr().out)["urls"]
    # 100 of 400 requests fall due while it stalls for half a second, and wait 250 ms on average. A load that waited for
    # its answers would have seen four slow ones: 1 %.
    assert (found["offered"], found["failed"]) == (400, 0)
    assert found["latency_ms"]["p90"] > 250
    assert found["latency_ms"]["max"] > 450


def test_text_says_rate_statuses_and_latency(server: Server, capsys: Captured) -> None:
    assert _bench(server.url, "--rate", "100", "--duration", "500ms") == DONE
    said = capsys.readouterr().out
    assert said.startswith("100 requests/s over 4 connections, 0.5 s after 0 s of warm-up\n")
    assert "50 × 200" in said
    assert re.search(r"latency, ms  mean [\d,.]+ · p50 [\d,.]+ · .* · p99\.9 [\d,.]+ · max [\d,.]+", said)


def test_method_headers_and_body_are_sent(server: Server, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_bytes(b'{"x": 1}')
    given = ["--header", "X-Key: a b", "--body", str(body), "--rate", "50", "--duration", "100ms"]
    assert _bench(server.url, *given) == DONE
    assert set(server.requests) == {
        b"POST /predict HTTP/1.1\r\nHost: "
        + server.url.split("/")[2].encode()
        + b'\r\nX-Key: a b\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"x": 1}'
    }
    server.requests.clear()
    assert _bench(server.url, "--method", "DELETE", "--rate", "50", "--duration", "100ms") == DONE
    assert all(request.startswith(b"DELETE /predict HTTP/1.1\r\n") for request in server.requests)


def test_a_missed_threshold_exits_1(server: Server, capsys: Captured) -> None:
    limits = ["--threshold", "p50<=1us", "--threshold", "error_rate<=0%"]
    assert _bench(server.url, "--rate", "50", "--duration", "200ms", *limits) == FAILED
    captured = capsys.readouterr()
    assert "MISSED: p50<=1us" in captured.out
    assert "met: error_rate<=0% (0)" in captured.out
    assert captured.err.startswith("1 of 2 thresholds missed: p50<=1us at http")


def test_several_urls_take_turns_and_are_compared(server: Server, capsys: Captured) -> None:
    words = [server.url, f"{server.url}/other", "--rate", "100", "--duration", "1500ms", "--format", "json"]
    assert _bench(*words) == DONE
    record = json.loads(capsys.readouterr().out)
    assert (record["rounds"], [each["offered"] for each in record["urls"]]) == (6, [150, 150])
    (found,) = record["ratios"]
    medians = next(each for each in found if each["metric"] == "p50")
    assert medians["low"] < medians["estimate"] < medians["high"]
    # Two probes ahead; then a round each way, 25 requests to a window, looked at in its middle.
    targets = [request.split()[1] for request in server.requests[2:]]
    turns = [targets[k] for k in range(12, 300, 25)]
    assert turns == [b"/predict", b"/predict/other", b"/predict/other", b"/predict"] * 3


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_stands_alone_and_escapes_all(server: Server, capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "bench.html"
    hostile = f"{server.url}?<script>alert(1)</script>&\"'"
    assert _bench(hostile, "--rate", "100", "--duration", "500ms", "--format", "html", "-o", str(file)) == DONE
    text = file.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.tags.count("polyline") >= 4
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in text
    assert "Latency by percentile, ms" in text
    assert "nan" not in text.lower().replace("answer", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("http://h/", "--rate", "fast"), "--rate: expected requests per second"),
        (("http://h/", "--rate", "0"), "--rate: expected requests per second"),
        (("http://h/", "--duration", "10"), "did you mean 10s?"),
        (("http://h/", "--duration", "0"), "--duration: expected more than 0"),
        (("h:80",), "expected a URL such as"),
        (("http://h/", "--threshold", "p99<20"), "expected an expression such as"),
        (("http://h/", "--header", "nonsense"), "--header: expected 'NAME: VALUE'"),
        (("http://h/", "--header", "A: b\r\nC: d"), "--header: expected 'NAME: VALUE'"),
        (("http://h/", "--header", "Content-Length: 3"), "is set by what is sent"),
        (("http://h/", "--header", "A: ☃"), "expected signs of Latin-1"),
    ],
)
def test_what_cannot_be_meant_exits_2(words: tuple[str, ...], said: str, capsys: Captured) -> None:
    assert call(["bench", *words]) == USAGE
    assert said in capsys.readouterr().err


def test_nobody_there_exits_4(server: Server, capsys: Captured) -> None:
    server.close()
    assert _bench(server.url, "--rate", "10", "--duration", "100ms") == TROUBLE
    assert "expected an HTTP server that answers" in capsys.readouterr().err


def test_a_body_that_is_not_there_exits_4(capsys: Captured) -> None:
    assert _bench("http://h/", "--body", "/nowhere") == TROUBLE
    assert "--body /nowhere: No such file or directory" in capsys.readouterr().err
