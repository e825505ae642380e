"""Every preset: an equal, a noisy and a differing answer."""

from __future__ import annotations

import pytest

from shadowproxy.compare import Comparison, Rules
from shadowproxy.compare.presets import PRESETS
from tests.compare.exchanges import compared, rules
from tests.compare.samples import SAMPLES, Sample, body

IDS = [f"{sample.preset}-{sample.kind}-{number}" for number, sample in enumerate(SAMPLES)]


def by(sample: Sample) -> Rules:
    return rules(protocol="auto" if sample.auto else sample.preset)


def pair(sample: Sample, other: object) -> Comparison:
    return compared(body(sample.production), body(other), by(sample), ("POST", sample.target))


def test_every_preset_has_a_sample() -> None:
    assert {sample.preset for sample in SAMPLES} == {preset.name for preset in PRESETS}


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_noisy_sample_is_noisy_and_a_differing_one_differs_elsewhere(sample: Sample) -> None:
    assert len({body(sample.production), body(sample.noisy), body(sample.differing)}) == 3


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_an_answer_is_the_same_as_itself(sample: Sample) -> None:
    comparison = pair(sample, sample.production)
    assert (comparison.result, comparison.differences_total, comparison.items_disagreeing) == ("same", 0, 0)
    assert comparison.agrees in (True, None)
    assert (comparison.production_prediction or "") == sample.decision


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_what_has_no_meaning_is_no_difference(sample: Sample) -> None:
    comparison = pair(sample, sample.noisy)
    assert (comparison.result, comparison.differences) == ("same", ())
    assert comparison.agrees in (True, None)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_another_decision_is_told(sample: Sample) -> None:
    comparison = pair(sample, sample.differing)
    assert comparison.result == "different"
    assert comparison.agrees is (None if sample.kind in ("text", "embedding") else False)
    assert set(sample.metrics) <= comparison.metrics.keys()


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_the_protocol_is_recognised_by_path_and_shape(sample: Sample) -> None:
    from tests.compare.exchanges import assessed

    found = assessed(body(sample.production), by(sample), ("POST", sample.target))
    assert (found.protocol, found.decision.kind, found.bad) == (sample.preset, sample.kind, False)


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.auto], ids=[i for i, s in zip(IDS, SAMPLES, strict=True) if s.auto]
)
def test_an_answer_without_what_production_has_is_bad(sample: Sample) -> None:
    from shadowproxy.compare import assess, compare
    from tests.compare.exchanges import answer

    request = ("POST", sample.target)
    production = assess(by(sample), *request, answer(body(sample.production)))
    if sample.preset == "open-inference":
        nothing = assess(by(sample), *request, answer(b'{"model_name": "m", "outputs": []}'), production)
        assert (nothing.bad, nothing.why) == (True, "no_prediction")
    other = assess(by(sample), *request, answer(b'{"detail": "loading"}'), production)
    if sample.preset in ("torchserve", "sagemaker"):  # any answer is theirs
        assert not other.bad
    else:
        assert (other.bad, other.why) == (True, "no_prediction")
        assert compare(by(sample), production, other).reason == "shadow_bad"
