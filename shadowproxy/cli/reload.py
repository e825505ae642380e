"""`reload`: the file is read again."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, in_force


@click.command(
    help="Let a running proxy read its configuration again, as SIGHUP does: a valid file takes effect in every "
    "process without a lost request, an invalid one changes nothing (exit 2). What operators changed stays, "
    "but for keys that the file has changed itself."
)
@click.option("--reset", is_flag=True, help="Forget what operators changed.")
@admin_option
def command(reset: bool, admin: str) -> int:
    told = Remote(admin).done("POST", "/reload", {"reset": reset})
    click.echo(in_force(told))
    for key in told["settled"]:
        click.echo(f"{key} is what the file says again")
    return DONE
