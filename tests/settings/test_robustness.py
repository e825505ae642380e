"""Whatever stands where a value belongs: a configuration or problems with a place, never another exception."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowproxy.settings.load import Overrides, SettingsError, load
from tests.settings.reference import FULL

TREE = yaml.safe_load(FULL.read_text())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(
        ["auto", "production", "twin", "http://x:1", "5s", "1%", "$.a", "header:a", "${X}", "0", "-1", "1e9"]
    ),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [deeper for key, item in items for deeper in paths(item, (*path, key))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(paths(TREE)), JUNK), min_size=1, max_size=3))
def test_any_value_in_any_place_is_taken_or_told(tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    tree = copy.deepcopy(TREE)
    for path, junk in changes:
        here: Any = tree
        try:
            for step in path[:-1]:
                here = here[step]
            here[path[-1]] = junk
        except (LookupError, TypeError):
            continue  # an earlier change took the place away
    file = tmp_path / "f.yaml"
    file.write_text(yaml.safe_dump(tree, allow_unicode=True))
    try:
        told = load(str(file), Overrides(sample="5%", candidates=("v9=http://c:1",)), {"X": "x"}).text()
    except SettingsError as e:
        told = str(e)
        assert all(problem.file and problem.message for problem in e.problems)  # noqa: PT017 — either end is good
    assert told
