"""`remove NAME`: one candidate less."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, name_in_path


@click.command(help="Take a candidate out of a running proxy. What was logged of it stays in the log.")
@click.argument("name", metavar="NAME")
@admin_option
def command(name: str, admin: str) -> int:
    Remote(admin).done("DELETE", f"/candidates/{name_in_path(name)}")
    click.echo(f"{name} gets no copies any more")
    return DONE
