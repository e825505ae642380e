"""`forget`: remove a request from the log."""

from __future__ import annotations

from pathlib import Path

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem, UsageProblem


@click.command(
    help="Remove a request from every segment of the log in PATH (directories, default ./shadow-pairs): its pairs, and "
    "all bodies and headers. ID is a request id or one of its pairs' ids, in full; a request id that clients "
    "repeated names all of them. Works while the proxy writes the log; pairs that are not written yet are not found. "
    "Says what was removed; exits 4 when that is nothing."
)
@click.argument("arguments", metavar="[ID] [PATH]...", nargs=-1)
@click.option("--key", metavar="K", help="Remove every request with this join key instead.")
def command(arguments: tuple[str, ...], key: str | None) -> int:
    from shadowproxy.cli.reading import source_of, told
    from shadowproxy.pairlog.forget import Wanted, forget

    if key is None and not arguments:
        raise UsageProblem("expected the ID of a request, or --key K")
    wanted = Wanted(id=arguments[0]) if key is None else Wanted(key=key)
    source = source_of(arguments[1:] if key is None else arguments)
    folders = [Path(path) for path in source.paths]
    for folder in folders:
        if not folder.is_dir():
            raise UsageProblem(f"{folder}: expected a directory: a request may stand in several segments of a log")
    with told():
        try:
            removed = forget(folders, wanted)
        except TimeoutError as e:
            raise RuntimeProblem(f"{e}: run forget again when it has ended") from None
    if not removed.pairs:
        what = f"key {wanted.key}" if key is not None else f"id {wanted.id}"
        raise RuntimeProblem(f"nothing was removed: no pair in {source.named} has the {what}")
    for name, count in sorted(removed.pairs.items()):
        click.echo(f"{name}: {count:,} pairs removed")
    click.echo(f"{sum(removed.pairs.values()):,} pairs of {removed.requests:,} requests removed, with all their bodies")
    return DONE
