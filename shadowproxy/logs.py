"""Log lines of a process: structured events to stderr, for people on a terminal and as JSON elsewhere.

Stands beside the floors, for any process that may load structlog: the supervisor's command line, the recorder, the
admin process. `supervisor/` and `wire/` know no logger and are handed one.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog

from shadowproxy import ecs
from shadowproxy.shipping import Shipper

if TYPE_CHECKING:
    from shadowproxy.settings.snapshot import Logs

CONSOLE, JSON = "console", "json"
_FIRST: Final = ("ts", "level", "process", "event")
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def style_for(stream: TextIO) -> str:
    """What fits a stream when nothing was asked for."""
    return CONSOLE if stream.isatty() else JSON


def configure(style: str, settings: Logs | None = None, **bound: object) -> None:
    """Once a process, before the first event. `bound` stands in each line, as `process="recorder"`.

    What libraries log through `logging` (warnings and worse) becomes events of the same form. Where `settings` names a
    server, it gets every event as JSON, whatever the style.
    """
    global _shipper
    _shipper = _ship(settings)
    is_ecs = settings is not None and settings.profile == ecs.ECS
    renderer: Any
    if style == CONSOLE:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    else:
        renderer = _Json(is_ecs)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts" if style == JSON else "timestamp"),
            *([_Shipping(_shipper, is_ecs)] if _shipper is not None else ()),
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


_shipper: Shipper | None = None


def _ship(settings: Logs | None) -> Shipper | None:
    if settings is None or settings.ship is None or "events" not in settings.ship.what:
        return None
    ship = settings.ship
    return Shipper(ship.to, ship.buffer, ship.rate, tell=lambda event, fields: emit("warning", event, **fields))


def counters() -> dict[str, float]:
    """What of this process's events was shipped and what was dropped, as `wire.messages.Stats` names it."""
    if _shipper is None:
        return {}
    return {
        'shipped_total{what="events"}': _shipper.sent,
        'ship_dropped_total{what="events"}': _shipper.dropped,
    }


def emit(level: str, event: str, **fields: object) -> None:
    """One event; `level` is debug, info, warning, error or critical."""
    getattr(structlog.get_logger(), level)(event, **fields)


def _in_order(logger: object, method: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    """What a reader looks for first stands first."""
    return {name: fields.pop(name) for name in _FIRST if name in fields} | dict(fields)


class _Json:
    """The last step: a line of JSON."""

    def __init__(self, is_ecs: bool) -> None:
        self._is_ecs = is_ecs
        self._render = structlog.processors.JSONRenderer(default=str)

    def __call__(self, logger: object, method: str, fields: MutableMapping[str, Any]) -> str | bytes:
        return self._render(logger, method, ecs.event(fields) if self._is_ecs else fields)


class _Shipping:
    """A step that lets everything pass, and offers it to the shipper as it would stand in a JSON line."""

    def __init__(self, shipper: Shipper, is_ecs: bool) -> None:
        self._shipper = shipper
        self._render = _Json(is_ecs)

    def __call__(self, logger: object, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        copy = dict(fields)
        copy["ts"] = copy.pop("timestamp", copy.get("ts"))
        copy = _in_order(logger, method, structlog.processors.format_exc_info(logger, method, copy))
        line = self._render(logger, method, copy)
        self._shipper.offer(line.encode() if isinstance(line, str) else line)
        return fields


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
