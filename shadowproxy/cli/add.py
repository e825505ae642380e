"""`add NAME=URL`: another candidate, while traffic runs."""

from __future__ import annotations

from typing import Any

import click

from shadowproxy.cli.errors import DONE, UsageProblem
from shadowproxy.cli.remote import Remote, admin_option


@click.command(
    help="Add a candidate to a running proxy. It stays over restarts until `remove`; a file that names it takes over."
)
@click.argument("candidate", metavar="NAME=URL")
@click.option("--sample", metavar="PERCENT", help="The share of requests that is copied (100%).")
@click.option("--version", metavar="TEXT", help="Git sha, image digest or model version.")
@click.option("--expect", metavar="same|similar|different", help="What is expected of it (similar).")
@admin_option
def command(candidate: str, sample: str | None, version: str | None, expect: str | None, admin: str) -> int:
    name, equals, url = candidate.partition("=")
    if not equals or not name or not url:
        raise UsageProblem(f"expected NAME=URL as in v2=http://127.0.0.1:9002, there was {candidate}")
    given = {"sample": sample, "version": version, "expect": expect}
    body: dict[str, Any] = {"name": name, "url": url, **{key: text for key, text in given.items() if text is not None}}
    made = Remote(admin).done("POST", "/candidates", body)
    click.echo(f"{made['name']} gets copies at {made['url']}; its trial is {made['trial']}")
    return DONE
