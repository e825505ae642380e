"""`rollback`: back to the former production."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, in_force


@click.command(help="End the canary ramp under way; without one, undo the newest promotion. At once, in every worker.")
@click.option("--reason", metavar="TEXT", help="Kept in the history.")
@admin_option
def command(reason: str | None, admin: str) -> int:
    remote = Remote(admin)
    told = remote.done("POST", "/rollback", {"reason": reason})
    click.echo(f"{remote.get('/status')['production']['name']} answers ({in_force(told)})")
    return DONE
