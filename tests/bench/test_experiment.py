"""An experiment says what it needs, what it found, what it was measured on, and keeps it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as runner
from bench import document, experiment, results
from bench.experiment import EXPECTED, Effort, Experiment, Finding, run
from bench.failure import MeasurementError
from tests.support.until import until


def _measure(chosen: argparse.Namespace) -> Finding:
    return Finding(
        tables=["| a |"], data={"effort": chosen.effort}, ratios={"r": 1.5}, warnings=["beware"], load="some"
    )


def _fail(chosen: argparse.Namespace) -> Finding:
    raise MeasurementError("nothing answered")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "PLACE", tmp_path / "results")
    (tmp_path / "expected.json").write_text(json.dumps({"some": {"r": [1.0, 1.4]}}), encoding="utf-8")
    monkeypatch.setattr(experiment, "EXPECTED", tmp_path / "expected.json")
    (tmp_path / "doc.md").write_text("before\n<!-- some: begin -->\nold\n<!-- some: end -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(document, "PLACE", tmp_path / "doc.md")
    return tmp_path


def test_what_was_found_is_printed_with_what_it_was_measured_on(
    capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    assert run(Experiment("some", "about", _measure), []) == 0
    said = capsys.readouterr().out
    assert said.startswith("- machine: ")
    assert "- command: python -m bench some\n- load: some\n\n| a |\n\nWarning: beware\n" in said
    kept = json.loads(next((place / "results").glob("some-*.json")).read_text(encoding="utf-8"))
    assert (kept["data"], kept["ratios"]) == ({"effort": "point"}, {"r": 1.5})


def test_a_quick_run_shows_ratios_beside_the_stored_ones_and_fails_by_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Experiment("some", "about", _measure), ["--quick"]) == 0
    assert "| r | 1.50 | 1–1.4 | **unlike the stored figures** |" in capsys.readouterr().out


def test_a_ratio_that_nobody_stored_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Experiment("other", "about", _measure), ["--quick"]) == 0
    assert "| r | 1.50 |  | nothing is expected |" in capsys.readouterr().out


def test_the_document_s_table_is_replaced_again_and_again(place: Path) -> None:
    for _ in range(2):
        assert run(Experiment("some", "about", _measure), ["--docs"]) == 0
    text = (place / "doc.md").read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- some: begin -->\n- machine: ")
    assert text.endswith("Warning: beware\n<!-- some: end -->\nafter\n")
    assert text.count("| a |") == 1
    assert "old" not in text


def test_a_document_without_a_place_is_refused(place: Path) -> None:
    with pytest.raises(ValueError, match="has no place for other"):
        document.write_into(place / "doc.md", "other", "text")


def test_a_program_that_is_not_installed_is_named_with_what_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.programs.find", lambda _: None)
    assert run(Experiment("some", "about", _measure, needs=("nginx",)), []) == 2
    assert "some: not installed: nginx (Debian: apt-get install nginx-light)" in capsys.readouterr().err


def test_one_core_is_not_enough(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert run(Experiment("some", "about", _measure), []) == 2
    assert "two cores are needed" in capsys.readouterr().err


def test_what_did_not_answer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Experiment("some", "about", _fail), []) == 4
    assert capsys.readouterr().err == "some: nothing answered\n"


def test_the_runner_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main([]) == 0
    assert runner.main(["nonsense"]) == 2
    assert "peers" in capsys.readouterr().out


def test_every_experiment_has_its_place_in_the_document_and_its_quick_ratios_are_stored() -> None:
    text = (Path(experiment.__file__).parent.parent / "docs" / "performance.md").read_text(encoding="utf-8")
    stored = json.loads(EXPECTED.read_text(encoding="utf-8"))
    for name, (_, is_quick) in runner.EXPERIMENTS.items():
        begin, end = document.marks(name)
        assert begin in text, name
        assert end in text, name
        assert runner.load(name).name == name
        assert not is_quick or name in stored, name


def test_every_effort_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    for effort in Effort:
        assert run(Experiment("some", "about", _measure), [f"--{effort}"]) == 0
    with pytest.raises(SystemExit):
        run(Experiment("some", "about", _measure), ["--help"])
    assert all(f"--{effort}" in capsys.readouterr().out for effort in [Effort.PROOF])


_STARTS_SOMETHING = """
import signal, sys
from pathlib import Path
from bench.cores import pinned
from bench.experiment import Experiment, run

def measure(chosen):
    with pinned(["sleep", "600"], None, Path(), Path("stderr")) as process:
        print(process.pid, flush=True)
        signal.pause()

sys.exit(run(Experiment("a", "A.", measure, cores=1), []))
"""


def test_what_was_started_ends_with_an_experiment_that_is_told_to_end(tmp_path: Path) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-c", _STARTS_SOMETHING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert bench.stdout is not None
    with bench:
        started = int(bench.stdout.readline())
        bench.terminate()
        assert bench.wait(30) == 128 + signal.SIGTERM
    until(lambda: not Path(f"/proc/{started}").exists(), what="the end of what was started")
