"""`replay`: logged requests to another upstream."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadowproxy.cli.errors import DONE, INCONCLUSIVE, UsageProblem

if TYPE_CHECKING:
    from shadowproxy.replay.run import Done


@click.command(
    help="Send the requests logged in PATH to another upstream, and write a new log: its answers beside those that "
    "production gave then. The pairs say `replay` and have a trial of their own. Requests whose bodies were withheld, "
    "cut off or not kept cannot be sent; they are skipped and counted. Without --rate and --speed the next request "
    "leaves as soon as one of the --concurrency is answered."
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--to", metavar="NAME=URL", required=True, help="Where they go; a NAME of -c FILE has its settings.")
@click.option("--twin", metavar="URL", help="A second copy of production that gets them too: the noise.")
@click.option("--rate", metavar="N", type=click.FloatRange(min=0, min_open=True), help="So many requests a second.")
@click.option("--speed", metavar="X", type=click.FloatRange(min=0, min_open=True), help="X times as fast as they came.")
@click.option("--concurrency", metavar="N", type=click.IntRange(1, 10_000), default=8, show_default=True,
              help="At most so many at once.")  # fmt: skip
@click.option("--pairs", metavar="DIR", default="./shadow-replay", show_default=True, help="The new log's directory.")
@click.option("-c", "--config", metavar="FILE", help="The proxy's configuration: comparison, rewriting, redaction.")
def command(
    paths: tuple[str, ...],
    to: str,
    twin: str | None,
    rate: float | None,
    speed: float | None,
    concurrency: int,
    pairs: str,
    config: str | None,
) -> int:
    import asyncio

    from shadowproxy.cli.reading import source_of, tell_unusable
    from shadowproxy.pairlog.reader import Log
    from shadowproxy.recorder.plan import compile_plan
    from shadowproxy.recorder.secret import redaction_key
    from shadowproxy.replay.requests import requests
    from shadowproxy.replay.run import Pace, Replay
    from shadowproxy.replay.settings import snapshot_for
    from shadowproxy.settings.extensions import own_scores

    if rate is not None and speed is not None:
        raise UsageProblem("--rate and --speed: expected one of them")
    name, _, url = to.partition("=")
    if not name or not url:
        raise UsageProblem(f"--to {to}: expected NAME=URL as in v3=http://127.0.0.1:9004")
    if any(Path(pairs).glob("pairs-*")):
        raise UsageProblem(f"--pairs {pairs}: expected a directory without a log, a replay writes one of its own")
    source = source_of(paths)
    log = Log(source.pairs, source.ledgers)
    first = next(log.pairs(), None)
    if first is None:
        click.echo(f"no pairs in {source.named}: nothing to replay", err=True)
        return INCONCLUSIVE
    snapshot = snapshot_for(config, to, twin, pairs, first)
    key = redaction_key(snapshot.pairs.redact.key, snapshot.state if config else "").key
    plan = compile_plan(snapshot, snapshot.pairs, key, own_scores(tell_unusable))
    with _progress(lambda: sum(1 for _ in requests(log.pairs()))) as progress:
        replay = Replay(plan, Pace(rate, speed, concurrency), progress)
        done = asyncio.run(replay.run(requests(log.pairs())))
    _tell(done, snapshot.candidates[0].name, pairs)
    return DONE if done.logged else INCONCLUSIVE


@contextmanager
def _progress(total: Callable[[], int]) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=total())
        yield lambda done: bar.update(task, completed=done.logged + sum(done.skipped.values()))


def _tell(done: Done, name: str, folder: str) -> None:
    from shadowproxy.core.outcome import COMPLETE, OUTCOMES
    from shadowproxy.replay.run import is_behind

    click.echo(f"{done.logged:,} of {done.requests:,} requests replayed to {name} → {folder}")
    troubles = [f"{count:,} {OUTCOMES[code]}" for code, count in done.outcomes.most_common() if code != COMPLETE]
    if troubles:
        click.echo("not answered: " + ", ".join(troubles))
    if done.skipped:
        click.echo("skipped: " + ", ".join(f"{count:,} {why}" for why, count in done.skipped.most_common()))
    if is_behind(done):
        click.echo(f"it fell {done.behind_s:.1f} s behind its pace: raise --concurrency or lower the pace", err=True)
    if done.logged:
        click.echo(f"next: shadowproxy report {folder}", err=True)
