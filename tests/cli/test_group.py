"""The table of commands, their help, and what it costs."""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys

import pytest

from shadowproxy import __version__
from shadowproxy.cli import call
from shadowproxy.cli.group import COMMANDS

Captured = pytest.CaptureFixture[str]
HEAVY = ("aiohttp", "duckdb", "numpy", "scipy", "pydantic", "structlog", "orjson", "msgspec", "yaml", "rich", "uvloop")


def shadowproxy(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "shadowproxy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_shows_examples_first_and_every_command() -> None:
    done = shadowproxy("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index("Examples:") < done.stdout.index("Options:") < done.stdout.index("Commands:")
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.summary in done.stdout
    assert "4 input, output, anything unexpected" in done.stdout


def test_help_imports_nothing_heavy_and_no_command() -> None:
    done = shadowproxy("--help", python=("-X", "importtime"))
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "shadowproxy.cli.group" in imported
    assert imported & {*HEAVY, *(entry.module for entry in COMMANDS.values())} == set()


def test_help_costs_less_than_a_second_of_processor_time() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shadowproxy("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_the_version_is_told() -> None:
    assert shadowproxy("--version").stdout == f"shadowproxy {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_has_help_with_its_examples_first(name: str, capsys: Captured) -> None:
    assert importlib.util.find_spec(COMMANDS[name].module) is not None
    assert call([name, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: shadowproxy {name} ")
    assert out.count("Examples:") == 1
    assert out.index("Examples:") < out.index("Options:")
    for example in COMMANDS[name].examples:
        assert f"    {example}\n" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chekc",), "error: there is no command 'chekc'; did you mean check?\nTry 'shadowproxy --help'.\n"),
        (("frobnicate",), "error: there is no command 'frobnicate'\nTry 'shadowproxy --help'.\n"),
        (("--vrsion",), "error: No such option '--vrsion'. Did you mean '--version'?\nTry 'shadowproxy --help'.\n"),
        (("check",), "error: Missing argument 'FILE'.\nTry 'shadowproxy check --help'.\n"),
        (("check", "f", "--prob"),
         "error: No such option '--prob'. Did you mean '--probe'?\nTry 'shadowproxy check --help'.\n"),
        (("check", "a", "b"), "error: Got unexpected extra argument (b)\nTry 'shadowproxy check --help'.\n"),
        (("init", "-o"), "error: Option '-o' requires an argument.\nTry 'shadowproxy init --help'.\n"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_meant_exits_2(arguments: tuple[str, ...], said: str, capsys: Captured) -> None:
    assert call(arguments) == 2
    assert capsys.readouterr() == ("", said)


def test_without_a_command_the_help_is_shown_and_the_exit_is_2(capsys: Captured) -> None:
    assert call([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Commands:" in err
