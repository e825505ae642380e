"""`candidates`: the models under test, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, json_option


@click.command(help="List a running proxy's candidates with their sample, verdict, coverage and agreement.")
@admin_option
@json_option
def command(admin: str, as_json: bool) -> int:
    from shadowproxy.cli.screen import put

    found = Remote(admin).get("/status")["candidates"]
    put(json.dumps(found, indent=2) + "\n" if as_json else "".join(f"{line}\n" for line in table(found)))
    return DONE


def table(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of the entries of `/api/v1/status`."""
    from shadowproxy.cli.columns import columns
    from shadowproxy.report.words import percent

    if not found:
        yield "There is no candidate: requests are only passed on."
        return
    rows = [
        (
            one["name"],
            "paused" if one["paused"] else percent(one["sample"]),
            (one["verdict"] or "not judged") if one["gated"] else "not gated",
            percent(one["coverage"]),
            percent(one["agreement"]),
            f"{one['ledger'].get('logged', 0):,}",
            f"{one['in_flight']:,}",
            one["url"],
        )
        for one in found
    ]
    titles = ("CANDIDATE", "SAMPLE", "VERDICT", "COVERAGE", "AGREES", "PAIRS", "IN FLIGHT", "URL")
    yield from columns(titles, rows)
