"""Log lines of a process, read as whoever collects them reads them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from shadowproxy import logs


def lines_of(program: str, style: str = logs.JSON) -> list[str]:
    program = f"from shadowproxy import logs\nlogs.configure({style!r}, process='recorder')\n{program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def events_of(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(program)]


def test_an_event_is_one_json_line_with_what_is_looked_for_first() -> None:
    [event] = events_of("logs.emit('warning', 'worker.ended', slot=1, why='line\\nbreak', odd={1, 2})")
    assert list(event)[:4] == ["ts", "level", "process", "event"]
    assert (event["level"], event["process"], event["event"], event["slot"]) == (
        "warning",
        "recorder",
        "worker.ended",
        1,
    )
    assert event["ts"].endswith("Z")


def test_debug_is_silent() -> None:
    assert events_of("logs.emit('debug', 'nothing')") == []


def test_a_traceback_stays_within_its_line() -> None:
    [event] = events_of("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    logs.emit('error', 'fault', exc_info=e)")
    assert event["exception"].endswith("ZeroDivisionError: division by zero")


def test_what_libraries_log_becomes_events() -> None:
    [event] = events_of("import logging\nlogging.getLogger('aiohttp.server').warning('slow %s', 'client')")
    assert (event["event"], event["level"], event["message"]) == ("aiohttp.server", "warning", "slow client")
    assert events_of("import logging\nlogging.getLogger('aiohttp.server').info('chatter')") == []


def test_people_get_text_without_colours_off_a_terminal() -> None:
    [line] = lines_of("logs.emit('info', 'drain.began', delay_s=5.0)", logs.CONSOLE)
    assert "drain.began" in line
    assert "delay_s=5.0" in line
    assert "\x1b" not in line


def test_nobody_listening_stops_no_process() -> None:
    assert events_of("import os, sys\nos.close(2)\nlogs.emit('info', 'into the void')\nsys.stderr = None") == []


@pytest.mark.parametrize(("terminal", "style"), [(True, logs.CONSOLE), (False, logs.JSON)])
def test_the_style_fits_the_stream(terminal: bool, style: str) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert logs.style_for(Stream()) == style


def test_the_ecs_profile_is_that_of_lines_for_collectors() -> None:
    program = (
        "from shadowproxy import logs\nfrom shadowproxy.settings.snapshot import Logs\n"
        "logs.configure('json', Logs(profile='ecs'), process='admin')\nlogs.emit('info', 'x.y', a=1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    record = json.loads(done.stderr)
    assert (record["message"], record["process"]["name"], record["shadowproxy"]) == ("x.y", "admin", {"a": 1})


def test_events_are_shipped_as_json_whatever_the_terminal_shows() -> None:
    program = (
        "import socket\nfrom shadowproxy import logs\nfrom shadowproxy.settings.snapshot import Logs, Ship\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "to = f'127.0.0.1:{server.getsockname()[1]}'\n"
        "logs.configure('console', Logs(ship=Ship(to=to)), process='admin')\n"
        "logs.emit('info', 'x.y', a=1)\n"
        "print(server.accept()[0].makefile().readline(), end='')\n"
        "print(logs.counters())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    line, counters = done.stdout.splitlines()
    record = json.loads(line)
    assert list(record)[:4] == ["ts", "level", "process", "event"]
    assert (record["event"], record["a"]) == ("x.y", 1)
    assert "ship_dropped_total" in counters
    assert "x.y" in done.stderr
