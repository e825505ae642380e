"""`sample NAME PERCENT`: how much a candidate sees."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, name_in_path


@click.command(
    help="Set the share of requests that a candidate gets a copy of: 10%, or 0.1. A smaller sample lies inside a "
    "larger one, and the trial goes on."
)
@click.argument("name", metavar="NAME")
@click.argument("share", metavar="PERCENT")
@admin_option
def command(name: str, share: str, admin: str) -> int:
    from shadowproxy.report.words import percent

    made = Remote(admin).done("PATCH", f"/candidates/{name_in_path(name)}", {"sample": share})
    click.echo(f"{made['name']} gets {percent(made['sample'])} of the requests")
    return DONE
