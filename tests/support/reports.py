"""A log on disk → the report on it, as the command makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shadowproxy.report import engine, views
from shadowproxy.report.assemble import report
from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.scope import Scope
from shadowproxy.report.source import find
from shadowproxy.report.wishes import Wishes


def report_on(path: Path, *, scope: Scope | None = None, **wishes: Any) -> Report:
    source = find([str(path)])
    with engine.opened() as con:
        loaded = views.load_views(con, source)
        return report(con, source, loaded, Wishes(scope=scope or Scope(), **wishes))


def figures_on(path: Path, name: str = "v2", **wishes: Any) -> Candidate:
    return report_on(path, **wishes).candidates[name]
