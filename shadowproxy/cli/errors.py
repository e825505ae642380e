"""Exceptions that end a command with a sentence and an exit code; whatever else escapes is a bug, or the system's."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1  # a verdict FAIL, a refused promotion, a missed threshold
USAGE: Final = 2
INCONCLUSIVE: Final = 3
TROUBLE: Final = 4
INTERRUPTED: Final = 130


class CommandProblem(Exception):
    """One sentence: what, where, what was expected."""

    exit_code = TROUBLE


class UsageProblem(CommandProblem):
    """The command line or the configuration cannot be meant: exit 2."""

    exit_code = USAGE


class RuntimeProblem(CommandProblem):
    """The machine, the network or a file did not allow it: exit 4."""

    exit_code = TROUBLE
