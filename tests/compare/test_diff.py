"""The walk: which differences it tells, where, and how many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.diff import _Walk, diff, same
from shadowproxy.compare.differences import KINDS, MAX_KEPT, Found, each, of_notes
from shadowproxy.compare.jsonpath import compile_path
from shadowproxy.compare.marks import Mark, Place, root_of
from shadowproxy.compare.tolerance import EXACT, Tolerance
from tests.compare.test_lift import SCALARS, VALUES


def found(a: Any, b: Any, place: Place | None = None, tolerance: Tolerance = EXACT) -> list[tuple[Any, ...]]:
    result = diff(a, b, place, tolerance)
    assert result.total >= len(result.differences)
    return [(d.path, d.kind, d.production, d.other) for d in result.differences]


def ignoring(*paths: str) -> Place | None:
    return root_of(Mark(compile_path(path), ignored=True) for path in paths)


def unordered(*paths: str) -> Place | None:
    return root_of(Mark(compile_path(path), unordered=True) for path in paths)


DIFFERENCES = [
    # production, other, differences
    (1, 1, []),
    (1, 1.0, []),  # numbers are one type
    (0.0, -0.0, []),
    (math.nan, math.nan, []),
    (math.nan, 1, [("$", "value", "NaN", 1)]),
    (1, 2, [("$", "value", 1, 2)]),
    ("a", "b", [("$", "value", "a", "b")]),
    (True, False, [("$", "value", True, False)]),
    (1, True, [("$", "type", 1, True)]),  # a boolean is no number, whatever Python says
    (0.0, False, [("$", "type", 0.0, False)]),
    (None, 0, [("$", "type", None, 0)]),
    ("1", 1, [("$", "type", "1", 1)]),
    ([], {}, [("$", "type", "[]", "{}")]),
    ([1], None, [("$", "type", "[1]", None)]),
    ({"a": 1}, {"a": 2}, [("$.a", "value", 1, 2)]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),  # the order of members says nothing
    ({"a": 1}, {}, [("$.a", "missing", 1, None)]),
    ({}, {"a": 1}, [("$.a", "extra", None, 1)]),
    ({"a": None}, {}, [("$.a", "missing", None, None)]),  # null is something
    ({"a": 1}, {"b": 1}, [("$.a", "missing", 1, None), ("$.b", "extra", None, 1)]),
    ({"a b": 1}, {"a b": 2}, [("$['a b']", "value", 1, 2)]),
    ([1, 2], [1], [("$", "length", 2, 1)]),
    ([1, 2], [3], [("$", "length", 2, 1), ("$[0]", "value", 1, 3)]),
    ([[1], [2]], [[1], [3]], [("$[1][0]", "value", 2, 3)]),
    ([1, True, "a"], [True, 1, "a"], [("$[0]", "type", 1, True), ("$[1]", "type", True, 1)]),
    (["a", "b", "c"], ["c", "a", "b"], [("$", "order", '["a","b","c"]', '["c","a","b"]')]),
    (["a", "b"], ["b", "c"], [("$[0]", "value", "a", "b"), ("$[1]", "value", "b", "c")]),  # no permutation
    (["a", "b"], ["b", "b"], [("$[0]", "value", "a", "b")]),  # nor here: b is there twice
    ([1, 2], [2, 1], [("$[0]", "value", 1, 2), ("$[1]", "value", 2, 1)]),  # in a tensor the place is the meaning
    ([{"i": 1}, {"i": 2}], [{"i": 2}, {"i": 1}], [("$", "order", '[{"i":1},{"i":2}]', '[{"i":2},{"i":1}]')]),
]  # fmt: skip


@pytest.mark.parametrize(("production", "other", "expected"), DIFFERENCES)
def test_a_pair_differs_in_just_these_places(production: Any, other: Any, expected: list[Any]) -> None:
    shown = found(production, other)
    assert shown == expected
    assert [type(value) for row in shown for value in row] == [type(value) for row in expected for value in row]


IGNORED = [
    (("$.id",), {"id": 1, "v": 1}, {"id": 2, "v": 1}, []),
    (("$.id",), {"id": 1}, {}, []),  # neither its absence
    (("$.id",), {}, {"id": 1}, []),  # nor its presence
    (("$.id",), {"id": 1, "v": 1}, {"id": 2}, [("$.v", "missing")]),
    (("$.meta",), {"meta": {"a": [1]}}, {"meta": None}, []),  # with all below
    (("$[*].ts",), [{"ts": 1, "v": 1}, {"ts": 1}], [{"ts": 2, "v": 2}, {"ts": 3}], [("$[0].v", "value")]),
    (("$[0]",), [1, 2], [2, 3], [("$[1]", "value")]),
    (("$[1]",), [1], [1, 2], [("$", "length")]),  # the length is the array's own
    (("$..ts",), {"a": [{"ts": 1}], "ts": 1}, {"a": [{"ts": 2}], "ts": 2}, []),
    (("$",), 1, "a", []),
]


@pytest.mark.parametrize(("paths", "production", "other", "expected"), IGNORED)
def test_ignored_places_do_not_differ(paths: tuple[str, ...], production: Any, other: Any, expected: list[Any]) -> None:
    assert [row[:2] for row in found(production, other, ignoring(*paths))] == expected


UNORDERED = [
    ([1, 2, 3], [3, 1, 2], []),
    ([1, 1, 2], [1, 2, 2], [("$[1]", "missing", 1, None), ("$[2]", "extra", None, 2)]),  # multisets, not sets
    ([1, 2], [2], [("$[0]", "missing", 1, None)]),
    ([0.5, 0.25], [0.25, 0.5 + 1e-12], []),  # within the tolerance
    ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], []),
    ([[1], [2]], [[2], [1]], []),
    (["a"], {"a": 1}, [("$", "type", '["a"]', '{"a":1}')]),
    ([math.nan, 1], [1, math.nan], []),
]


@pytest.mark.parametrize(("production", "other", "expected"), UNORDERED)
def test_unordered_arrays_are_multisets(production: Any, other: Any, expected: list[Any]) -> None:
    shown = found(production, other, unordered("$"), Tolerance(0, 1e-9))
    assert sorted(shown) == sorted(expected)


def test_elements_of_an_unordered_array_match_up_to_what_is_ignored_in_them() -> None:
    place = root_of(
        [Mark(compile_path("$"), unordered=True), Mark(compile_path("$[*].ts"), ignored=True)],
    )
    a = [{"ts": 1, "v": "x"}, {"ts": 2, "v": "y"}]
    assert found(a, [{"ts": 9, "v": "y"}, {"ts": 8, "v": "x"}], place) == []
    assert len(found(a, [{"ts": 9, "v": "y"}, {"ts": 8, "v": "z"}], place)) == 2


def test_a_long_unordered_array_that_shares_nothing_is_not_tried_pair_by_pair() -> None:
    a, b = [[i] for i in range(20_000)], [[-i - 1] for i in range(20_000)]
    assert diff(a, b, unordered("$"), EXACT).total == 40_000


KEYED = root_of([Mark(compile_path("$"), key="name"), Mark(compile_path("$[*].data"), flat=True)])

PAIRED = [
    ([{"name": "p", "v": 1}, {"name": "q"}], [{"name": "q"}, {"name": "p", "v": 3}], [("$[0].v", "value")]),
    ([{"name": "p"}], [{"name": "q"}], [("$[0]", "missing"), ("$[0]", "extra")]),
    ([{"name": "p"}, {"name": "p"}], [{"name": "p"}], [("$", "length")]),  # repeated: by position
    ([{"name": None}], [{"name": "p"}], [("$[0].name", "type")]),  # no key: by position
    ([1], [{"name": "p"}], [("$[0]", "type")]),
    ([{"name": "p", "data": [[1, 2], [3, 4]]}], [{"name": "p", "data": [1, 2, 3, 5]}], [("$[0].data[3]", "value")]),
    ([{"name": "p", "data": [[[1]], 2]}], [{"name": "p", "data": [1, [2]]}], []),
]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRED)
def test_keyed_arrays_are_paired_by_a_member_and_flat_ones_row_by_row(a: Any, b: Any, expected: list[Any]) -> None:
    assert [row[:2] for row in found(a, b, KEYED)] == expected


def test_all_differences_are_counted_and_the_first_are_kept() -> None:
    result = diff(list(range(1000)), list(range(1, 1001)), None, EXACT)
    assert (result.total, len(result.differences)) == (1000, MAX_KEPT)
    assert [d.path for d in result.differences[:2]] == ["$[0]", "$[1]"]


def test_a_million_numbers_are_compared() -> None:
    a = [0.5] * 1_000_000
    assert diff(a, [*a[:-1], 0.25], None, EXACT).differences[0].path == "$[999999]"


def test_nulls_in_place_of_numbers_are_counted_for_each_side() -> None:
    assert diff([None, 1, 2.5, "a"], [1, None, None, None], None, EXACT).nulls == (1, 2)


def test_long_paths_and_values_are_cut() -> None:
    a: Any = "a" * 10_000
    b: Any = "b"
    for _ in range(50):
        a, b = {"member": a}, {"member": b}
    (difference,) = diff(a, b, None, EXACT).differences
    assert (len(difference.path), len(difference.production)) == (200, 200)


def test_a_name_that_utf8_cannot_write_is_escaped_in_the_path() -> None:
    (difference,) = diff({"\ud800": 1}, {"\ud800": 2}, None, EXACT).differences
    assert difference.path == "$['\\ud800']"


# The oracle says the same in the plainest way, for values without marks.


def flat(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Every leaf and every container's kind, by path."""
    if isinstance(value, dict):
        yield path, "object"
        for name, member in value.items():
            yield from flat(member, f"{path}.{name!r}")
    elif isinstance(value, list):
        yield path, ("array", len(value))
        for index, element in enumerate(value):
            yield from flat(element, f"{path}[{index}]")
    else:
        kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)
        yield path, (kind, "NaN" if value != value else value)


def are_same_to_the_oracle(a: Any, b: Any) -> bool:
    return dict(flat(a)) == dict(flat(b))


# Few distinct scalars, so that two values are often nearly the same; 0, 0.0 and False are equal to Python.
CLOSE = st.recursive(
    st.sampled_from([0, 0.0, False, True, 1, math.nan, None, "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(CLOSE, CLOSE)
def test_the_walk_agrees_with_the_oracle_on_whether_there_are_differences(a: Any, b: Any) -> None:
    assert same(a, b, EXACT) is are_same_to_the_oracle(a, b)


@given(CLOSE, CLOSE)
def test_equality_that_python_sees_changes_no_result(a: Any, b: Any) -> None:
    booleans = "True" in repr((a, b)) or "False" in repr((a, b))
    every_scalar = _Walk(EXACT, MAX_KEPT)  # asks for no equality as a whole
    every_scalar.compare(None, a, b, None)
    found = diff(a, b, None, EXACT, booleans=booleans)
    assert found.total == every_scalar.total
    assert found.differences == each(of_notes(every_scalar.kept))
    assert found == diff(a, b, None, EXACT)


@pytest.mark.parametrize("odd", [2**70, "\ud800", -(2**64)])
def test_what_orjson_does_not_write_is_walked(odd: Any) -> None:
    value = {"odd": odd, "row": [True, 1]}
    assert diff(value, {"odd": odd, "row": [True, 1]}, None, EXACT).total == 0
    assert diff(value, {"odd": odd, "row": [1, True]}, None, EXACT).total == 2


def test_members_in_another_order_are_equal_with_booleans_too() -> None:
    assert diff([{"a": True, "b": 1}], [{"b": 1, "a": True}], None, EXACT).total == 0


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert diff(value, value, None, EXACT) == Found((), 0)
    assert same(value, value, EXACT)


@given(VALUES, VALUES)
def test_the_other_way_round_missing_is_extra(a: Any, b: Any) -> None:
    mirrored = {"missing": "extra", "extra": "missing"}
    there = diff(a, b, None, EXACT, keep=10_000)
    back = diff(b, a, None, EXACT, keep=10_000)
    assert there.total == back.total == len(there.differences)
    assert sorted((d.path, d.kind) for d in there.differences) == sorted(
        (d.path, mirrored.get(d.kind, d.kind)) for d in back.differences
    )
    assert {d.kind for d in there.differences} <= set(KINDS)
    assert there.nulls == back.nulls[::-1]


@given(VALUES, VALUES)
def test_nothing_differs_when_everything_is_ignored(a: Any, b: Any) -> None:
    assert found(a, b, ignoring("$")) == []
    assert all(row[0] == "$" for row in found(a, b, ignoring("$.*")))


NAMED = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(NAMED, NAMED)
def test_ignoring_the_places_that_differ_leaves_no_difference(a: Any, b: Any) -> None:
    places = [difference.path for difference in diff(a, b, None, EXACT, keep=10_000).differences]
    assert found(a, b, ignoring(*places)) == []


@given(st.lists(SCALARS, max_size=6).flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_a_permutation_is_the_same_multiset(pair: tuple[list[Any], list[Any]]) -> None:
    assert found(*pair, unordered("$")) == []


MAPS: Any = [
    # production, other, differences
    ({"a": {"17": 1}}, {"a": {"17": 2}}, [("$.a.*", "value", 1, 2)]),
    ({"2026-03-01": 1}, {}, [("$.*", "missing", 1, None)]),
    ({"n02123045": 0.5}, {"n02123046": 0.5}, [("$.*", "missing", 0.5, None), ("$.*", "extra", None, 0.5)]),
    ({"bob@example.org": {"age": 1}}, {"bob@example.org": {"age": 2}}, [("$.*.age", "value", 1, 2)]),
    ({"x" * 65: 1}, {"x" * 65: 2}, [("$.*", "value", 1, 2)]),
    ({"label": "a", "17": 1}, {"label": "b", "17": 1}, [("$.label", "value", "a", "b")]),  # one id makes no map
    ({"golden retriever": 1}, {"golden retriever": 2}, [("$['golden retriever']", "value", 1, 2)]),
    ({"*": 1}, {"*": 2}, [("$['*']", "value", 1, 2)]),  # a member's name, no wildcard
    ({f"class_{i}a": 0 for i in "bcdefghijklmnopqrstuvwxyz"}, {}, 25),
    ({f"class_{i}": 0 for i in range(51)}, {f"class_{i}": i // 50 for i in range(51)}, [("$.*", "value", 0, 1)]),
]


@pytest.mark.parametrize(("production", "other", "expected"), MAPS)
def test_names_that_are_data_do_not_become_paths(production: Any, other: Any, expected: Any) -> None:
    shown = found(production, other)
    if isinstance(expected, int):
        assert len({path for path, *_ in shown}) == expected
    else:
        assert shown == expected


FLOATS = [0.0, -0.0, 1.0, -1.0, 1.5, -1.5, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("tolerance", [EXACT, Tolerance(0.0, 1e-9), Tolerance(2.0, 0.0), Tolerance(0.0, 0.9)])
def test_arrays_of_floating_point_numbers_are_compared_as_their_elements_are(tolerance: Tolerance) -> None:
    """The loop for tensors has the tolerance written out."""
    a, b = [x for x in FLOATS for _ in FLOATS], FLOATS * len(FLOATS)
    result = diff({"a": a}, {"a": b}, None, tolerance, keep=1000)
    alone = [diff(x, y, None, tolerance) for x, y in zip(a, b, strict=True)]
    assert [(d.path, d.kind, d.production, d.other) for d in result.differences] == [
        (f"$.a[{index}]", d.kind, d.production, d.other) for index, one in enumerate(alone) for d in one.differences
    ]
    assert result.total == sum(one.total for one in alone)


def test_no_more_are_kept_than_asked_for_whatever_differs() -> None:
    a = {"x": 1, "many": [0.0] * 500, "y": [{"z": 1}], "more": [0.0] * 500}
    b = {"x": 2, "many": [1.0] * 500, "y": [{"z": 2}], "more": [1.0] * 500}
    result = diff(a, b, None, EXACT)
    assert (len(result.differences), result.total) == (MAX_KEPT, 1002)
    assert [d.path for d in result.differences] == ["$.x", *(f"$.many[{index}]" for index in range(MAX_KEPT - 1))]
    assert len(diff(a, b, None, EXACT, keep=502).differences) == 502
    assert [d.path for d in diff(a, b, None, EXACT, keep=502).differences][-2:] == ["$.many[499]", "$.y[0].z"]
