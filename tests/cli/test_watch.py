"""`report --watch` as a user sees it: again when the log has grown, until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from shadowproxy.cli import call
from tests.support.pairs import PairLog


def test_watching_prints_again_when_the_log_has_grown(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=3)
    root = log.write()
    command = [sys.executable, "-m", "shadowproxy", "report", "--watch", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert _reads(process.stdout, "3 requests judged")
            with (root / "pairs-2.jsonl").open("w", encoding="utf-8") as more:
                log.pair()
                more.write(log.pairs[-1] + "\n")
            assert _reads(process.stdout, "4 requests judged")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()


def _reads(stream: IO[str], words: str) -> bool:
    return any(words in line for line in stream)


@pytest.mark.parametrize("more", [["--format", "json"], ["-o", "report.txt"]])
def test_only_the_text_on_a_terminal_is_watched(
    tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["report", "--watch", str(tmp_path), *more]) == 2
    assert "--watch: expected the text report" in capsys.readouterr().err
