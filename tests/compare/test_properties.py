"""What holds for any two answers: bytes of any kind, under any protocol."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowproxy.compare import assess, compare
from shadowproxy.compare.diff import diff
from shadowproxy.compare.differences import KINDS, MAX_KEPT
from shadowproxy.compare.lift import write_json
from shadowproxy.compare.presets import PRESETS
from shadowproxy.compare.tolerance import EXACT
from tests.compare.exchanges import answer, rules
from tests.compare.samples import SAMPLES, body
from tests.compare.test_lift import VALUES

MIRRORED = {"missing": "extra", "extra": "missing"}
TYPES = st.sampled_from(["application/json", "text/event-stream", "application/octet-stream", "text/plain", None])
RULES = {name: rules(protocol=name) for name in ("auto", "none", *(preset.name for preset in PRESETS))}


@given(VALUES, VALUES)
def test_looking_from_the_other_side_shows_the_same_differences_mirrored(a: Any, b: Any) -> None:
    there, back = diff(a, b, None, EXACT, keep=10_000), diff(b, a, None, EXACT, keep=10_000)
    mirrored = sorted(
        (d.path, MIRRORED.get(d.kind, d.kind), repr(d.other), repr(d.production)) for d in back.differences
    )
    assert sorted((d.path, d.kind, repr(d.production), repr(d.other)) for d in there.differences) == mirrored
    assert (there.total, there.nulls) == (back.total, back.nulls[::-1])


@given(VALUES)
def test_nothing_differs_from_itself(a: Any) -> None:
    assert diff(a, orjson.loads(write_json(a)) if _is_plain(a) else a, None, EXACT).total == 0


@given(VALUES, VALUES)
def test_no_difference_is_equality(a: Any, b: Any) -> None:
    found = diff(a, b, None, EXACT)
    assert (found.total == 0) is _equal(a, b)
    assert {d.kind for d in found.differences} <= set(KINDS)
    assert len(found.differences) == min(found.total, MAX_KEPT)


def _is_plain(value: Any) -> bool:
    try:
        return bool(orjson.loads(write_json(value)) == value)
    except orjson.JSONDecodeError:
        return False


def _equal(a: Any, b: Any) -> bool:
    """JSON's equality, said without a walk of ours."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or (a != a and b != b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


@st.composite
def spoilt(draw: Any) -> bytes:
    """An answer of some protocol with a piece cut out, doubled or overwritten."""
    whole = body(draw(st.sampled_from(SAMPLES)).production)
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 20)))
    return (
        whole[:start]
        + draw(st.sampled_from([b"", b"null", b"NaN", b"[]", b'"x"', b"\xff", whole[start:end] * 2]))
        + whole[end:]
    )


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=60), spoilt()), st.one_of(st.binary(max_size=60), spoilt()), TYPES, TYPES,
       st.sampled_from(sorted(RULES)), st.sampled_from(SAMPLES))  # fmt: skip
def test_no_bytes_raise_under_any_protocol(
    a: bytes, b: bytes, a_type: str | None, b_type: str | None, protocol: str, sample: Any
) -> None:
    by, request = RULES[protocol], ("POST", sample.target)
    production = assess(by, *request, answer(a, type_=a_type))
    other = assess(
        by, *request, answer(b, type_=b_type, headers=(("Inference-Header-Content-Length", "9"),)), production
    )
    comparison = compare(by, production, other)
    assert comparison.items_disagreeing <= comparison.items
    assert orjson.loads(orjson.dumps(comparison.as_dict()))["result"] == comparison.result
    assert all(value - value == 0 for value in comparison.metrics.values())
