"""One line on a terminal's stderr while load is offered; nothing elsewhere.

A drawing library would take milliseconds of the very core that sends the load. This takes some microseconds, twice a
second.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Final, TextIO

from shadowproxy.bench.turns import Told

_WIDTH: Final = 24


class Bar:
    """A context manager; call it to draw, its end wipes the line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._shows = self._out.isatty()
        self._full, self._empty = ("#", "-") if os.environ.get("NO_COLOR") else ("█", "░")

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("\r\x1b[K" if self._shows else "")

    def __call__(self, told: Told) -> None:
        if not self._shows:
            return
        share = min(1.0, told.done_s / told.whole_s)
        filled = round(share * _WIDTH)
        p99 = told.outcome.latency.quantile_ms(0.99)
        figures = f"{told.outcome.latency.count:,} answers" + (f", p99 {p99:.1f} ms" if p99 is not None else "")
        self._write(
            f"\r\x1b[K{self._full * filled}{self._empty * (_WIDTH - filled)} {share:4.0%} {told.url[:40]} {figures}"
        )

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except UnicodeEncodeError:
            self._full, self._empty = "#", "-"
