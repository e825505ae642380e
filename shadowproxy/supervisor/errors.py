"""What keeps the proxy from starting, or a new configuration from taking effect."""

from __future__ import annotations

from collections.abc import Sequence


class StartError(Exception):
    """The proxy cannot start; the message is one sentence for the operator."""


class RefusedError(Exception):
    """A configuration was not taken; nothing changed. `problems` are sentences for the operator, at least one."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
