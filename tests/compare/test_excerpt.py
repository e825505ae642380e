"""Excerpts are short and can always be written as JSON in UTF-8."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.excerpt import cut, excerpt, json_text
from tests.compare.test_lift import VALUES

EXCERPTS = [
    (None, None),
    (True, True),
    (3, 3),
    (-(2**63), -(2**63)),
    (2**64 - 1, 2**64 - 1),
    (2**64, "18446744073709551616"),  # beyond what JSON writers here can hold
    (10**4000, "an integer of 13288 bits"),
    (0.5, 0.5),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    ("a", "a"),
    ("a" * 201, "a" * 199 + "…"),
    ("\ud800", "\\ud800"),
    ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'),
    ([math.nan, 10**30], "[NaN,1" + "0" * 30 + "]"),
    ([], "[]"),
    ({}, "{}"),
    (list(range(1000)), str(list(range(1000))).replace(" ", "")[:199] + "…"),
]


@pytest.mark.parametrize(("value", "expected"), EXCERPTS)
def test_an_excerpt_shows_the_value(value: Any, expected: Any) -> None:
    shown = excerpt(value)
    assert shown == expected
    assert type(shown) is type(expected)


@given(VALUES)
def test_an_excerpt_is_short_and_survives_being_written(value: Any) -> None:
    shown = excerpt(value)
    assert orjson.loads(orjson.dumps(shown)) == shown
    assert not isinstance(shown, str) or len(shown) <= 1200  # 200 characters, each at most an escape of six


@given(VALUES)
def test_json_text_that_is_not_cut_is_json(value: Any) -> None:
    text = json_text(value, 10**6)
    assert repr(json.loads(text)) == repr(json.loads(json.dumps(value))) or "\\u" in text


def test_a_deep_value_is_shown_in_part() -> None:
    value: Any = 1
    for _ in range(150):
        value = [value]
    assert json_text(value) == "[" * 20 + "…" + "]" * 20


def test_a_long_string_is_not_copied_whole_into_a_text() -> None:
    assert json_text({"a" * 10**6: "b" * 10**6}) == '{"' + "a" * 197 + "…"
    assert cut("ab", 1) == "…"


@given(st.lists(st.text(max_size=8) | st.integers() | st.booleans(), max_size=8), st.integers(1, 60))
def test_labels_are_written_the_short_way_as_the_long_way(labels: list[Any], limit: int) -> None:
    whole = ",".join(json_text({"": label}, 200).removeprefix('{"":').removesuffix("}") for label in labels)
    assert json_text(labels, limit) == cut(f"[{whole}]", limit)
