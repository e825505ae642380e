"""Each run has a directory of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import yaml

from shadowproxy.demo.folder import fresh, spelled

NOW = datetime(2026, 3, 1, 9, 30, 5)


def test_two_runs_of_one_second_do_not_share_a_folder(tmp_path: Path) -> None:
    names = [fresh(tmp_path / "shadow-demo", NOW).path.name for _ in range(3)]
    assert names == ["20260301-093005", "20260301-093005-2", "20260301-093005-3"]


def test_what_was_there_stays(tmp_path: Path) -> None:
    older = fresh(tmp_path, NOW)
    older.labels.write_text("key,label\n")
    fresh(tmp_path, NOW).discard()
    assert older.labels.read_text() == "key,label\n"


def test_a_discarded_folder_takes_an_empty_parent_with_it(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "shadow-demo", NOW)
    folder.labels.write_text("key,label\n")
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_yaml(tmp_path: Path) -> None:
    folder = fresh(tmp_path, NOW)
    folder.write({"listen": "127.0.0.1:0", "limits": {"drain_delay": "0s"}})
    assert yaml.safe_load(folder.configuration.read_text())["limits"] == {"drain_delay": "0s"}


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "shadow-demo").write_text("")
    with pytest.raises(OSError, match="shadow-demo"):
        fresh(tmp_path / "shadow-demo", NOW)


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("shadow-demo/x/pairs", "shadow-demo/x/pairs"),
        ("a b/pairs", "'a b/pairs'"),
        ("../elsewhere", "{outside}/elsewhere"),
    ],
)
def test_paths_are_spelled_as_one_would_type_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, typed: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert spelled((here / path).resolve()) == typed.format(outside=tmp_path)
