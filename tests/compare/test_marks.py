"""Many paths followed at once say the same as each path by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.jsonpath import compile_path
from shadowproxy.compare.marks import Mark, Place, root_of

PATHS = ["$", "$.a", "$.a.b", "$..a", "$.*", "$[*]", "$[0]", "$.a[*].b", "$..b[1]", "$..a..b", "$.c..*"]
STEPS: Any = st.lists(st.sampled_from(["a", "b", "c", "other", 0, 1, 2]), max_size=5)


def descend(root: Place | None, steps: list[str | int]) -> Place | None:
    for step in steps:
        root = root.below(step) if root is not None else None
    return root


@given(st.sets(st.sampled_from(PATHS), min_size=1), STEPS)
def test_a_place_is_ignored_just_where_a_path_matches(paths: set[str], steps: list[str | int]) -> None:
    root = root_of(Mark(compile_path(path), ignored=True) for path in sorted(paths))
    place = descend(root, steps)
    expected = any(compile_path(path).matches_steps(steps) for path in paths)
    assert (place is not None and place.ignored) is expected


def test_there_is_no_place_where_nothing_is_open() -> None:
    assert root_of([]) is None
    root = root_of([Mark(compile_path("$.a[0]"), ignored=True)])
    assert descend(root, ["b"]) is None
    assert descend(root, ["a", 1]) is None
    assert descend(root, ["a", 0, "x"]) is None


def test_marks_of_one_place_come_together() -> None:
    path = compile_path("$.outputs")
    place = descend(root_of([Mark(path, key="name"), Mark(path, unordered=True), Mark(path, flat=True)]), ["outputs"])
    assert place is not None
    assert (place.key, place.unordered, place.flat, place.ignored) == ("name", True, True, False)


def test_steps_that_no_path_names_share_a_place_however_many_there_are() -> None:
    root = root_of([Mark(compile_path("$..id"), ignored=True)])
    assert root is not None
    places = {id(root.below(name)) for name in map(str, range(10_000))}
    assert places == {id(root.below(0))}
    assert len(root._names) == 2  # "id" and the others
