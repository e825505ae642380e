"""`promote NAME`: the candidate becomes production."""

from __future__ import annotations

from typing import Any

import click

from shadowproxy.cli.errors import DONE, FAILED, UsageProblem
from shadowproxy.cli.remote import Remote, admin_option, in_force


@click.command(
    help="Let NAME answer in production's place, in every worker at once and without a failed request. Refused "
    "(exit 1) unless its trial's verdict is PASS. The former production stays as a candidate, so that "
    "`rollback` is instant. With --ramp, a rising share of users is answered by NAME first, and it is rolled "
    "back by itself on FAIL."
)
@click.argument("name", metavar="NAME")
@click.option("--force", metavar="REASON", help="Promote whatever the verdict says; the reason is kept.")
@click.option("--ramp", metavar="SHARES", help="Rising shares of users, as 1%,10%,50%,100%.")
@click.option("--hold", metavar="DURATION", default="5m", show_default=True, help="How long each share is held.")
@admin_option
def command(name: str, force: str | None, ramp: str | None, hold: str, admin: str) -> int:
    if force is not None and not force.strip():
        raise UsageProblem("--force: expected the reason, which is kept; there was none")
    body: dict[str, Any] = {"candidate": name, "force": force}
    if ramp is not None:
        body["ramp"] = {"steps": [share.strip() for share in ramp.split(",")], "hold": hold}
    remote = Remote(admin)
    said = remote.ask("POST", "/promote", body)
    if said.status == 409:
        click.echo(said.sentence, err=True)
        if isinstance(said.body, dict) and said.body.get("headline"):
            click.echo(said.body["headline"], err=True)
        return FAILED
    told = said.body if said.is_done else remote.done("POST", "/promote", body)
    if ramp is None:
        click.echo(f"{name} answers now ({in_force(told)}); `shadowproxy rollback` undoes it")
    else:
        click.echo(f"{name} begins to answer users; `shadowproxy status` shows the ramp, `rollback` ends it")
    return DONE
