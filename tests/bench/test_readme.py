"""README's measured block is folded from the newest runs that are long enough for figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import readme, results

FACTS = {"machine": "m, 2 cores", "shadowproxy": "0.1 (abc)", "nginx": "1.22", "command": "c"}


def _kept(place: Path, name: str, headline: list[list[str]], effort: str = "point", **more: str) -> None:
    kept = {**FACTS, "effort": effort, "headline": headline, **more}
    (place / f"{name}.json").write_text(json.dumps(kept), encoding="utf-8")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "PLACE", tmp_path)
    (tmp_path / "README.md").write_text(
        "a\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nb\n", encoding="utf-8"
    )
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    return tmp_path


def test_the_newest_run_of_each_experiment_is_shown_with_its_command(place: Path) -> None:
    _kept(place, "peers-20260101T000000Z", [["worker's CPU", "2.00 × nginx", "≤ 0.8"]])
    _kept(place, "peers-20260201T000000Z", [["worker's CPU", "0.70 × nginx", "≤ 0.8"]])
    _kept(place, "start-20260115T000000Z", [["ready", "1.10 s", "≤ 1.5 s"]], shadowproxy="0.1 (abd)")
    _kept(place, "start-20260301T000000Z", [["ready", "9.99 s", "≤ 1.5 s"]], effort="quick")
    _kept(place, "instructions-20260301T000000Z", [])
    assert readme.main() == 0
    text = (place / "README.md").read_text(encoding="utf-8")
    assert text.startswith("a\n<!-- measured: begin -->\nm, 2 cores; 2 commits of shadowproxy; nginx 1.22; all by")
    assert text.endswith("| `python -m bench start` |\n<!-- measured: end -->\nb\n")
    assert "| worker's CPU | 0.70 × nginx | ≤ 0.8 | `python -m bench peers` |" in text
    assert "| ready | 1.10 s | ≤ 1.5 s | `python -m bench start` |" in text
    assert "9.99" not in text


def test_without_results_it_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert readme.main() == 2
    assert "run `make bench` first" in capsys.readouterr().err
