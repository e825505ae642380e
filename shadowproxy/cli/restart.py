"""`restart NAME`: a new trial."""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE, UsageProblem
from shadowproxy.cli.remote import Remote, admin_option, in_force, name_in_path


@click.command(
    help="Begin a candidate's trial anew: what was seen of it so far is no longer judged, and stays in the log."
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--workers", is_flag=True, help="Instead: replace the proxy's worker processes, one by one.")
@admin_option
def command(name: str | None, workers: bool, admin: str) -> int:
    if (name is None) is not workers:
        raise UsageProblem("expected the NAME of a candidate whose trial begins anew, or --workers")
    if name is None:
        click.echo(f"every worker is a new one ({in_force(Remote(admin).done('POST', '/workers/restart'))})")
        return DONE
    made = Remote(admin).done("POST", f"/candidates/{name_in_path(name)}/restart")
    click.echo(f"{name}'s new trial is {made['trial']}")
    return DONE
