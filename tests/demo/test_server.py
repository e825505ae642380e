"""A model server as a process: the protocol's paths, its service time, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from shadowproxy.demo.open_inference import request_body
from shadowproxy.demo.server import FLOOR_S
from shadowproxy.demo.training import LOGISTIC, SVM, read_traffic
from tests.demo.conftest import ROOT, Served

INFER = "/v2/models/digits/infer"


def call(server: Served, path: str, body: bytes | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", body, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/v2", 200, {"name": "shadowproxy-demo"}),
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        ("/v2/models/digits", 200, {"versions": ["1"], "platform": "scikit-learn"}),
        ("/v2/models/digits/ready", 200, {"name": "digits", "ready": True}),
        ("/v2/models/digits/versions/1", 200, {"name": "digits"}),
        ("/v2/models/digits/versions/1/ready", 200, {"ready": True}),
        ("/v2/models/digits/versions/2/ready", 404, {"error": "'digits' has no version '2' here; this server has '1'"}),
        ("/v2/models/letters", 404, {"error": "no model 'letters' here; this server has 'digits'"}),
        ("/v2/models/digits/infer", 405, {"error": "405: Method Not Allowed"}),
        ("/", 404, {"error": "404: Not Found"}),
    ],
)
def test_the_protocols_paths(production: Served, path: str, status: int, part: dict[str, Any]) -> None:
    answered, said = call(production, path)
    assert answered == status
    assert part.items() <= said.items()


def test_metadata_names_the_tensors(production: Served) -> None:
    _, said = call(production, "/v2/models/digits")
    assert [(tensor["name"], tensor["datatype"], tensor["shape"]) for tensor in said["inputs"] + said["outputs"]] == [
        ("pixels", "FP32", [-1, 64]),
        ("label", "INT64", [-1]),
        ("probabilities", "FP32", [-1, 10]),
    ]


@pytest.mark.parametrize("path", [INFER, "/v2/models/digits/versions/1/infer"])
def test_answers_are_the_models(production: Served, trained: Path, path: str) -> None:
    pixels = read_traffic(trained).pixels[:40]
    status, said = call(production, path, request_body(pixels))
    assert status == 200
    probabilities = joblib.load(trained / LOGISTIC)(pixels)
    label, given = said["outputs"]
    assert label["data"] == probabilities.argmax(axis=1).tolist()
    np.testing.assert_allclose(given["data"], probabilities.reshape(-1), atol=1e-7)


def test_a_bad_request_is_400(production: Served) -> None:
    assert call(production, INFER, b"{}") == (
        400,
        {"error": 'inputs is not a list of one tensor, named "pixels"'},
    )


def test_the_broken_one_takes_a_third_longer(production: Served, broken: Served, trained: Path) -> None:
    body = request_body(read_traffic(trained).pixels[:1])
    times: dict[int, list[float]] = {production.port: [], broken.port: []}
    connections = {port: HTTPConnection("127.0.0.1", port, timeout=60) for port in times}
    for _ in range(40):
        for port, connection in connections.items():
            started = time.perf_counter()
            connection.request("POST", INFER, body)
            connection.getresponse().read()
            times[port].append(time.perf_counter() - started)
    for connection in connections.values():
        connection.close()
    # The quickest of each: a busy machine only adds. The loop's timers round to 1 ms.
    usual, slow = (min(times[port]) for port in times)
    assert usual >= FLOOR_S - 0.001
    assert slow >= 1.3 * FLOOR_S - 0.001


def test_it_ends_with_its_parent(trained: Path) -> None:
    assert Served(trained / SVM, "2").end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(trained: Path, number: signal.Signals) -> None:
    server = Served(trained / LOGISTIC, "1")
    server.process.send_signal(number)
    assert server.process.wait(timeout=60) == 0
    server.kill()


def test_a_taken_port_is_an_error(trained: Path, taken_port: int) -> None:
    command = [sys.executable, "-m", "shadowproxy.demo.server", "--model", str(trained / LOGISTIC)]
    more = ["--version", "1", "--port", str(taken_port)]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "address already in use" in done.stderr
