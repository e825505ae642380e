"""`trials`: what the log holds evidence about."""

from __future__ import annotations

import json

import click

from shadowproxy.cli.errors import DONE


@click.command(
    help="List the trials in PATH (default ./shadow-pairs), the latest first: candidate, versions of production and "
    "candidate, span, pairs, coverage, and the verdict under the gates of the configuration."
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("-c", "--config", metavar="FILE", help="The proxy's configuration: gates, bucket length.")
@click.option("--candidate", metavar="NAME", help="Only this candidate's.")
@click.option("--since", metavar="TIME", help="Pairs since then: RFC 3339, or 2h for the last two hours.")
@click.option("--until", metavar="TIME", help="Pairs before then.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def command(
    paths: tuple[str, ...],
    config: str | None,
    candidate: str | None,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> int:
    from shadowproxy.cli.reading import report_on, scope_of, snapshot_of
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.report.scope import ALL
    from shadowproxy.report.trials import lines, trials
    from shadowproxy.report.wishes import Wishes

    scope = scope_of(trial=ALL, candidate=candidate, since=since, until=until)
    found = trials(report_on(paths, Wishes(scope=scope, snapshot=snapshot_of(config), examples=False)))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        put_lines(lines(found))
    return DONE
