"""The report's record as bytes for a file or lines for a terminal. Formats are a table: another one is a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from shadowproxy.report import text
from shadowproxy.report.junit import junit
from shadowproxy.report.markdown import markdown
from shadowproxy.report.record import Report


def as_text(report: Report) -> str:
    """Without colour."""
    return "".join(line + "\n" for _, line in text.lines(report))


def as_json(report: Report) -> str:
    """CONTRACT's JSON; a quantile that timeouts reach is null there and named in `infinite`."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def as_html(report: Report) -> str:
    from shadowproxy.report.html.page import html  # only here: the other formats start faster without it

    return html(report)


FORMATS: Final[Mapping[str, Callable[[Report], str]]] = {
    "text": as_text,
    "json": as_json,
    "html": as_html,
    "markdown": markdown,
    "junit": junit,
}
