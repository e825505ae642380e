"""The one error handler: what escapes a command, the sentence that is told, the exit code."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from shadowproxy.cli import call
from shadowproxy.cli.errors import RuntimeProblem, UsageProblem
from shadowproxy.settings.problem import Problem, SettingsError


def stop() -> None:
    raise KeyboardInterrupt


def fail(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


ENDS = [
    (lambda: 0, 0, ""),
    (lambda: 3, 3, ""),
    (lambda: None, 0, ""),
    (fail(UsageProblem("x: expected y")), 2, "error: x: expected y\n"),
    (fail(RuntimeProblem("x: nothing there")), 4, "error: x: nothing there\n"),
    (fail(SettingsError([Problem("f", 1, "a.b", "expected c"), Problem("", 0, "d", "expected e")])), 2,
     "f:1: a.b: expected c\nd: expected e\n"),
    (fail(FileNotFoundError(2, "No such file or directory", "/x")), 4, "error: /x: No such file or directory\n"),
    (fail(OSError(28, "No space left on device")), 4, "error: No space left on device\n"),
    (fail(OSError("odd")), 4, "error: odd\n"),
    (fail(ZeroDivisionError("division by zero")), 4,
     "error: unexpected ZeroDivisionError: division by zero; --debug shows the traceback\n"),
    (fail(KeyError()), 4, "error: unexpected KeyError; --debug shows the traceback\n"),
    (fail(RecursionError()), 4, "error: unexpected RecursionError; --debug shows the traceback\n"),
    (fail(click.BadParameter("must be x")), 2, "error: Invalid value: must be x\nTry 'shadowproxy check --help'.\n"),
    (fail(KeyboardInterrupt()), 130, ""),
    (fail(click.Abort()), 130, ""),
    (fail(BrokenPipeError()), 0, ""),
    (fail(click.exceptions.Exit(1)), 1, ""),
]  # fmt: skip


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Puts a function in the place of `check`."""

    def install(function: Callable[[], object]) -> None:
        command = click.Command("check", callback=function)
        monkeypatch.setitem(sys.modules, "shadowproxy.cli.check", SimpleNamespace(command=command))  # type: ignore[arg-type]

    return install


@pytest.mark.parametrize(("function", "code", "said"), ENDS)
def test_every_end_has_its_code_and_its_sentence(  # type: ignore[no-untyped-def]
    function, code: int, said: str, install, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shadowproxy.cli._forget_stdout", lambda: None)  # pytest's own output goes on
    install(function)
    assert call(["check"]) == code
    assert capfd.readouterr() == ("", said)


@pytest.mark.parametrize("arguments", [["--debug", "check"], ["check", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(  # type: ignore[no-untyped-def]
    arguments: list[str], install, capfd: pytest.CaptureFixture[str]
) -> None:
    install(fail(ZeroDivisionError("division by zero")))
    assert call(arguments) == 4
    said = capfd.readouterr().err
    assert said.startswith("Traceback (most recent call last):")
    assert said.endswith("error: unexpected ZeroDivisionError: division by zero; --debug shows the traceback\n")


def test_a_debug_behind_two_dashes_is_an_argument(install, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert call(["check", "--", "--debug"]) == 4
    assert capfd.readouterr().err == "error: --debug: No such file or directory\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`shadowproxy schema | true`: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "shadowproxy", "schema"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_exits_130_without_a_traceback(tmp_path: Path) -> None:
    """The command reads a FIFO that nobody writes: it is interrupted within open()."""
    fifo = tmp_path / "f.yaml"
    os.mkfifo(fifo)
    child = subprocess.Popen(
        [sys.executable, "-m", "shadowproxy", "check", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    descriptor = os.open(fifo, os.O_WRONLY)  # returns once the child has opened its end
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    os.close(descriptor)
    assert (child.returncode, out, err) == (130, b"", b"")


def test_a_command_without_stdin_stdout_and_stderr_ends_like_any_other() -> None:
    """`<&- >&- 2>&-`, as some daemons are started."""
    for words, code in (("--version", 0), ("check /nowhere.yaml", 4)):
        line = f"exec {shlex.quote(sys.executable)} -m shadowproxy {words} <&- >&- 2>&-"
        assert subprocess.run(["sh", "-c", line], timeout=60, check=False).returncode == code
