"""What the demo tells while it runs, on stderr: sentences, and progress as a bar on a terminal, as lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

Advance = Callable[[int], None]

_LINE_EVERY_S: Final = 5.0


class Screen:
    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    def say(self, sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Advance]:
        """Yields what is called with the number done so far; without a total it has no end."""
        if not self._on_terminal:
            yield _Lines(what, total, self.say)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)


class _Lines:
    def __init__(self, what: str, total: int | None, say: Callable[[str], None]) -> None:
        self._of = f"{what}: {{:,}}" + (f" of {total:,}" if total is not None else "")
        self._say = say
        self._told_s = time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._told_s = time.monotonic()
            self._say(self._of.format(done))
