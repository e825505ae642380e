"""The command line. `main` is the one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from shadowproxy.cli.errors import DONE, INTERRUPTED, TROUBLE, USAGE, CommandProblem
from shadowproxy.cli.group import COMMANDS, group
from shadowproxy.settings.problem import SettingsError


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    _open_what_is_closed()
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """The command's exit code. `--debug` may stand anywhere before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:end]
    kept = [argument for argument in arguments[:end] if argument != "--debug"] + list(arguments[end:])
    try:
        code = _invoke(list(kept))  # click empties the list that it parses
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return DONE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as e:  # noqa: BLE001 — the root of every command: told in a sentence, whole with --debug
        if debug:
            import traceback

            traceback.print_exc()
        return _tell(e, kept)
    return code


def _invoke(arguments: list[str]) -> int:
    try:
        with group.make_context("shadowproxy", arguments) as context:
            result = group.invoke(context)
    except click.exceptions.Exit as e:
        return e.exit_code
    return result if isinstance(result, int) else DONE


def _tell(error: Exception, arguments: list[str]) -> int:
    """Print the error to stderr; returns the exit code that it calls for."""
    sentence, code = _sentence(error, arguments)
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:  # nobody listens any more; the exit code still tells
        return code
    return code


def _sentence(error: Exception, arguments: list[str]) -> tuple[str, int]:
    if isinstance(error, SettingsError):
        return str(error), USAGE
    if isinstance(error, CommandProblem):
        return f"error: {error}", error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message(), USAGE
    if isinstance(error, click.UsageError):
        command = "".join(f" {name}" for name in arguments[:1] if name in COMMANDS)
        return f"error: {error.format_message()}\nTry 'shadowproxy{command} --help'.", USAGE
    if isinstance(error, click.ClickException):
        return f"error: {error.format_message()}", TROUBLE
    if isinstance(error, OSError):
        place = f"{os.fspath(error.filename)}: " if isinstance(error.filename, (str, os.PathLike)) else ""
        return f"error: {place}{error.strerror or error}", TROUBLE
    said = f": {error}" if str(error) else ""
    return f"error: unexpected {type(error).__name__}{said}; --debug shows the traceback", TROUBLE


def _open_what_is_closed() -> None:
    """Started with `<&- >&- 2>&-`: sockets and files must not become a child's stdin, stdout or stderr."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _forget_stdout() -> None:
    """The reader has left: what is still buffered must not fail again when the interpreter flushes it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
