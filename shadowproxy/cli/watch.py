"""A report that is printed again whenever its log has grown. It ends with Ctrl-C, as `tail -f` does.

On a terminal each one takes the place of the last; elsewhere a line of dashes parts them. Making one may take long, so
the pause is at least four times as long as the making: watching never costs more than a fifth of a core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from shadowproxy.report.record import Report

EVERY_S: Final = 2.0
_PAUSE_PER_WORK: Final = 4.0
_CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"


def watch(make: Callable[[], Report], files: Callable[[], Sequence[Path]]) -> NoReturn:
    seen: object = None
    while True:
        state = [(file, _size(file)) for file in files()]
        pause_s = EVERY_S
        if state != seen:
            started_s = time.monotonic()
            _show(make())
            pause_s = max(EVERY_S, _PAUSE_PER_WORK * (time.monotonic() - started_s))
            seen = state
        time.sleep(pause_s)


def _show(found: Report) -> None:
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.report import text

    click.echo(_CLEAR if sys.stdout.isatty() else f"{'-' * text.WIDTH}\n", nl=False)
    put_lines(text.lines(found))
    sys.stdout.flush()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # rotated away since it was listed
        return -1
