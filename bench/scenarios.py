"""What is measured, as data: the request, and for each scenario who passes it on and what the models answer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shadowproxy.bench.plan import request_bytes


@dataclass(frozen=True, slots=True)
class Scenario:
    """`candidate` is None where nothing is mirrored.

    Proxies: `direct` is none at all. `nginx-bodyless` is nginx with a candidate that answers without a body. nginx
    throws a copy's answer away unread, so it must close the connection behind any other answer and open a new one for
    the next copy: this is the best that its mirror can do, with a model that says nothing.
    """

    name: str
    title: str
    proxies: tuple[str, ...]
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
    Scenario("pass", "passed through", ("direct", "nginx", "envoy", "haproxy", "aiohttp", "shadowproxy"), SMALL),
    Scenario(
        "mirror",
        "mirrored, equal answers",
        ("nginx", "nginx-bodyless", "envoy", "aiohttp", "shadowproxy", "shadowproxy-interpreted"),
        SMALL,
        SMALL,
    ),
    Scenario("differ", "mirrored, 1 KiB answers that differ", ("nginx", "shadowproxy"), LARGE, LARGE_OTHER),
)


def request_for(port: int) -> bytes:
    return request_bytes("POST", TARGET, f"127.0.0.1:{port}", BODY, {"Content-Type": "application/json"})
