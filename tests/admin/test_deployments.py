"""What history.jsonl says about deployments, read as it grows."""

from __future__ import annotations

from pathlib import Path

from shadowproxy.admin.deployments import deployments


def test_actions_are_counted_as_the_file_grows_and_torn_lines_wait(tmp_path: Path) -> None:
    state = str(tmp_path)
    assert deployments(state) == {"promoted": 0, "rolled_back": 0}
    file = tmp_path / "history.jsonl"
    file.write_text('{"action":"promoted"}\nnot json\n[1]\n{"action":"stop"}\n{"action":"rolled_')
    assert deployments(state) == {"promoted": 1, "rolled_back": 0}
    with file.open("a") as more:
        more.write('back"}\n{"action":"promoted"}\n')
    assert deployments(state) == {"promoted": 2, "rolled_back": 1}


def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text('{"action":"promoted"}\n' * 3)
    assert deployments(str(tmp_path))["promoted"] == 3
    file.write_text('{"action":"rolled_back"}\n')
    assert deployments(str(tmp_path)) == {"promoted": 0, "rolled_back": 1}
