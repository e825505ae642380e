"""`${VAR}` in values."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.settings.environment import expand, fill_in
from shadowproxy.settings.load import Overrides, SettingsError, load
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


TOKEN, KEY = "SHADOWPROXY_ADMIN_TOKEN", "SHADOWPROXY_REDACT_KEY"


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("", "of-the-environment"),
        ("admin:", "of-the-environment"),
        ("admin: {listen: '127.0.0.1:1'}", "of-the-environment"),
        ("admin:\n  token:", "of-the-environment"),
        ("admin: {token: ''}", ""),
        ("admin: {token: own}", "own"),
        ("admin: {token: '${OTHER:-}'}", ""),
    ],
)
def test_a_secret_that_the_file_does_not_say_is_the_environment_s(tmp_path: Path, written: str, token: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"production: {{url: 'http://p:1'}}\n{written}\n")
    loaded = load(str(file), environment={TOKEN: "of-the-environment", KEY: "of-redaction"})
    assert loaded.snapshot.admin.token == token
    assert loaded.snapshot.pairs.redact.key == "of-redaction"
    assert "of-" not in loaded.text()


def test_without_a_file_the_environment_alone_can_open_the_admin_port_to_others() -> None:
    flags = Overrides(production="http://p:1", admin="0.0.0.0:9900")
    assert load(None, flags, environment={TOKEN: "long-enough"}).snapshot.admin.token == "long-enough"
    for variables, said in (
        ({}, "--admin: expected a token, because admin.listen is 0.0.0.0:9900, which others can reach"),
        ({TOKEN: "two words"}, f"{TOKEN}: admin.token: expected a token of printable ASCII characters without spaces"),
    ):
        with pytest.raises(SettingsError) as caught:
            load(None, flags, environment=variables)
        assert said in str(caught.value)


def test_a_file_of_the_wrong_shape_is_refused_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("production: {url: 'http://p:1'}\nadmin: off\n")
    with pytest.raises(SettingsError, match="admin: expected a mapping, there was 'off'"):
        load(str(file), environment={TOKEN: "t"})
