"""`restart NAME`: a new trial."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, name_in_path


@click.command(
    help="Begin a candidate's trial anew: what was seen of it so far is no longer judged, and stays in the log."
)
@click.argument("name", metavar="NAME")
@admin_option
def command(name: str, admin: str) -> int:
    made = Remote(admin).done("POST", f"/candidates/{name_in_path(name)}/restart")
    click.echo(f"{name}'s new trial is {made['trial']}")
    return DONE
