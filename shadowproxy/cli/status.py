"""`status`: what a running proxy is doing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from shadowproxy.cli.errors import DONE
from shadowproxy.cli.remote import Remote, admin_option, json_option


@click.command(
    help="Tell what a running proxy is doing: whether it is ready, who answers, each candidate with its verdict, "
    "and what operators have changed since the file was read."
)
@admin_option
@json_option
def command(admin: str, as_json: bool) -> int:
    from shadowproxy.cli.screen import put

    told = Remote(admin).get("/status")
    put(json.dumps(told, indent=2) + "\n" if as_json else "".join(f"{line}\n" for line in lines(told)))
    return DONE


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    from shadowproxy.cli.candidates import table
    from shadowproxy.report.words import duration, percent, plain

    state = "draining" if told["draining"] else "ready" if told["ready"] else f"not ready: {'; '.join(told['reasons'])}"
    yield (
        f"shadowproxy {told['version']} · {plain(state)} · up {duration(told['uptime_s'])} "
        f"· generation {told['generation']}"
    )
    production = told["production"]
    answered = f"{told['requests']:,} request" + ("s" if told["requests"] != 1 else "")
    yield f"{plain(production['name'])} answers at {', '.join(production['urls'])} · {answered}"
    ramp = told["ramp"]
    if ramp:
        step = f"step {ramp['step'] + 1} of {len(ramp['steps'])}, since {ramp['since']}"
        yield f"Ramp: {plain(ramp['candidate'])} answers {percent(ramp['share'])} of the users ({step})"
    yield from table(told["candidates"])
    children = [*(("worker", worker) for worker in told["workers"]), ("recorder", told["recorder"])]
    for role, child in children:
        if child and child["state"] != "ready":
            yield f"A {role} is {child['state']}: {plain(child['last_exit'] or 'it has not said why')}"
    yield from drift_lines(told["drift"])


def drift_lines(drift: list[Mapping[str, Any]]) -> Iterator[str]:
    from shadowproxy.report.words import plain

    if drift:
        yield "Changed since, and not in the file:"
    for one in drift:
        was, now = (_spelled(one[side]) for side in ("file", "running"))
        yield f"  {plain(one['key'])}: {plain(was)} → {plain(now)}  ({plain(one['by'])}, {plain(one['at'])})"


def _spelled(value: object) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
