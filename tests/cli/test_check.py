"""`check`: faults, the effective configuration, and the probe."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import yaml

from shadowproxy.cli import call
from shadowproxy.cli.probe import Target, probe
from shadowproxy.settings.snapshot import UpstreamTls

Captured = pytest.CaptureFixture[str]


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    return str(path)


def test_a_valid_file_is_printed_with_its_defaults(tmp_path: Path, capsys: Captured) -> None:
    path = written(tmp_path, "production: {url: 'http://p:1'}\nadmin: {token: secret-of-ours}\n")
    assert call(["check", path]) == 0
    out, err = capsys.readouterr()
    tree = yaml.safe_load(out)
    assert tree["limits"]["head"] == "16KiB"
    assert tree["admin"]["token"] == "***"
    assert err == f"{path}: valid\n"


def test_a_dash_is_stdin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shadowproxy", "check", "-"]
    for said, code, heard in (
        ("production: {url: 'http://p:1'}", 0, "-: valid\n"),
        ("production: {ulr: 'http://p:1'}", 2, "-:1: production.ulr: unknown key; did you mean url?\n"),
    ):
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (code, heard)


def test_faults_are_told_all_and_nothing_is_printed(tmp_path: Path, capsys: Captured) -> None:
    path = written(tmp_path, "production: {ulr: 'http://p:1'}\nvia: ''\n")
    assert call(["check", path]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{path}:1: production.ulr: unknown key; did you mean url?",
        f"{path}:2: via: expected letters, digits and !#$%&'*+-.^_`|~ only, there was ''",
    ]


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path, capsys: Captured) -> None:
    assert call(["check", str(tmp_path / "none.yaml")]) == 4
    assert capsys.readouterr().err == f"error: {tmp_path}/none.yaml: No such file or directory\n"


class Model(BaseHTTPRequestHandler):
    """Answers by `server.statuses`; what it was asked for is in `server.asked`."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("X-Key")))  # type: ignore[attr-defined]
        self.send_response(self.server.statuses.get(self.path, 404))  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests read stderr."""


@pytest.fixture
def model() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.statuses, server.asked = {}, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def target(server: ThreadingHTTPServer, scheme: str = "http", tls: UpstreamTls | None = None) -> Target:
    return Target("v1", f"{scheme}://127.0.0.1:{server.server_address[1]}", tls or UpstreamTls(), 2.0)


@pytest.mark.parametrize(
    ("statuses", "ready", "asked"),
    [
        ({"/v2/health/ready": 200}, True, ["/v2/health/ready"]),
        ({"/v2/health/ready": 503, "/": 200}, False, ["/v2/health/ready"]),
        ({"/v2/health/ready": 401, "/": 200}, False, ["/v2/health/ready"]),
        ({"/": 200}, True, ["/v2/health/ready", "/"]),
        ({}, True, ["/v2/health/ready", "/"]),  # it answers HTTP: what its paths are is not known
        ({"/v2/health/ready": 405, "/": 500}, False, ["/v2/health/ready", "/"]),
    ],
)
def test_readiness_is_asked_of_the_protocol_s_path_then_of_the_root(  # type: ignore[no-untyped-def]
    model, statuses: dict[str, int], ready: bool, asked: list[str]
) -> None:
    model.statuses = statuses
    finding = probe(target(model))
    assert finding.ready is ready
    assert [path for path, _ in model.asked] == asked
    assert finding.done.count("TCP connect ok") == len(asked)
    assert f"GET {asked[-1]} → {statuses.get(asked[-1], 404)}" in finding.done


def test_where_nothing_listens_the_reason_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        finding = probe(Target("v2", url, UpstreamTls(), 2.0))
    assert str(finding) == f"v2 at {url}: NOT READY (TCP connect; Connection refused)"


def test_what_does_not_speak_http_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        finding = probe(Target("v2", f"http://127.0.0.1:{server.getsockname()[1]}", UpstreamTls(), 2.0))
        thread.join()
    assert not finding.ready
    assert "GET /v2/health/ready; " in finding.done


def test_tls_is_verified_as_configured(model: ThreadingHTTPServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("model.internal").configure_cert(context)
    model.socket = context.wrap_socket(model.socket, server_side=True)
    model.statuses = {"/v2/health/ready": 200}  # type: ignore[attr-defined]
    ca = str(tmp_path / "ca.pem")
    assert probe(target(model, "https", UpstreamTls(ca=ca, server_name="model.internal"))).ready
    assert probe(target(model, "https", UpstreamTls(verify=False))).ready
    stranger = probe(target(model, "https"))
    assert not stranger.ready
    assert "TLS connect; " in stranger.done
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.done
    misnamed = probe(target(model, "https", UpstreamTls(ca=ca)))
    assert not misnamed.ready


def test_check_probes_every_upstream_and_exits_4_when_one_is_not_ready(
    model: ThreadingHTTPServer, tmp_path: Path, capsys: Captured
) -> None:
    url = f"http://127.0.0.1:{model.server_address[1]}"
    model.statuses = {"/v2/health/ready": 200}  # type: ignore[attr-defined]
    text = f"""
production: {{url: '{url}'}}
twin: {{url: production}}
candidates: [{{name: v2, url: '{url}', headers: {{set: {{X-Key: k}}}}}}]
"""
    assert call(["check", written(tmp_path, text), "--probe"]) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# ")]
    assert [line.split(" (")[0] for line in found] == [
        f"# production at {url}: ready",
        f"# twin at {url}: ready",
        f"# v2 at {url}: ready",
    ]
    assert model.asked == [("/v2/health/ready", key) for key in (None, None, "k")]  # type: ignore[attr-defined]
    model.statuses = {"/v2/health/ready": 503}  # type: ignore[attr-defined]
    assert call(["check", written(tmp_path, text), "--probe"]) == 4
    assert yaml.safe_load(capsys.readouterr().out)["production"]["url"] == url  # findings are comments
