"""`export`: the log as Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem


@click.command(
    help="Write the log in PATH (directories or files) as Parquet files into DIR: pairs-*, bodies-* and ledger-*, for "
    "DuckDB, Spark, ClickHouse or pandas. The log stays as it is; segments that are being written are exported as far "
    "as they have come. Lines that are no records are left out and counted."
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", required=True, help="The directory; made where it is missing.")
def command(paths: tuple[str, ...], output: str) -> int:
    from shadowproxy.cli.reading import source_of, told
    from shadowproxy.pairlog.export import export
    from shadowproxy.pairlog.reader import Log

    source = source_of(paths)
    folder = Path(output)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = [*source.pairs, *source.ledgers]
    with told():
        try:
            done = export(files, folder, lambda file: click.echo(f"{file.name}", err=True), os.cpu_count() or 1)
        except FileExistsError as e:
            raise RuntimeProblem(f"{e}: expected a directory without segments of that name") from None
    log = Log(source.pairs, source.ledgers)
    unread = log.torn_lines + log.bad_lines
    click.echo(f"{done.pairs:,} pairs in {done.files:,} segments → {folder}")
    if unread:
        click.echo(f"{unread} lines were left out: {log.torn_lines} torn, {log.bad_lines} bad", err=True)
    return DONE
