"""`sql`: ask the pair log with DuckDB."""

from __future__ import annotations

import sys

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem, UsageProblem


@click.command(
    help="Run QUERY, a SELECT, over the views pairs, bodies, ledger and trials of the log in PATH (default "
    "./shadow-pairs). Start with: DESCRIBE pairs. Nothing outside the log can be read, and nothing written."
)
@click.argument("query", metavar="QUERY")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def command(query: str, paths: tuple[str, ...], form: str) -> int:
    import duckdb

    from shadowproxy.cli.screen import put
    from shadowproxy.report import engine
    from shadowproxy.report.select import QueryError, select
    from shadowproxy.report.source import SourceMissing, SourceUnknown, reading
    from shadowproxy.report.words import plain

    try:
        answer = reading(paths, lambda source: select(source, query, form))
    except SourceMissing as e:
        raise RuntimeProblem(str(e)) from None
    except duckdb.Error as e:
        raise RuntimeProblem(f"the log could not be read: {engine.sentence(e)}") from None
    except (SourceUnknown, QueryError) as e:
        raise UsageProblem(str(e)) from None
    if sys.stdout.isatty():  # whoever wrote into a body must not write to the terminal
        answer = "".join(plain(line, len(answer)) + "\n" for line in answer.splitlines())
    put(answer)
    return DONE
