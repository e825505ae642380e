"""`wait NAME`: until the verdict is there."""

from __future__ import annotations

import time
from typing import Final

import click

from shadowproxy.cli.errors import DONE, FAILED, INCONCLUSIVE, RuntimeProblem, UsageProblem
from shadowproxy.cli.remote import Remote, admin_option, name_in_path

LOOK_S: Final = 2.0
_CODES: Final = {"PASS": DONE, "FAIL": FAILED}


@click.command(
    help="Follow the live verdict of a candidate until it is decided: exit 0 for PASS, 1 for FAIL, 3 at the "
    "deadline. For a pipeline, also on another machine. Its headline goes to stdout, what changes meanwhile "
    "to stderr."
)
@click.argument("name", metavar="NAME")
@click.option("--timeout", metavar="DURATION", default="2h", show_default=True, help="How long to wait at most.")
@admin_option
def command(name: str, timeout: str, admin: str) -> int:
    from shadowproxy.cli.screen import put
    from shadowproxy.report.words import plain
    from shadowproxy.settings.units import parse_duration

    try:
        deadline = time.monotonic() + parse_duration(timeout)
    except ValueError as e:
        raise UsageProblem(f"--timeout: {e}") from None
    remote, told = Remote(admin), ""
    while True:
        headline, verdict = _look(remote, name)
        if verdict in _CODES:
            put(plain(headline, 500) + "\n")
            return _CODES[verdict]
        left = deadline - time.monotonic()
        if left <= 0:
            put(plain(headline, 500) + "\n")
            return INCONCLUSIVE
        if headline and headline != told:
            told = headline
            click.echo(plain(headline, 500), err=True)
        time.sleep(min(LOOK_S, left))


def _look(remote: Remote, name: str) -> tuple[str, str | None]:
    """The headline and the verdict. A proxy that is away for a moment (its admin process restarts) is no end."""
    try:
        record = remote.get(f"/candidates/{name_in_path(name)}/verdict")
    except RuntimeProblem as e:
        return str(e), None
    return record.get("headline") or f"{name} has not been judged yet.", record.get("verdict")
