"""`${VAR}` in values."""

from __future__ import annotations

import pytest

from shadowproxy.settings.environment import expand, fill_in
from shadowproxy.settings.source.document import Plain
from shadowproxy.settings.source.yaml import read_yaml

ENVIRONMENT = {"A": "one", "EMPTY": "", "SHELL_LIKE": "${A}", "_X9": "x"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "one"),
        ("a-${A}-${_X9}", "a-one-x"),
        ("${EMPTY}", ""),
        ("${A:-two}", "one"),
        ("${EMPTY:-two}", "two"),
        ("${NONE:-two}", "two"),
        ("${NONE:-}", ""),
        ("${NONE:-http://h:1/a b}", "http://h:1/a b"),
        ("${A:?needed}", "one"),
        ("$${A}", "${A}"),
        ("$A and $ and {A} and $$", "$A and $ and {A} and $$"),
        ("${SHELL_LIKE}", "${A}"),  # what a variable holds is not expanded again
    ],
)
def test_references_are_replaced_as_the_shell_does(text: str, expanded: str) -> None:
    assert expand(text, ENVIRONMENT) == expanded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "expected the environment variable NONE, it is not set; ${NONE:-} would allow it to be empty"),
        ("${NONE:?the token of v2}", "expected the environment variable NONE: the token of v2"),
        ("${EMPTY:?}", "expected the environment variable EMPTY: it is unset or empty"),
        ("${A", "expected ${VAR}, ${VAR:-default} or ${VAR:?message}, there was ${A"),
        ("${}", "expected ${VAR}, ${VAR:-default} or ${VAR:?message}, there was ${}"),
        ("${A-b}", "expected ${VAR}, ${VAR:-default} or ${VAR:?message}, there was ${A-b}"),
        ("${NONE:-${A}}", "expected ${VAR}, ${VAR:-default} or ${VAR:?message}, there was ${NONE:-${A}"),
    ],
)
def test_a_reference_that_cannot_be_replaced_is_told(text: str, message: str) -> None:
    document = read_yaml("f.yaml", "x: 1\ny: '" + text + "'\n")
    assert fill_in(document, ENVIRONMENT) == {("y",)}
    assert [str(problem) for problem in document.problems] == [f"f.yaml:2: y: {message}"]


def test_a_filled_in_value_is_never_taken_for_syntax() -> None:
    document = read_yaml("f.yaml", 'a: ${V}\nb: ["${V}"]\n')
    filled = fill_in(document, {"V": "{x: [1, 2"})
    assert document.tree == {"a": "{x: [1, 2", "b": ["{x: [1, 2"]}
    assert filled == {("a",), ("b", 0)}


def test_an_unquoted_value_stays_unquoted_so_that_it_may_be_a_number() -> None:
    document = read_yaml("f.yaml", 'a: ${V}\nb: "${V}"\n')
    fill_in(document, {"V": "5"})
    assert isinstance(document.tree["a"], Plain)
    assert not isinstance(document.tree["b"], Plain)
