"""What the settings accept is what the rooms that read a snapshot can compile."""

from __future__ import annotations

from typing import get_args

import pytest

from shadowproxy.compare import compile_rules
from shadowproxy.compare.decision import KINDS
from shadowproxy.compare.presets import NAMES
from shadowproxy.settings.load import load
from shadowproxy.settings.model.judging import Prediction
from tests.settings.reference import FULL


def test_the_kinds_of_prediction_are_those_that_comparison_knows() -> None:
    assert set(get_args(Prediction.model_fields["is_"].annotation)) == set(KINDS)


def test_the_routes_of_the_full_example_compile() -> None:
    routes = load(str(FULL), None, {}).snapshot.routes
    digests = [compile_rules(route).digest for route in routes]
    assert len(set(digests)) == len(routes)


@pytest.mark.parametrize("protocol", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_protocol_with_every_kind_loads_and_compiles(tmp_path, protocol: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "f.yaml"
    path.write_text(
        "production: {url: 'http://p:1'}\nroutes:\n"
        f"- {{protocol: {protocol}, prediction: {{is: {kind}, at: '$.a[*]', key: id}}}}\n"
    )
    (route,) = load(str(path), None, {}).snapshot.routes
    assert compile_rules(route).protocol == protocol
