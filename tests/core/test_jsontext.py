"""The standard library reads both sides: it keeps integers of any size, and says what became of each member."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.jsontext import NotThereError, replaced, value

BROKEN = [b"", b"{", b"nul", b"\xff", b'{"a": 1} x', b"[" * 100_000, b'{"a":}', b'{"a" 1}', b"{,}", b'{"a":1,}']

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_NAMES = st.sampled_from(["model", "a", "b", "", "é", '"\\'])
DOCUMENTS = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4), max_leaves=20
)
SPACES = st.sampled_from([None, 1, "\t"])


def spelled(document: Any, indent: Any) -> bytes:
    return json.dumps(document, indent=indent, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "keys", "text"),
    [
        (b'{"a": {"b": [1, 2.50, "c"]}}', ("a", "b", 1), "2.50"),
        (b'{"a": {"b": [1, 2.50, "c"]}}', ("a", "b", -1), '"c"'),
        (b'{"n": 123456789012345678901234567890}', ("n",), "123456789012345678901234567890"),
        (b' {"a" : 1 , "a" : 2 } ', ("a",), "2"),
        (b'{"\\u0061": 1}', ("a",), "1"),
        (b'{"a": NaN}', ("a",), "NaN"),
        (b"[[0]]", (0, 0), "0"),
        (b'{"a": 1}', ("b",), None),
        (b'{"a": 1}', ("a", "b"), None),
        (b'{"a": [1]}', ("a", 1), None),
        (b'{"a": {"0": 1}}', ("a", 0), None),
        (b'{"a": [1]}', ("a", "0"), None),
    ],
)
def test_a_value_is_found_as_it_is_spelled(body: bytes, keys: Any, text: str | None) -> None:
    assert value(body, keys) == text


@pytest.mark.parametrize(
    ("body", "keys", "result"),
    [
        (b'{ "model" : "m1",\n "f": 1.10, "n": 18446744073709551617 }', ("model",), None),
        (b'{"z":1,"model":null,"a":[1e400,-0]}', ("model",), b'{"z":1,"model":"m2","a":[1e400,-0]}'),
        (b"{}", ("model",), b'{"model":"m2"}'),
        (b"{ }", ("model",), b'{"model":"m2" }'),
        (b'{"a": 1 }', ("model",), b'{"a": 1,"model":"m2" }'),
        (b'{"model":1,"model":2}', ("model",), b'{"model":"m2","model":"m2"}'),
        (b'{"a":[{"b":1},{"b":2}]}', ("a", 1, "b"), b'{"a":[{"b":1},{"b":"m2"}]}'),
        (b'{"a":[{"b":1}]}', ("a", 0, "c"), b'{"a":[{"b":1,"c":"m2"}]}'),
    ],
)
def test_only_the_named_place_changes(body: bytes, keys: Any, result: bytes | None) -> None:
    assert replaced(body, [(keys, '"m2"')]) == (result or body.replace(b'"m1"', b'"m2"'))


def test_changes_are_made_in_turn() -> None:
    assert replaced(b"{}", [(("a",), '{"b":1}'), (("a", "b"), "2")]) == b'{"a":{"b":2}}'


@pytest.mark.parametrize("keys", [("b", "c"), ("a", 0), ("a", "b", "c"), (0,)])
def test_what_has_no_place_is_refused(keys: Any) -> None:
    with pytest.raises(NotThereError):
        replaced(b'{"a": {"b": 1}}', [(keys, "1")])


@pytest.mark.parametrize("body", BROKEN)
def test_what_is_no_json_has_no_values_and_takes_none(body: bytes) -> None:
    assert value(body, ("a",)) is None
    with pytest.raises(NotThereError):
        replaced(body, [(("a",), "1")])


@given(st.dictionaries(_NAMES, DOCUMENTS, max_size=5), _NAMES, DOCUMENTS, SPACES)
def test_a_replaced_member_is_all_that_differs(document: dict[str, Any], name: str, new: Any, indent: Any) -> None:
    body = spelled(document, indent)
    after = replaced(body, [((name,), json.dumps(new))])
    assert json.loads(after) == {**document, name: new}
    assert list(json.loads(after)) == list({**document, name: new})  # the order of members
    if name in document:  # and put back, it is the very body
        old = value(body, (name,))
        assert old is not None
        assert replaced(after, [((name,), old)]) == body


@given(DOCUMENTS, SPACES, st.lists(st.sampled_from(["model", "a", 0, -1, 1]), max_size=3))
def test_it_finds_what_the_library_finds(document: Any, indent: Any, keys: list[str | int]) -> None:
    text = value(spelled(document, indent), keys)
    found = document
    for key in keys:
        try:
            found = found[key] if isinstance(found, dict if isinstance(key, str) else list) else None
        except (KeyError, IndexError, TypeError):
            found = None
        if found is None:
            break
    assert (None if text is None else json.loads(text)) == found
