"""Presets are data: which requests they fit, and that each can be compiled."""

from __future__ import annotations

import pytest

from shadowproxy.compare.decision import KINDS
from shadowproxy.compare.presets import NAMES, PRESETS, Preset, recognise
from shadowproxy.compare.readers import READERS
from tests.compare.exchanges import rules

REQUESTS = [
    ("POST", "/v2/models/digits/infer", "open-inference"),
    ("POST", "/v2/models/digits/versions/3/infer", "open-inference"),
    ("POST", "/v2/models/digits/infer?trace=1", "open-inference"),
    ("POST", "/v2/models/digits/infer/", "open-inference"),
    ("POST", "/v2/models/a%2Fb/infer", "open-inference"),
    ("GET", "/v2/models/digits/infer", ""),
    ("POST", "/v2/models/digits", ""),
    ("POST", "/v2/models//infer", ""),
    ("POST", "/v2/models/a/b/infer", ""),
    ("POST", "/v2/models/digits/generate", "triton-generate"),
    ("POST", "/api/v2/models/digits/infer", ""),
    ("POST", "/", "tgi"),
    ("POST", "/v1/models/m:predict", "tf-serving"),
    ("POST", "/v1/models/m/versions/3:classify", "tf-serving"),
    ("POST", "/v1/models/m/labels/stable:regress", "tf-serving"),
    ("POST", "/v1/models/m:explain", "kserve-v1"),
    ("POST", "/v1/models/m", ""),
    ("POST", "/predictions/resnet/2.0", "torchserve"),
    ("POST", "/seldon/ns/deployment/api/v1.0/predictions", "seldon"),
    ("POST", "/v1/chat/completions", "openai-chat"),
    ("POST", "/openai/deployments/gpt/chat/completions?api-version=1", "openai-chat"),
    ("POST", "/v1/messages", "anthropic"),
    ("POST", "/v1/messages/count_tokens", ""),
    ("POST", "/v2/rerank", "cohere-rerank"),
    ("POST", "/" + "x" * 1000, ""),
    ("POST", "*", ""),
]


@pytest.mark.parametrize(("method", "target", "name"), REQUESTS)
def test_a_request_is_recognised_by_method_and_path(method: str, target: str, name: str) -> None:
    assert name in {preset.name for preset in recognise(method, target)} or (not name and not recognise(method, target))
    assert rules().plans_for(method, target)[0].protocol == name


def test_a_route_may_name_its_protocol_or_have_none() -> None:
    assert [p.protocol for p in rules(protocol="open-inference").plans_for("POST", "/predict")] == ["open-inference"]
    assert [p.protocol for p in rules(protocol="none").plans_for("POST", "/v2/models/digits/infer")] == [""]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_can_be_put_in_force(preset: Preset) -> None:
    assert preset.name in NAMES
    assert preset.reader in READERS
    assert preset.kind in KINDS
    assert rules(protocol=preset.name).plans[preset.name].protocol == preset.name
