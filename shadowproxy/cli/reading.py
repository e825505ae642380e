"""What commands that read a log share: its report, and errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from shadowproxy.cli.errors import RuntimeProblem, UsageProblem

if TYPE_CHECKING:
    from shadowproxy.report.record import Report
    from shadowproxy.report.scope import Scope
    from shadowproxy.report.source import Source
    from shadowproxy.report.wishes import Wishes
    from shadowproxy.settings.snapshot import Snapshot


@contextmanager
def told() -> Iterator[None]:
    """Whatever is wrong with a log or a wish becomes a sentence and its exit code."""
    import duckdb

    from shadowproxy.report import engine
    from shadowproxy.report.scope import ScopeError
    from shadowproxy.report.source import SourceMissing, SourceUnknown

    try:
        yield
    except SourceMissing as e:
        raise RuntimeProblem(str(e)) from None
    except duckdb.Error as e:
        raise RuntimeProblem(f"the log could not be read: {engine.sentence(e)}") from None
    except (SourceUnknown, ScopeError) as e:
        raise UsageProblem(str(e)) from None


def tell_unusable(name: str, why: str) -> None:
    """Of an installed score (`shadowproxy.scores`)."""
    click.echo(f"score {name} is left out: {why}", err=True)


def source_of(paths: tuple[str, ...]) -> Source:
    from shadowproxy.report.source import find

    with told():
        return find(paths)


def report_on(paths: tuple[str, ...], wishes: Wishes) -> Report:
    from shadowproxy.report import engine, views
    from shadowproxy.report.assemble import report
    from shadowproxy.report.source import reading

    def made(source: Source) -> Report:
        with engine.opened() as con:
            return report(con, source, views.load_views(con, source), wishes)

    with told():
        return reading(paths, made)


def scope_of(since: str | None = None, until: str | None = None, **more: Any) -> Scope:
    from shadowproxy.report.scope import Scope, parse_time

    now = datetime.now(UTC)
    with told():
        return Scope(
            since=parse_time(since, now, "--since") if since is not None else None,
            until=parse_time(until, now, "--until") if until is not None else None,
            **more,
        )


def snapshot_of(config: str | None) -> Snapshot | None:
    if config is None:
        return None
    from shadowproxy.settings.load import load

    return load(config).snapshot
