"""`tail`: pairs as they come."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from shadowproxy.cli.errors import DONE

_LOOK_S = 0.25


@click.command(
    help="Print the log's last pairs in PATH (default ./shadow-pairs), one a line, and then each new one as it comes, "
    "until Ctrl-C. Reads active segments only: those that are lines."
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--different", is_flag=True, help="Only pairs whose answers differ or cannot be compared.")
@click.option("--candidate", metavar="NAME", help="Only this candidate's.")
@click.option("--route", metavar="NAME", help="Only pairs of this route.")
@click.option(
    "-n",
    "lines",
    metavar="N",
    type=click.IntRange(0, 100_000),
    default=10,
    show_default=True,
    help="Begin with the last N of these.",
)
@click.option("--no-follow", is_flag=True, help="Stop after those.")
@click.option("--json", "as_json", is_flag=True, help="Each pair as it lies in the log, a JSON object a line.")
def command(
    paths: tuple[str, ...],
    different: bool,
    candidate: str | None,
    route: str | None,
    lines: int,
    no_follow: bool,
    as_json: bool,
) -> int:
    from pathlib import Path

    from shadowproxy.cli.reading import source_of
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.pairlog.follow import Follower
    from shadowproxy.report.tail import departs, line

    source = source_of(paths)

    def is_wanted(pair: dict[str, Any]) -> bool:
        return (
            (departs(pair) or not different)
            and candidate in (None, pair.get("candidate"))
            and route in (None, pair.get("route"))
        )

    follower = Follower([Path(path) for path in source.paths], lines, is_wanted)
    try:
        while True:
            for pair in follower.new():
                if as_json:
                    click.echo(json.dumps(pair, ensure_ascii=False, separators=(",", ":")))
                else:
                    put_lines([line(pair)])
            if no_follow:
                return DONE
            time.sleep(_LOOK_S)
    finally:
        follower.close()
