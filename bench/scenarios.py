"""What is measured, as data: the request, and for each scenario what production and the candidate answer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shadowproxy.bench.plan import request_bytes


@dataclass(frozen=True, slots=True)
class Scenario:
    """`candidate` is None where nothing is mirrored."""

    name: str
    title: str
    production: bytes
    candidate: bytes | None = None

    @property
    def mirrors(self) -> bool:
        return self.candidate is not None


def _tensor(name: str, shape: list[int], data: list[float] | list[int]) -> dict[str, object]:
    return {"name": name, "shape": shape, "datatype": "FP64", "data": data}


def _answer(probabilities: list[float]) -> bytes:
    outputs = [_tensor("probabilities", [1, len(probabilities)], probabilities)]
    return json.dumps({"model_name": "digits", "model_version": "1", "outputs": outputs}).encode()


def _probabilities(count: int, shift: float) -> list[float]:
    return [round((k + shift) / (count * (count + 1) / 2), 15) for k in range(1, count + 1)]


# The Open Inference Protocol: a small picture in 1 KiB, probabilities of 13 classes in 0.4 KiB or of 46 in 1 KiB.
TARGET = "/v2/models/digits/infer"
BODY = json.dumps({"inputs": [_tensor("image", [1, 280], [k % 17 for k in range(280)])]}).encode()
SMALL = _answer(_probabilities(13, 0.0))
LARGE = _answer(_probabilities(46, 0.0))
LARGE_OTHER = _answer(_probabilities(46, 0.25))

SCENARIOS = (
    Scenario("pass", "passed through", SMALL),
    Scenario("mirror", "mirrored, equal answers", SMALL, SMALL),
    Scenario("differ", "mirrored, 1 KiB answers that differ", LARGE, LARGE_OTHER),
)


def request_for(port: int) -> bytes:
    return request_bytes("POST", TARGET, f"127.0.0.1:{port}", BODY, {"Content-Type": "application/json"})
