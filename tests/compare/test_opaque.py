"""Bodies that are not JSON: one difference, with a window on where they part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.lift import Form, Lifted
from shadowproxy.compare.opaque import diff_opaque


def text(value: str) -> Lifted:
    return Lifted(Form.TEXT, value)


@given(st.text(), st.text(), st.text())
def test_the_window_begins_shortly_before_the_texts_part(start: str, a: str, b: str) -> None:
    result = diff_opaque(text(start + "0" + a), text(start + "1" + b))
    (difference,) = result.differences
    assert (result.total, difference.path, difference.kind) == (1, "$", "text")
    shown = difference.production.removeprefix("…")
    before = start[-40:]
    if len(shown) < 190:
        assert shown.startswith(before + "0")


@given(st.binary(), st.binary())
def test_bytes_show_their_length_and_where_they_part(a: bytes, b: bytes) -> None:
    (difference,) = diff_opaque(Lifted(Form.BYTES, a + b"\x00"), Lifted(Form.BYTES, a + b"\x01" + b)).differences
    assert difference.kind == "bytes"
    assert difference.production == f"{len(a) + 1} bytes, from {len(a)}: 00"
    assert difference.other.startswith(f"{len(a) + 1 + len(b)} bytes, from {len(a)}: 01")


def test_bodies_of_different_forms_are_of_different_types() -> None:
    (difference,) = diff_opaque(Lifted(Form.JSON, {"a": 1}), Lifted(Form.EMPTY)).differences
    assert (difference.kind, difference.production, difference.other) == ("type", '{"a":1}', None)
    (difference,) = diff_opaque(text("a"), Lifted(Form.BYTES, b"\xff")).differences
    assert (difference.kind, difference.production, difference.other) == ("type", "a", "1 bytes, from 0: ff")
