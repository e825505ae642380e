"""A bar on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import pty

import pytest

from shadowproxy.demo import screen
from shadowproxy.demo.screen import Screen


def test_without_a_terminal_progress_is_lines_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(screen.time, "monotonic", lambda: now_s)
    with Screen().progress("Requests", 6400) as advance:
        for at_s, done in [(101.0, 320), (105.0, 1600), (106.0, 1920), (110.5, 3300)]:
            now_s = at_s
            advance(done)
    assert capsys.readouterr().err.splitlines() == ["Requests: 1,600 of 6,400", "Requests: 3,300 of 6,400"]


def test_without_an_end_there_is_no_total(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "_LINE_EVERY_S", 0.0)
    with Screen().progress("Requests", None) as advance:
        advance(7)
    assert capsys.readouterr().err == "Requests: 7\n"


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty()
    with open(writer, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with Screen().progress("Requests", 640) as advance:
            advance(320)
        shown = ""
        while "320/640" not in shown:  # the test's own time limit is the deadline
            shown += os.read(reader, 1 << 16).decode()
    os.close(reader)
    assert "Requests" in shown
