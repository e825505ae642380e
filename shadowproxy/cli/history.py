"""`history`: who answered users since when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, json_option


@click.command(help="Promotions and rollbacks, the newest first: when, from what to what, on what evidence, by whom.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many lines.")
@admin_option
@json_option
def command(limit: int, admin: str, as_json: bool) -> int:
    from shadowproxy.cli.screen import put

    told = Remote(admin).get(f"/history?limit={limit}")
    put(json.dumps(told, indent=2) + "\n" if as_json else "".join(f"{line}\n" for line in lines(told)))
    return DONE


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    from shadowproxy.cli.columns import columns
    from shadowproxy.report.words import duration, percent

    if not told["items"]:
        yield "Nothing was promoted yet."
        return
    yield from columns(
        ("WHEN", "WHAT", "FROM", "TO", "VERDICT", "PAIRS", "BY", ""), [_row(one) for one in told["items"]]
    )
    median, undone = told["median_time_to_verdict_s"], told["share_rolled_back"]
    yield (
        f"{told['deployments_per_month']:.3g} deployments a month · "
        f"{'no verdict was timed' if median is None else f'{duration(median)} to a verdict (median)'} · "
        f"{percent(undone)} rolled back"
    )


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    remarks = [
        f"forced: {one['forced']}" if one.get("forced") else "",
        f"rolled back {one['rolled_back']}" if one.get("rolled_back") else "",
        f"because {one['reason']}" if one.get("reason") else "",
        f"{one['share'] * 100:.4g} % of users" if one.get("share") else "",
    ]
    return (
        one["at"],
        one["action"].replace("_", " "),
        one["from"],
        one["to"],
        one.get("verdict") or "–",
        "–" if one.get("pairs") is None else f"{one['pairs']:,}",
        one["by"],
        " · ".join(remark for remark in remarks if remark),
    )
