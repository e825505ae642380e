"""`bench`: open-loop load, and latency that counts from when each request was due."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shadowproxy.cli.errors import DONE, FAILED, RuntimeProblem, UsageProblem

if TYPE_CHECKING:
    import ssl

    from shadowproxy.bench.address import Address
    from shadowproxy.bench.bodies import Body
    from shadowproxy.bench.plan import Plan
    from shadowproxy.bench.result import Result
    from shadowproxy.bench.threshold import Check, Threshold


@click.command(
    help="Offer load to each URL and say how long answers took. Requests are due at a constant rate; latency counts "
    "from when a request was due, so that a server that stalls is charged for every request that it made wait. Several "
    "URLs take turns, and each is compared with the first. Exits 1 when a --threshold is missed, 4 when a URL does not "
    "answer."
)
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@click.option(
    "--rate", metavar="N|max", default="100", show_default=True, help="Requests per second; max: as answers come."
)
@click.option("--duration", metavar="TIME", default="10s", show_default=True, help="For each URL, after the warm-up.")
@click.option("--warmup", metavar="TIME", default="1s", show_default=True, help="Load ahead that is not reported.")
@click.option("--connections", metavar="N", type=click.IntRange(1, 60_000), default=32, show_default=True)
@click.option("--timeout", metavar="TIME", default="10s", show_default=True, help="For one answer.")
@click.option("--method", metavar="NAME", help="Default: POST with a body, GET without.")
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="Repeatable.")
@click.option("--body", metavar="PATH", help="A file, or a pair log, whose requests' bodies take turns.")
@click.option("--insecure", is_flag=True, help="Do not verify the certificate of an https URL.")
@click.option("--threshold", "thresholds", metavar="EXPR", multiple=True, help="Such as 'p99<=20ms'. Repeatable.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write the result there instead of to stdout.")
def command(
    urls: tuple[str, ...],
    rate: str,
    duration: str,
    warmup: str,
    connections: int,
    timeout: str,
    method: str | None,
    headers: tuple[str, ...],
    body: str | None,
    insecure: bool,
    thresholds: tuple[str, ...],
    form: str,
    output: str | None,
) -> int:
    from shadowproxy.bench import address, threshold
    from shadowproxy.bench.plan import Plan
    from shadowproxy.bench.result import result
    from shadowproxy.bench.turns import NoAnswer

    try:
        limits = [threshold.parse(each) for each in thresholds]
        addresses = [address.parse(url) for url in urls]
    except (threshold.ThresholdError, address.AddressError) as e:
        raise UsageProblem(str(e)) from None
    bodies = _bodies(body)
    given = _headers(headers)
    settings: dict[str, Any] = {
        "rate_per_s": _rate(rate),
        "duration_s": _seconds("--duration", duration),
        "warmup_s": _seconds("--warmup", warmup, allow_zero=True),
        "timeout_s": _seconds("--timeout", timeout),
        "connections": connections,
        "tls": _tls(insecure) if any(each.tls for each in addresses) else None,
    }
    settings["grace_s"] = settings["timeout_s"]
    plans = [Plan(each, _requests(each, method, given, bodies), **settings) for each in addresses]
    try:
        found = result(plans, _offer(plans))
    except NoAnswer as e:
        raise RuntimeProblem(str(e)) from None
    checks = [each for limit in limits for each in threshold.check(limit, found)]
    _put(found, checks, form, output)
    _say_missed(limits, checks)
    return DONE if all(each.is_met for each in checks) else FAILED


def _offer(plans: Sequence[Plan]) -> Any:
    import asyncio
    import gc

    import uvloop

    from shadowproxy.bench.progress import Bar
    from shadowproxy.bench.turns import take_turns
    from shadowproxy.supervisor.files import raise_limit

    raise_limit()
    # Nothing here makes cycles for each request, and a collection would delay the requests that are due meanwhile.
    gc.freeze()
    gc.disable()
    try:
        with Bar() as bar, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(take_turns(plans, bar))
    finally:
        gc.enable()
        gc.unfreeze()


def _rate(text: str) -> float | None:
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e6:
        raise UsageProblem(f"--rate: expected requests per second, at most a million, or max; there was {text!r}")
    return rate


def _seconds(option: str, text: str, *, allow_zero: bool = False) -> float:
    from shadowproxy.settings.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as e:
        raise UsageProblem(f"{option}: {e}") from None
    if not seconds and not allow_zero:
        raise UsageProblem(f"{option}: expected more than {text}")
    return seconds


def _headers(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, colon, value = each.partition(":")
        if not colon or not name.strip() or not each.isprintable():
            raise UsageProblem(f"--header: expected 'NAME: VALUE', there was {each!r}")
        if name.strip().lower() in ("content-length", "transfer-encoding", "connection"):
            raise UsageProblem(f"--header: {name.strip()} is set by what is sent")
        found[name.strip()] = value.strip()
    return found


def _bodies(path: str | None) -> list[Body]:
    from shadowproxy.bench import bodies

    if path is None:
        return [bodies.Body(b"", None)]
    try:
        return bodies.read(Path(path))
    except bodies.BodiesError as e:
        raise UsageProblem(f"--body {e}") from None
    except OSError as e:
        raise RuntimeProblem(f"--body {path}: {e.strerror or e}") from None


def _requests(address: Address, method: str | None, headers: dict[str, str], bodies: Sequence[Body]) -> list[bytes]:
    from shadowproxy.bench.plan import request_bytes

    def one(body: Body) -> bytes:
        verb = method or ("POST" if body.data else "GET")
        mine = dict(headers)
        if body.content_type and not any(name.lower() == "content-type" for name in headers):
            mine["Content-Type"] = body.content_type
        return request_bytes(verb, address.target, address.authority, body.data, mine)

    try:
        return [one(body) for body in bodies]
    except UnicodeEncodeError as e:
        raise UsageProblem(f"--header: expected signs of Latin-1, there was {e.object[e.start]!r}") from None


def _tls(insecure: bool) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _put(found: Result, checks: Sequence[Check], form: str, output: str | None) -> None:
    from shadowproxy.cli.screen import put

    text = _rendered(found, checks, form)
    if output is not None:
        Path(output).write_text(text, encoding="utf-8")
    else:
        put(text)


def _rendered(found: Result, checks: Sequence[Check], form: str) -> str:
    if form == "html":
        from shadowproxy.bench.html import page

        return page(found, checks)
    if form == "json":
        import json
        from dataclasses import asdict

        from shadowproxy.bench.result import VERSION

        record = {"v": VERSION, **asdict(found), "hints": found.hints, "thresholds": [asdict(each) for each in checks]}
        return json.dumps(record, indent=2) + "\n"
    from shadowproxy.bench.text import lines

    return "\n".join(lines(found, checks)) + "\n"


def _say_missed(limits: Sequence[Threshold], checks: Sequence[Check]) -> None:
    missed = [each for each in checks if not each.is_met]
    if missed:
        from shadowproxy.bench.text import value

        named = "; ".join(f"{each.expression} at {each.url}, found {value(each)}" for each in missed)
        click.echo(f"{len(missed)} of {len(checks)} thresholds missed: {named}", err=True)
