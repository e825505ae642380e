"""A figure says what it was measured on."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bench import machine


def test_a_version_is_what_the_program_says_of_itself() -> None:
    facts = machine.describe(sys.executable)
    assert facts["machine"].endswith(f"Linux {platform.release()}")
    assert list(facts.values())[-1] == platform.python_version()


def test_facts_are_one_line_each() -> None:
    assert machine.lines({"machine": "m", "command": "c"}) == "- machine: m\n- command: c"


def test_what_a_run_writes_into_documents_does_not_make_the_code_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "shadowproxy").mkdir()
    code, document = tmp_path / "bench" / "machine.py", tmp_path / "README.md"
    for file in (code, document):
        file.write_text("as committed\n", encoding="utf-8")
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(machine, "__file__", str(code))
    revision = machine.describe()["shadowproxy"]
    document.write_text("with new figures\n", encoding="utf-8")
    assert machine.describe()["shadowproxy"] == revision
    code.write_text("changed\n", encoding="utf-8")
    assert machine.describe()["shadowproxy"] == revision.removesuffix(")") + "-dirty)"
