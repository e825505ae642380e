"""One request's pairs side by side on a terminal: what was asked, how each side answered, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from shadowproxy.report.find import Pair
from shadowproxy.report.words import NOTHING, milliseconds, plain

BODY_LINES: Final = 40
BODY_SIGNS: Final = 4000
_PRETTY_UP_TO: Final = 1 << 20
_DIFFERENCES: Final = 20
_RULE: Final = "─" * 90
_TITLE, _COLUMN = 18, 24
_LATENCY: Final = ("total", "sent", "stalled")

Line = tuple[str, str]
Side = tuple[str, Mapping[str, Any]]  # (heading, exchange)


def lines(pairs: Sequence[Pair]) -> Iterator[Line]:
    """Every pair after the request that it belongs to; requests in the order of the log."""
    shown: object = None
    for pair in pairs:
        if pair.get("src") != shown or shown is None:
            shown = pair.get("src")
            yield from _request(pair)
        yield from _pair(pair)


def _request(pair: Pair) -> Iterator[Line]:
    request = _mapping(pair.get("request"))
    yield "bold", f"{plain(request.get('method'))} {plain(request.get('target'))}"
    yield "", f"request {plain(pair['id'])} · {plain(pair.get('ts'))} · route {plain(pair.get('route'))}"
    if pair.get("key") not in (None, pair["id"]):
        yield "", f"key {plain(pair['key'])}"
    for name, value in _mapping(pair.get("slices")).items():
        yield "", f"slice {plain(name)} = {plain(value)}"
    yield from _body("Request", request)
    yield "", ""


def _pair(pair: Pair) -> Iterator[Line]:
    sides = _sides(pair)
    yield "dim", _RULE
    yield "bold", f"{plain(pair.get('candidate'), 40)} instead of {sides[0][0]}: {_result(pair)}"
    yield "dim", f"pair {plain(pair['pair_id'])} · trial {plain(pair.get('trial'))}{_remarks(pair)}"
    yield "bold", _row("", [heading for heading, _ in sides])
    for title, cell in _CELLS.items():
        yield "", _row(title, [cell(exchange) for _, exchange in sides])
    for heading, exchange in sides:
        if exchange.get("fingerprint"):
            yield "dim", f"{heading}'s answer says: {plain(exchange['fingerprint'])}"
    yield from _differences(pair, "comparison", "shadow", sides[0][0], plain(pair.get("candidate"), 22))
    yield from _differences(pair, "noise", "twin", sides[0][0], "twin")
    for heading, exchange in sides:
        yield from _body(heading, exchange)
    yield "", ""


def _sides(pair: Pair) -> list[Side]:
    """Production, the candidate, and the twin where there was one."""
    found = []
    for role in ("production", "shadow", "twin"):
        exchange = _mapping(pair.get(role))
        if exchange:
            found.append((plain(exchange.get("upstream") or role, 22), exchange))
    return found or [("production", {})]


def _result(pair: Pair) -> str:
    comparison = _mapping(pair.get("comparison"))
    result = plain(comparison.get("result"))
    if result == "incomparable":
        return f"not comparable ({plain(comparison.get('reason'))})"
    decides = _word(comparison.get("agrees"), ", decides the same", ", decides differently", "")
    return ("answers the same" if result == "same" else "answers differently") + decides


def _remarks(pair: Pair) -> str:
    warmup = " · while warming up" if pair.get("warmup") else ""
    return warmup + (" · replayed" if pair.get("origin") == "replay" else "")


def _outcome(exchange: Mapping[str, Any]) -> str:
    dropped = exchange.get("dropped")
    return f"not sent: {plain(dropped)}" if dropped else plain(exchange.get("outcome") or NOTHING, _COLUMN - 2)


def _latency(exchange: Mapping[str, Any]) -> str:
    timing = _mapping(exchange.get("timing_ms"))
    total, sent, stalled = (_number(timing.get(name)) for name in _LATENCY)
    return NOTHING if total is None or sent is None else milliseconds(max(0.0, total - sent - (stalled or 0.0)))


def _time(name: str, exchange: Mapping[str, Any]) -> str:
    return milliseconds(_number(_mapping(exchange.get("timing_ms")).get(name)))


_CELLS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "Outcome": _outcome,
    "Status": lambda exchange: plain(NOTHING if exchange.get("status") is None else exchange["status"], 20),
    "Counts as error": lambda exchange: _word(exchange.get("bad"), "yes", "no", NOTHING),
    "Sent off after": lambda exchange: _time("start", exchange),
    "First byte": lambda exchange: _time("first_byte", exchange),
    "Latency": _latency,
    "Total": lambda exchange: _time("total", exchange),
    "Answer's bytes": lambda exchange: plain(NOTHING if exchange.get("status") is None else exchange.get("body_bytes")),
    "Error": lambda exchange: plain(exchange.get("error") or NOTHING, _COLUMN - 2),
}


def _differences(pair: Pair, part: str, key: str, old: str, new: str) -> Iterator[Line]:
    comparison = _mapping(pair.get(part))
    found = comparison.get("differences")
    if not isinstance(found, list) or not found:
        return
    total = int(_number(comparison.get("differences_total")) or len(found))
    title = "Differences" if part == "comparison" else f"Noise: {old} against its copy"
    yield "bold", f"{title} ({total:,}): path, kind, {old} → {new}"
    for difference in map(_mapping, found[:_DIFFERENCES]):
        values = f"{_value(difference.get('production'))} → {_value(difference.get(key))}"
        yield "", f"  {plain(difference.get('path'), 60)}  {plain(difference.get('kind'), 10)}  {values}"
    if total > _DIFFERENCES:
        yield "dim", f"  and {total - min(len(found), _DIFFERENCES):,} more"


def _body(heading: str, side: Mapping[str, Any]) -> Iterator[Line]:
    body, encoding = side.get("body"), side.get("body_encoding")
    if body is None and encoding is None:
        return
    size = int(_number(side.get("body_bytes")) or 0)
    yield "bold", f"{heading}'s body, {size:,} bytes{' (cut off in the log)' if side.get('body_truncated') else ''}"
    if not isinstance(body, str):
        yield "dim", f"  ({plain(encoding)})"
    elif encoding == "base64":
        yield "dim", "  (binary: --json shows it as base64)"
    else:
        yield from _text(body)


def _text(body: str) -> Iterator[Line]:
    whole = _pretty(body)
    rows = whole[:BODY_SIGNS].split("\n")[:BODY_LINES]
    for row in rows:
        yield "", "  " + plain(row, BODY_SIGNS)
    left = len(whole) - len("\n".join(rows))
    if left > 0:
        yield "dim", f"  … {left:,} more characters: --json shows all"


def _pretty(body: str) -> str:
    if len(body) > _PRETTY_UP_TO:
        return body
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _value(value: object) -> str:
    return plain(json.dumps(value, ensure_ascii=False), 60)


def _row(title: str, cells: Sequence[str]) -> str:
    return (f"{title:<{_TITLE}}" + "".join(f"{cell:<{_COLUMN}}" for cell in cells)).rstrip()


def _word(value: object, yes: str, no: str, unknown: str) -> str:
    return yes if value is True else no if value is False else unknown


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
