"""`init` and `schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.cli import call
from shadowproxy.settings.load import load
from shadowproxy.settings.schema import json_schema

Captured = pytest.CaptureFixture[str]


def test_the_starter_is_printed_and_loads(tmp_path: Path, capsys: Captured) -> None:
    assert call(["init"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    path = tmp_path / "shadowproxy.yaml"
    path.write_text(out)
    snapshot = load(str(path), None, {}).snapshot
    assert (snapshot.production.name, [c.name for c in snapshot.candidates]) == ("v1", ["v2"])


def test_what_the_starter_has_switched_off_loads_too(tmp_path: Path, capsys: Captured) -> None:
    call(["init"])
    lines = capsys.readouterr().out.splitlines()
    settings = (
        "twin:",
        "  url:",
        "headers:",
        "  set:",
        "    Auth",
        "routes:",
        "  - name",
        "    match",
        "    pred",
        "    key",
    )
    settings += ("compare:", "  ignore", "  tolerance", "redact:", "  json:")
    on = [
        line.replace("# ", "", 1) if line.lstrip().startswith(tuple(f"# {setting}" for setting in settings)) else line
        for line in lines
    ]
    path = tmp_path / "f.yaml"
    path.write_text("\n".join(on))
    snapshot = load(str(path), None, {"V2_TOKEN": "t"}).snapshot
    assert snapshot.twin is not None
    assert snapshot.candidates[0].headers_set == (("Authorization", "Bearer t"),)
    assert snapshot.routes[0].name == "predict"
    assert snapshot.compare.relative == 1e-6
    assert snapshot.pairs.redact.json == ("$.user.email",)


def test_a_file_is_written_once_and_never_overwritten(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "f.yaml"
    assert call(["init", "-o", str(path)]) == 0
    assert capsys.readouterr() == ("", f"{path}: written; next: shadowproxy check {path}\n")
    path.write_text("mine")
    assert call(["init", "-o", str(path)]) == 2
    assert capsys.readouterr().err == f"error: {path}: expected a file that does not exist yet, nothing was written\n"
    assert path.read_text() == "mine"


def test_a_directory_that_is_not_there_is_an_output_error(tmp_path: Path, capsys: Captured) -> None:
    assert call(["init", "-o", str(tmp_path / "no" / "f.yaml")]) == 4
    assert capsys.readouterr().err == f"error: {tmp_path}/no/f.yaml: No such file or directory\n"


def test_the_schema_is_printed_as_json(capsys: Captured) -> None:
    assert call(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
