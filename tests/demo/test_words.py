"""What clients noticed is said, whatever it was."""

from __future__ import annotations

from pathlib import Path

from shadowproxy.demo.folder import Folder
from shadowproxy.demo.traffic import Tally
from shadowproxy.demo.training import Measured
from shadowproxy.demo.words import fidelity, trained, try_next


def test_nothing_noticed() -> None:
    assert fidelity(Tally(sent=6400, answered=6400), 20.0) == (
        "6,400 requests in 20.0 s, 320 a second: none failed, and each answer was production's own, byte for byte."
    )


def test_failures_and_foreign_answers_are_named() -> None:
    tally = Tally(sent=640, answered=639, differing=["digit-000007"], failed=[("digit-000003", "status 502")])
    assert fidelity(tally, 2.0) == (
        "640 requests in 2.0 s, 320 a second: 1 failed (the first, digit-000003: status 502) and 1 got another answer "
        "than production gives itself (the first: digit-000007)."
    )


def test_training_is_told_with_its_figures() -> None:
    told = trained(Measured(1257, 540, 0.9616, 0.987, 0.031, 2.04))
    assert told == (
        "Trained on 1,257 digits in 2.0 s. On 540 others, each shifted by a pixel, the logistic regression is right on "
        "96.2 %, the SVM on 98.7 %, and they disagree on 3.1 %."
    )


def test_one_command_each_for_a_request_the_report_and_the_log(tmp_path: Path) -> None:
    commands = [line.split() for line in try_next(Folder(tmp_path), "digit-000123") if "#" not in line][1:]
    verbs = [next(word for word in words if word in {"show", "report", "sql"}) for words in commands]
    assert verbs == ["show", "report", "sql"]
    assert all(str(tmp_path / "pairs") in words for words in commands)
