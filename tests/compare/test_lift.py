"""Bytes become comparable values, whatever the bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.lift import MAX_DEPTH, Form, is_deeper, lift, lift_json, may_hold_booleans, write_json
from shadowproxy.compare.media import media_of

JSON = media_of("application/json")

READ = [
    # body, value, numbers that are not finite; why it is here
    (b"1", 1, 0),
    (b" [1, 2.5] \n", [1, 2.5], 0),
    (b"null", None, 0),
    (b"18446744073709551615", 2**64 - 1, 0),  # the greatest that orjson reads exactly
    (b"18446744073709551616", 2**64, 0),  # orjson would make it 1.8446744073709552e19
    (b"-9223372036854775809", -(2**63) - 1, 0),
    (b'{"id":123456789012345678901234567890}', {"id": 123456789012345678901234567890}, 0),
    (b"[0.1234567890123456789012]", [0.1234567890123456789012], 0),  # a long fraction is no long integer
    (b'["12345678901234567890"]', ["12345678901234567890"], 0),
    (b"[Infinity, -Infinity]", [math.inf, -math.inf], 2),
    (b"1e400", math.inf, 1),  # JSON, but beyond a double
    (b"-1e400", -math.inf, 1),
    (b"9" * 5000, math.inf, 1),  # beyond what int() takes
    (b'{"a":1,"a":2}', {"a": 2}, 0),  # the last one counts
    (b"\xef\xbb\xbf[1]", [1], 0),  # a byte order mark
    (b'"\\ud800"', "\ud800", 0),  # a lone surrogate, which orjson rejects
    (b'"\\ud83d\\ude00"', "\U0001f600", 0),
]


@pytest.mark.parametrize(("body", "value", "nonfinite"), READ)
def test_json_is_read_with_every_digit(body: bytes, value: Any, nonfinite: int) -> None:
    lifted = lift(body, JSON)
    assert (lifted.form, lifted.value, lifted.nonfinite, lifted.broken) == (Form.JSON, value, nonfinite, False)
    assert type(lifted.value) is type(value)


def test_nan_is_read_and_counted() -> None:
    lifted = lift(b'{"p": [NaN, 0.5]}', JSON)
    assert math.isnan(lifted.value["p"][0])
    assert lifted.nonfinite == 1


@pytest.mark.parametrize(("body", "booleans"), [(b"[true]", True), (b'{"a":false}', True), (b"[1,null]", False)])
def test_a_body_that_may_hold_booleans_says_so(body: bytes, booleans: bool) -> None:
    assert may_hold_booleans(lift(body, JSON), body) is booleans


BROKEN = [
    b"{",
    b"[1,]",
    b"{'a': 1}",
    b"nan",
    b"<html>",
    b"1 2",
    b'{"a":1}\n{"a":2}',
    b'"\xff"',  # not UTF-8
    b'"\xed\xa0\x80"',  # a surrogate in UTF-8
    "{}".encode("utf-16"),
    b'"\x01"',
    b"\x00",
]


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_declared_as_json_and_is_none_is_broken(body: bytes) -> None:
    lifted = lift(body, JSON)
    assert (lifted.form, lifted.value, lifted.broken) == (Form.BYTES, body, True)


FORMS = [
    # content type, body, form
    (None, b'{"a": 1}', Form.JSON),  # undeclared: JSON if it reads as JSON
    (None, b"hello", Form.TEXT),
    (None, b"\xff\xfe\x00", Form.BYTES),
    ("text/plain", b"123", Form.TEXT),  # declared: not guessed
    ("text/plain", b"\xff", Form.BYTES),
    ("image/png", b"123", Form.BYTES),
    ("application/octet-stream", b"[1]", Form.BYTES),
    ("application/problem+json", b"[1]", Form.JSON),
    ("application/xml", b"<a/>", Form.TEXT),
    ("application/json", b"", Form.EMPTY),
    (None, b"", Form.EMPTY),
]


@pytest.mark.parametrize(("type_", "body", "form"), FORMS)
def test_the_declared_type_says_how_a_body_is_read(type_: str | None, body: bytes, form: Form) -> None:
    lifted = lift(body, media_of(type_))
    assert (lifted.form, lifted.broken) == (form, False)


def nested(depth: int, inner: bytes = b"1") -> bytes:
    return b"[" * depth + inner + b"]" * depth


DEPTHS = [
    (nested(MAX_DEPTH), Form.JSON),
    (nested(MAX_DEPTH + 1), Form.BYTES),
    (nested(1000), Form.BYTES),  # orjson follows to 1024
    (nested(5000), Form.BYTES),
    (nested(100_000), Form.BYTES),
    (b'{"a":' * 3000 + b"NaN" + b"}" * 3000, Form.BYTES),  # straight to the careful parser
    (b"[" * 100_000, Form.BYTES),  # never closed; nobody reads far enough to know
    (b"[" + b",".join([b"[1]"] * 5000) + b"]", Form.JSON),  # many brackets, but shallow
]


@pytest.mark.parametrize(("body", "form"), DEPTHS)
def test_nesting_too_deep_to_follow_is_opaque_and_not_broken(body: bytes, form: Form) -> None:
    lifted = lift(body, JSON)
    assert (lifted.form, lifted.broken) == (form, False)


def test_depth_counts_nested_containers() -> None:
    assert [is_deeper(value, 1) for value in (1, [], [1], {"a": 1}, [[1]], {"a": {"b": 1}})] == [
        False,
        False,
        False,
        False,
        True,
        True,
    ]


def test_ten_megabytes_of_numbers_are_read() -> None:
    body = b"[" + b",".join([b"0.123456789"] * 900_000) + b"]"
    assert len(lift(body, JSON).value) == 900_000


@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    for type_ in (None, "application/json", "text/plain", "image/png"):
        assert lift(body, media_of(type_)).form in Form


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_both_ways_of_reading_give_what_the_standard_library_gives(value: Any) -> None:
    body = json.dumps(value).encode()
    lifted = lift_json(body)
    assert lifted is not None
    assert repr(lifted.value) == repr(json.loads(body))


@given(VALUES)
def test_what_is_written_is_read_as_the_same_value(value: Any) -> None:
    lifted = lift_json(write_json(value))
    assert lifted is not None
    assert repr(lifted.value) == repr(value)


@pytest.mark.parametrize("value", [{"a\ud800": "\udfff"}, 2**80, [math.nan, -math.inf], {"ü": "…"}])
def test_what_orjson_refuses_is_written(value: Any) -> None:
    lifted = lift_json(write_json(value))
    assert lifted is not None
    assert repr(lifted.value) == repr(value)
