"""The subset of JSONPath that configuration may use."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.jsonpath import compile_path, concrete

BODY = {
    "id": "r1",
    "outputs": [{"name": "p", "data": [1, 2]}, {"name": "q", "data": [[3], 4]}],
    "a b": {"it's": 1, "": 2, "0": 3},
    "deep": {"id": 7, "more": [{"id": 8}]},
}

FIND = [
    ("$", [("$", BODY)]),
    ("$.id", [("$.id", "r1")]),
    ("$['id']", [("$.id", "r1")]),
    ('$["id"]', [("$.id", "r1")]),
    ("$.outputs[0].data[1]", [("$.outputs[0].data[1]", 2)]),
    ("$.outputs[*].name", [("$.outputs[0].name", "p"), ("$.outputs[1].name", "q")]),
    ("$.outputs.*.name", [("$.outputs[0].name", "p"), ("$.outputs[1].name", "q")]),
    ("$.outputs[ * ][ 'name' ]", [("$.outputs[0].name", "p"), ("$.outputs[1].name", "q")]),
    ("$..id", [("$.id", "r1"), ("$.deep.id", 7), ("$.deep.more[0].id", 8)]),
    ("$.deep..id", [("$.deep.id", 7), ("$.deep.more[0].id", 8)]),
    ("$..more..id", [("$.deep.more[0].id", 8)]),
    ("$..[1]", [("$.outputs[1]", BODY["outputs"][1]), ("$.outputs[0].data[1]", 2), ("$.outputs[1].data[1]", 4)]),
    ("$['a b']['it\\'s']", [("$['a b']['it\\'s']", 1)]),
    ("$['a b']['']", [("$['a b']['']", 2)]),
    ("$['a b']['0']", [("$['a b']['0']", 3)]),
    ("$['a b'][0]", []),  # an index is not a name
    ("$.outputs[2]", []),
    ("$.outputs.name", []),
    ("$.id.x", []),
    ("$.nothing[*]", []),
]


@pytest.mark.parametrize(("path", "expected"), FIND)
def test_a_path_finds_places_in_document_order(path: str, expected: list[tuple[str, Any]]) -> None:
    assert compile_path(path).find(BODY) == expected
    assert compile_path(path).values(BODY) == [value for _, value in expected]


@pytest.mark.parametrize("path", [path for path, _ in FIND])
def test_every_place_found_is_matched_and_found_again_by_its_own_path(path: str) -> None:
    compiled = compile_path(path)
    for place, value in compiled.find(BODY):
        assert compiled.matches(place)
        assert compile_path(place).find(BODY) == [(place, value)]


@pytest.mark.parametrize(
    ("path", "place"), [("$.a", "$.b"), ("$.a", "$.a.b"), ("$.a[*]", "$.a"), ("$[0]", "$['0']"), ("$..a", "$.a.b")]
)
def test_other_places_are_not_matched(path: str, place: str) -> None:
    assert not compile_path(path).matches(place)


REFUSED = [
    # path, a word of the reason
    ("", "start with $"),
    ("id", "start with $"),
    ("$id", "expected . or ["),
    ("$.", "expected a name"),
    ("$..", "expected a name"),
    ("$.a.", "at its end"),
    ("$.a b", "expected . or ["),
    ("$.1", "expected a name"),
    ("$[", "expected [n]"),
    ("$[]", "expected [n]"),
    ("$[01]", "expected [n]"),
    ("$['a", "expected [n]"),
    ("$['\\q']", "not an escape"),
    ("$[-1]", "negative"),
    ("$[1:2]", "slices"),
    ("$[:]", "slices"),
    ("$[1,2]", "unions"),
    ("$['a','b']", "unions"),
    ("$[?(@.a)]", "filters"),
    ("$[?@.a]", "filters"),
]


@pytest.mark.parametrize(("path", "reason"), REFUSED)
def test_what_lies_outside_the_subset_is_refused_with_a_sentence(path: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is not a JSONPath") as refused:
        compile_path(path)
    assert reason in str(refused.value)


def test_only_concrete_paths_can_be_matched() -> None:
    with pytest.raises(ValueError, match="not a concrete path"):
        compile_path("$.a").matches("$.*")


REPLACED = [
    ("$.user.name", {"user": {"name": "X", "age": 3}, "names": ["a", "b"]}),
    ("$.names[*]", {"user": {"name": "n", "age": 3}, "names": ["X", "X"]}),
    ("$..*", {"user": "X", "names": "X"}),  # what lies inside a match goes with it
    ("$", "X"),
    ("$.none", {"user": {"name": "n", "age": 3}, "names": ["a", "b"]}),
]


@pytest.mark.parametrize(("path", "expected"), REPLACED)
def test_replacing_copies_and_leaves_the_value_alone(path: str, expected: Any) -> None:
    value = {"user": {"name": "n", "age": 3}, "names": ["a", "b"]}
    before = copy.deepcopy(value)
    assert compile_path(path).replace(value, lambda old: "X") == expected
    assert value == before


def test_replacing_shares_what_it_does_not_change_and_sees_the_old_value() -> None:
    value = {"a": [1, 2], "b": {"c": 3}}
    new = compile_path("$.a[*]").replace(value, lambda old: old * 10)
    assert new == {"a": [10, 20], "b": {"c": 3}}
    assert new["b"] is value["b"]


def test_a_deep_value_is_searched_without_recursion() -> None:
    value: Any = {"secret": 1}
    for _ in range(2 * sys.getrecursionlimit()):
        value = [value]
    (found,) = compile_path("$..secret").values(value)
    assert found == 1


@given(st.lists(st.integers(0, 10**15 - 1) | st.text(st.characters(blacklist_categories=["Cs"]), max_size=6)))
def test_a_concrete_path_is_read_as_the_steps_that_it_writes(steps: list[str | int]) -> None:
    written = compile_path(concrete(steps))
    assert [segment.selector for segment in written.segments] == steps
    assert written.matches_steps(steps)
