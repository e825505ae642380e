"""`resume [NAME]`: copies again."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option


@click.command(help="Send copies again, to NAME (which may be `twin`) or to all; the trial goes on.")
@click.argument("name", metavar="[NAME]", required=False)
@admin_option
def command(name: str | None, admin: str) -> int:
    Remote(admin).done("POST", "/resume", {"candidate": name})
    click.echo(f"{name or 'every candidate'} gets copies again")
    return DONE
