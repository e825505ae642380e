"""Presets are data: which requests they fit, and that each can be compiled."""

from __future__ import annotations

import pytest

from shadowproxy.compare import protocol_of
from shadowproxy.compare.prediction import KINDS, READERS
from shadowproxy.compare.presets import NAMES, PRESETS, Preset, recognise
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
    ("POST", "/v2/models/digits/generate", ""),
    ("POST", "/api/v2/models/digits/infer", ""),
    ("POST", "/", ""),
    ("POST", "*", ""),
]


@pytest.mark.parametrize(("method", "target", "name"), REQUESTS)
def test_a_request_is_recognised_by_method_and_path(method: str, target: str, name: str) -> None:
    preset = recognise(method, target)
    assert (preset.name if preset else "") == name
    assert protocol_of(rules(), method, target) == name


def test_a_route_may_name_its_protocol_or_have_none() -> None:
    assert protocol_of(rules(protocol="open-inference"), "POST", "/predict") == "open-inference"
    assert protocol_of(rules(protocol="none"), "POST", "/v2/models/digits/infer") == ""


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_can_be_put_in_force(preset: Preset) -> None:
    assert preset.name in NAMES
    assert preset.reader in READERS
    assert preset.kind in KINDS
    assert rules(protocol=preset.name).plans[preset.name].protocol == preset.name
