"""`pause [NAME]`: the kill switch."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option


@click.command(
    help="Send no copies any more, to NAME or to any candidate: in force in every worker within a second, over "
    "restarts too, until `resume`. NAME may be `twin`. A canary ramp of a candidate that is paused ends."
)
@click.argument("name", metavar="[NAME]", required=False)
@admin_option
def command(name: str | None, admin: str) -> int:
    told = Remote(admin).done("POST", "/pause", {"candidate": name})
    click.echo(f"{name or 'every candidate'} is paused")
    for problem in told.get("pending", ()):
        click.echo(f"not yet settled: {problem}", err=True)
    return DONE
