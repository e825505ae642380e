"""What comparison can say stands in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shadowproxy.compare.decision import KINDS
from shadowproxy.compare.presets import PRESETS
from shadowproxy.compare.tolerance import BY_DATATYPE
from tests.compare.exchanges import compared, rules
from tests.compare.samples import SAMPLES, Sample, body

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROTOCOLS, PAIR_LOG = ((DOCS / name).read_text() for name in ("protocols.md", "pair-log.md"))


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_every_preset_is_in_the_table(preset: str) -> None:
    assert f"`{preset}`" in PROTOCOLS


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample.metrics], ids=lambda s: f"{s.preset} {s.kind}"
)
def test_every_metric_is_named(sample: Sample) -> None:
    by = rules(protocol="auto" if sample.auto else sample.preset)
    found = compared(body(sample.production), body(sample.differing), by, ("POST", sample.target)).metrics
    assert {name for name in found if f"`{name}`" not in PAIR_LOG} == set()


def test_every_kind_and_datatype_is_explained() -> None:
    assert {kind for kind in KINDS if not re.search(rf"^\| `{kind}` ", PROTOCOLS, re.M)} == set()
    for name, tolerance in BY_DATATYPE.items():
        row = re.search(rf"^\| {name} \| (\S+) \| (\S+) \|$", PROTOCOLS, re.M)
        assert row
        assert (float(row[1]), float(row[2])) == (tolerance.relative, tolerance.absolute)
