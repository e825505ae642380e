"""The clients of the admin API, against a real supervisor and a real admin process beside fake workers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.cli import call, wait
from shadowproxy.settings.snapshot import Admin
from tests.support.supervised import Supervised

Captured = pytest.CaptureFixture[str]
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Supervised]:
    token = "correct-horse"
    admin = Admin(listen="127.0.0.1:0", token=token)
    with Supervised(tmp_path, real=("admin",), workers=1, state=str(tmp_path / "state"), admin=admin) as running:
        yield running.ready()


@pytest.fixture
def say(proxy: Supervised, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> Say:
    """A command line with `--admin` added: its exit code, stdout and stderr."""
    monkeypatch.setenv("SHADOWPROXY_ADMIN_TOKEN", "correct-horse")
    url = "http://" + proxy.event("proxy.ready")["admin"]

    def said(*arguments: str) -> tuple[int, str, str]:
        code = call([*arguments, "--admin", url])
        return code, *capsys.readouterr()

    return said


def test_a_day_of_an_operator(say: Say) -> None:
    code, out, _ = say("add", "v3=http://127.0.0.1:3", "--sample", "25%")
    trial = json.loads(say("candidates", "--json")[1])[1]["trial"]
    assert (code, out) == (0, f"v3 gets copies at http://127.0.0.1:3; its trial is {trial}\n")
    assert say("sample", "v2", "5%")[:2] == (0, "v2 gets 5 % of the requests\n")
    assert say("pause", "v2")[:2] == (0, "v2 is paused\n")
    code, out, _ = say("candidates")
    rows = [line.split() for line in out.splitlines()]
    assert (code, rows[1][:2], rows[2][:3]) == (0, ["v2", "paused"], ["v3", "25", "%"])
    assert say("resume")[:2] == (0, "every candidate gets copies again\n")
    assert say("restart", "v2")[1].startswith("v2's new trial is v2-")
    assert say("promote", "v2", "--force", "a test")[1].startswith("v2 answers now (generation")
    code, out, _ = say("status")
    assert code == 0
    assert "v2 answers at http://127.0.0.1:2" in out
    assert "production: v1 → v2" in out
    assert say("rollback", "--reason", "enough")[1].startswith("v1 answers (generation")
    code, out, _ = say("history")
    assert (code, "rolled back" in out, "forced: a test" in out, "because enough" in out) == (0, True, True, True)
    assert say("remove", "v3")[:2] == (0, "v3 gets no copies any more\n")
    assert say("reload", "--reset")[0] == 0
    assert "Changed since" not in say("status")[1]


EXITS = [
    (("promote", "v2"), 1, "v2 is not promoted: its verdict is not known yet, not PASS"),
    (("promote", "v9"), 2, "There is no candidate v9"),
    (("promote", "v2", "--force", " "), 2, "--force: expected the reason"),
    (("sample", "v2", "1"), 2, "write 1% or 100%"),
    (("sample", "v9", "1%"), 2, "no candidate v9"),
    (("add", "v2"), 2, "expected NAME=URL"),
    (("add", "v2=http://h:1"), 2, "v2 is taken"),
    (("add", "x=h:1"), 2, "expected"),
    (("rollback",), 2, "nothing to roll back"),
    (("wait", "v9", "--timeout", "0"), 2, "no candidate v9"),
    (("wait", "v2", "--timeout", "5"), 2, "did you mean 5s"),
]


def test_exit_codes_say_what_went_wrong(say: Say, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, code, sentence in EXITS:
        said = say(*arguments)
        assert (said[0], sentence in said[2]) == (code, True), (arguments, said)
    assert say("wait", "v2", "--timeout", "0") == (3, "v2 has not been judged yet.\n", "")
    monkeypatch.setenv("SHADOWPROXY_ADMIN_TOKEN", "wrong")
    code, _, err = say("status")
    assert (code, "SHADOWPROXY_ADMIN_TOKEN" in err) == (2, True)


def test_nobody_there_is_a_failure_and_a_strange_url_a_usage_error(capsys: Captured) -> None:
    assert call(["status", "--admin", "http://127.0.0.1:1"]) == 4
    assert "no answer: Connection refused" in capsys.readouterr().err
    assert call(["status", "--admin", "127.0.0.1:1"]) == 2
    assert call(["status", "--admin", "http://127.0.0.1:1/x"]) == 2


def test_check_shows_what_operators_changed(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("production: {url: 'http://127.0.0.1:1'}\n")
    assert say("check", str(file))[1].endswith("# Nothing was changed since the proxy read its file.\n")
    say("sample", "v2", "5%")
    assert "#   candidates[v2].sample: 10% → 5%" in say("check", str(file))[1]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """An admin API that tells one scripted verdict after the other, the last one again and again."""
    monkeypatch.setattr(wait, "LOOK_S", 0.01)
    script: list[tuple[int, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = script.pop(0) if len(script) > 1 else script[0]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def tells(*answers: tuple[int, Any]) -> str:
        script[:] = answers
        return f"http://127.0.0.1:{server.server_port}"

    yield tells
    server.shutdown()
    server.server_close()
    thread.join()


def record(verdict: str | None, headline: str) -> tuple[int, dict[str, Any]]:
    return 200, {"verdict": verdict, "headline": headline}


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1)])
def test_wait_follows_until_it_is_decided(
    judged: Callable[..., str], capsys: Captured, verdict: str, code: int
) -> None:
    away = (503, {"detail": "The supervisor did not answer within 2 s."})
    url = judged(record(None, "none yet"), record("INCONCLUSIVE", "not yet"), away, record(verdict, "decided"))
    assert call(["wait", "v2", "--admin", url]) == code
    out, err = capsys.readouterr()
    assert out == "decided\n"
    assert err.splitlines()[:2] == ["none yet", "not yet"]
    assert "did not answer" in err


def test_wait_gives_up_at_its_deadline(judged: Callable[..., str], capsys: Captured) -> None:
    assert call(["wait", "v2", "--timeout", "50ms", "--admin", judged(record("INCONCLUSIVE", "not yet"))]) == 3
    assert capsys.readouterr().out == "not yet\n"
