"""Files of three formats as trees with places."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.settings.problem import SettingsError
from shadowproxy.settings.source import MAX_FILE_BYTES, read_file
from shadowproxy.settings.source.json import read_json
from shadowproxy.settings.source.toml import read_toml
from shadowproxy.settings.source.yaml import read_yaml


def lines(document) -> dict[str, int]:  # type: ignore[no-untyped-def]
    from shadowproxy.settings.problem import dotted

    return {dotted(path): line for path, (_, line) in document.places.items() if path}


def test_yaml_keeps_the_line_of_every_key_and_item() -> None:
    document = read_yaml("f", "a:\n  b: 1\n  c:\n  - x\n  - {d: 1,\n     e: 2}\nf: |\n  text\ng: 3\n")
    assert lines(document) == {
        "a": 1,
        "a.b": 2,
        "a.c": 3,
        "a.c[0]": 4,
        "a.c[1]": 5,
        "a.c[1].d": 5,
        "a.c[1].e": 6,
        "f": 7,
        "g": 9,
    }


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "true", "1.10", "12345e7", "0o17", "2024-11-05", "~", ".inf"]
)
def test_unquoted_yaml_stays_the_text_that_was_written(word: str) -> None:
    assert read_yaml("f", f"a: {word}\n{word}: b\n").tree == {"a": word, word: "b"}


def test_anchors_aliases_and_merges_are_followed() -> None:
    text = "base: &b {x: 1, y: &l [2, 3]}\nuse: {<<: *b, y: 9}\nlist: *l\nmany: {<<: [{q: 1}, *b]}\n"
    tree = read_yaml("f", text).tree
    assert tree["use"] == {"x": "1", "y": "9"}
    assert tree["list"] == ["2", "3"]
    assert tree["many"] == {"q": "1", "x": "1", "y": ["2", "3"]}


TOO_MUCH = "expected at most 32 levels and 200000 values"
YAML_FAULTS = [
    ("a: 1\nb:\n  a: 1\n  a: 2\n", "f:4: b.a: expected each key once, this one is also on line 3"),
    ("[" * 100_000, f"f:1: {TOO_MUCH}"),
    ("{a: " * 100_000, f"f:1: {TOO_MUCH}"),
    ("a: &a [*a]\n", "f:1: expected an anchor &a above this alias"),
    ("a: *x\n", "f:1: expected an anchor &x above this alias"),
    ("a: 1\nb: !!python/object:os.system x\n", "f:2: expected a plain value, there was the tag "
     "tag:yaml.org,2002:python/object:os.system"),
    ("a: !x [1]\n", "f:1: expected a plain value, there was the tag !x"),
    ("a: 1\n---\nb: 2\n", "f:2: expected one document, there is a second"),
    ("? [a]\n: 1\n", "f:1: expected text as the key of a mapping"),
    ("a: {<<: 5}\n", "f:1: expected a mapping, or a list of them, after <<"),
    ("a: 1\n b: 2\n", "f:2: not YAML: mapping values are not allowed in this context"),
    ("a: 1\n\tb: 2\n", "f:2: not YAML: while scanning a plain scalar found a tab character that violates indentation"),
    ("a: \x00", "f: not YAML: unacceptable character #x0000: control characters are not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), YAML_FAULTS, ids=[row[1][:50] for row in YAML_FAULTS])
def test_yaml_that_is_none_is_refused_at_its_line(text: str, message: str) -> None:
    try:
        problems = read_yaml("f", text).problems
    except SettingsError as e:
        problems = list(e.problems)
    assert [str(problem) for problem in problems] == [message]


def test_aliases_of_aliases_do_not_grow_without_bound() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    began = time.process_time()
    with pytest.raises(SettingsError, match="expected at most"):
        read_yaml("f", text)
    assert time.process_time() - began < 20


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_tree_or_a_problem(text: str) -> None:
    for read in (read_yaml, read_toml, read_json):
        try:
            outcome = read("f", text).name == "f"
        except SettingsError as e:
            outcome = bool(e.problems)
        assert outcome


def test_toml_keys_have_their_lines() -> None:
    text = (
        'listen = ":1"\n[production]\nurl = "x"\n"odd key" = 1\ntimeouts.connect = "1s"\n[[candidates]]\nname = "a"\n'
        '[candidates.breaker]\nprobe = "1s"\n[[candidates]]\nname = "b"\n[candidates.headers.set]\nX = "1"\n'
    )
    document = read_toml("f", text)
    assert lines(document) == {
        "listen": 1,
        "production": 2,
        "production.url": 3,
        "production.odd key": 4,
        "production.timeouts": 5,
        "production.timeouts.connect": 5,
        "candidates": 6,
        "candidates[0]": 6,
        "candidates[0].name": 7,
        "candidates[0].breaker": 8,
        "candidates[0].breaker.probe": 9,
        "candidates[1]": 10,
        "candidates[1].name": 11,
        "candidates[1].headers.set": 12,
        "candidates[1].headers.set.X": 13,
    }
    assert document.tree["candidates"][1]["headers"] == {"set": {"X": "1"}}


def test_json_keys_have_their_lines_and_may_not_repeat() -> None:
    document = read_json("f", '{\n\t"a": 1,\n\t"b": {"c\\/d": "x",\n"c\\/d": true}}')
    assert document.tree == {"a": 1, "b": {"c/d": True}}
    assert lines(document) == {"a": 2, "b": 3, "b.c/d": 4}
    assert [str(p) for p in document.problems] == ["f:4: b.c/d: expected each key once, this one is also on line 3"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("f.toml", b"a = 1\na = 2\n", ":2: not TOML: Cannot overwrite a value (at line 2, column 6)"),
        ("f.toml", b"a = 1\na = 2", ":2: not TOML: Cannot overwrite a value (at end of document)"),
        ("f.toml", b"a = \n", ":1: not TOML: Invalid value (at line 1, column 5)"),
        ("f.json", b'{"a": 1,\n}', ":2: not JSON: "),
        ("f.json", b"[" * 100_000, ": expected at most 32 levels"),
        ("f.yaml", b"a: 1\nb: \xff\n", ":2: expected UTF-8, there was byte 0xff"),
        ("f.yml", b"#" * (MAX_FILE_BYTES + 1), f": expected at most {MAX_FILE_BYTES} bytes of configuration"),
    ],
)
def test_a_file_that_cannot_be_read_as_its_name_says(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        read_file(str(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "f.YAML"
    path.write_bytes(b"\xef\xbb\xbflisten: :1\n")
    assert read_file(str(path)).tree == {"listen": ":1"}


def test_a_file_that_is_not_there_is_the_system_s_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "none.yaml"))
