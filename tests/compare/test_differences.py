"""Numbers of one array that differ come together, and are written as if they came one by one."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.diff import diff
from shadowproxy.compare.differences import MAX_KEPT, Difference, Run
from shadowproxy.compare.tolerance import EXACT, Tolerance
from shadowproxy.pairlog.record import encode

NAMES = ["a", "a b", 'quo"te', "é\u2028", "\ud800", "x" * 178, "y" * 300, "1"]
NUMBERS = st.lists(st.sampled_from([0.1, 1e16, 1e-7, -0.0, 5e-324, 1e308, math.nan, math.inf, -math.inf]), min_size=1)


@pytest.mark.parametrize("name", NAMES)
@given(NUMBERS, NUMBERS)
def test_a_run_is_written_as_its_differences_are(name: str, a: list[float], b: list[float]) -> None:
    found = diff({name: a}, {name: b}, None, EXACT)
    for run in found.kept:
        if isinstance(run, Run):
            assert b"[" + run.text("twin") + b"]" == encode([each.as_dict("twin") for each in run.each()])


def test_an_array_of_numbers_is_one_run_and_reads_as_its_elements() -> None:
    found = diff({"p": [0.5, 0.25, 1.0]}, {"p": [0.5, 0.75, 2.0]}, None, EXACT)
    assert found.kept == (Run("$.p", [1, 2], [0.25, 1.0], [0.75, 2.0]),)
    assert found.differences == (
        Difference("$.p[1]", "value", 0.25, 0.75),
        Difference("$.p[2]", "value", 1.0, 2.0),
    )
    assert orjson.loads(b"[" + found.kept[0].text("shadow") + b"]") == [
        {"path": "$.p[1]", "kind": "value", "production": 0.25, "shadow": 0.75},
        {"path": "$.p[2]", "kind": "value", "production": 1.0, "shadow": 2.0},
    ]


def test_a_run_far_down_an_array_has_its_places() -> None:
    a = [0.0] * 1000
    (run,) = diff(a, [*a[:500], *[1.5] * 500], None, EXACT).kept
    assert isinstance(run, Run)
    assert len(run.indexes) == MAX_KEPT
    assert [each["path"] for each in json.loads(b"[" + run.text("shadow") + b"]")][:2] == ["$[500]", "$[501]"]


FINITE = st.floats(-2.0, 2.0) | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-9, 1e308, -1e308, 5e-324])
TOLERANCES = st.builds(Tolerance, st.sampled_from([0.0, 1e-9, 0.5, 1e308]), st.sampled_from([0.0, 1e-9, 0.5, 3.0]))


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20), TOLERANCES)
def test_arrays_are_held_against_the_tolerance_number_by_number(pairs: Any, tolerance: Tolerance) -> None:
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    found = diff(a, b, None, tolerance)
    assert [each.path for each in found.differences] == [
        f"$[{index}]" for index, (x, y) in enumerate(pairs) if not tolerance.allows(x, y)
    ]
