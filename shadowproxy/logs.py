"""Log lines of a process: structured events to stderr, for people on a terminal and as JSON elsewhere.

Stands beside the floors, for any process that may load structlog: the supervisor's command line, the recorder, the
admin process. `supervisor/` and `wire/` know no logger and are handed one.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

CONSOLE, JSON = "console", "json"
_FIRST: Final = ("ts", "level", "process", "event")
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def style_for(stream: TextIO) -> str:
    """What fits a stream when nothing was asked for."""
    return CONSOLE if stream.isatty() else JSON


def configure(style: str, **bound: object) -> None:
    """Once a process, before the first event. `bound` stands in each line, as `process="recorder"`.

    What libraries log through `logging` (warnings and worse) becomes events of the same form.
    """
    renderer: Any
    if style == CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    else:
        renderer = structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts" if style == JSON else "timestamp"),
            *((structlog.processors.format_exc_info, _in_order) if style == JSON else ()),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


def emit(level: str, event: str, **fields: object) -> None:
    """One event; `level` is debug, info, warning, error or critical."""
    getattr(structlog.get_logger(), level)(event, **fields)


def _in_order(logger: object, method: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    """What a reader looks for first stands first."""
    return {name: fields.pop(name) for name in _FIRST if name in fields} | dict(fields)


class _Lines:
    """A line in one write. Nobody may be listening any more (a closed pipe): a log line stops no process."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = msg


class _Forward(logging.Handler):
    """The logger's name becomes the event, its text the field `message`."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        fields: dict[str, Any] = {"message": record.getMessage()}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        emit(level if level in _LEVELS else "warning", record.name, **fields)
