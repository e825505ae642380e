"""What history.jsonl says about deployments, read as it grows."""

from __future__ import annotations

from pathlib import Path

from shadowproxy.admin.deployments import deployments


def test_actions_are_counted_as_the_file_grows_and_torn_lines_wait(tmp_path: Path) -> None:
    state = str(tmp_path)
    assert deployments(state) == {"promote": 0, "rollback": 0}
    file = tmp_path / "history.jsonl"
    file.write_text('{"action":"promote"}\nnot json\n[1]\n{"action":"stop"}\n{"action":"roll')
    assert deployments(state) == {"promote": 1, "rollback": 0}
    with file.open("a") as more:
        more.write('back"}\n{"action":"promote"}\n')
    assert deployments(state) == {"promote": 2, "rollback": 1}


def test_a_file_that_begins_anew_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text('{"action":"promote"}\n' * 3)
    assert deployments(str(tmp_path))["promote"] == 3
    file.write_text('{"action":"rollback"}\n')
    assert deployments(str(tmp_path)) == {"promote": 0, "rollback": 1}
