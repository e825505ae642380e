"""`show`: one request's pairs side by side."""

from __future__ import annotations

import json

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem, UsageProblem


@click.command(
    help="Show the pairs of the request ID: a request id, a pair id, or the beginning of either, in the log in PATH "
    "(default ./shadow-pairs). Works while the log is being written. Long bodies are cut; --json has all."
)
@click.argument("id_", metavar="ID")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="The pairs as they lie in the log, as a JSON array.")
def command(id_: str, paths: tuple[str, ...], as_json: bool) -> int:
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.report import show
    from shadowproxy.report.find import Ambiguous, Unknown, pairs_of
    from shadowproxy.report.source import SourceMissing, SourceUnknown, reading

    try:
        pairs = reading(paths, lambda source: pairs_of(source, id_))
    except (SourceMissing, Unknown) as e:
        raise RuntimeProblem(str(e)) from None
    except (SourceUnknown, Ambiguous) as e:
        raise UsageProblem(str(e)) from None
    if as_json:
        click.echo(json.dumps(pairs, indent=2))
    else:
        put_lines(show.lines(pairs))
    return DONE
