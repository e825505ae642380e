"""A log compared again, by the rules of today: stored bodies in, lines with new comparisons out.

Bytes are the truth, comparison is derived (DESIGN.md §3, law 7). What a line says beside its comparisons stays: times,
outcomes, keys, slices, trials. An answer whose body is not kept whole is no longer comparable (`…_not_kept`,
`…_truncated`), whatever was found when it was; values that redaction replaced are compared as they are stored.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from shadowproxy.compare import Answer, Assessed, Rules, assess, compare, compile_rules
from shadowproxy.pairlog.names import LINES
from shadowproxy.pairlog.reader import Log
from shadowproxy.pairlog.record import comparison_record, encode
from shadowproxy.report.source import Source
from shadowproxy.settings.extensions import own_scores
from shadowproxy.settings.snapshot import Route

_DECODABLE: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_ABORTED: Final = "client_aborted"

Record = dict[str, Any]


def recompared(
    source: Source,
    routes: Sequence[Route],
    folder: Path,
    progress: Callable[[int, int], None],
    jobs: int | None = None,
    refuse: Callable[[str, str], None] = lambda name, why: None,
) -> Source:
    """The same log in `folder`, one segment of lines for each of its segments; `progress(done, all)` after each.

    `jobs` processes work at once, default one a core. `refuse(name, why)` hears of installed scores that are unusable.
    """
    own_scores(refuse)
    workers = min(jobs or os.cpu_count() or 1, len(source.pairs))
    targets = [folder / f"pairs-{number:06d}.{LINES}" for number in range(len(source.pairs))]
    done = 0
    if workers <= 1:
        for file, target in zip(source.pairs, targets, strict=True):
            _segment(file, target, tuple(routes))
            done += 1
            progress(done, len(targets))
    else:
        # Forking a process that has threads of a database is asking for a deadlock.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            work = pool.map(_segment, source.pairs, targets, [tuple(routes)] * len(targets))
            for _ in work:
                done += 1
                progress(done, len(targets))
    return Source(source.paths, tuple(targets), source.ledgers)


def _segment(file: Path, target: Path, routes: tuple[Route, ...]) -> None:
    scores = own_scores(lambda name, why: None)  # a process loads its own: functions do not travel
    by_name = {route.name: compile_rules(route, scores) for route in routes}
    with target.open("wb") as out:
        for record in Log([file], []).pairs():
            out.write(encode(again(record, by_name)) + b"\n")


def again(record: Record, rules: Mapping[str, Rules]) -> Record:
    """The record with its comparisons made anew. A route that is not there any more leaves them as they were."""
    route = rules.get(str(record.get("route")))
    request = record.get("request")
    if route is None or not isinstance(request, dict):
        return record
    asked = (str(request.get("method")), str(request.get("target")))
    production = _assessed(route, asked, record.get("production"), None)
    if production is None:
        return record
    made = {**record, "protocol": production.protocol, "production": _judged(record["production"], production)}
    for side, part in (("shadow", "comparison"), ("twin", "noise")):
        other = _assessed(route, asked, record.get(side), production)
        if other is not None:
            made[side] = _judged(record[side], other)
            made[part] = _compared(route, production, other, side, record.get(part))
    return made


def _judged(exchange: Record, assessed: Assessed) -> Record:
    return {**exchange, "bad": assessed.bad}


def _compared(rules: Rules, production: Assessed, other: Assessed, key: str, before: Any) -> Record:
    known = before if isinstance(before, dict) else {}
    return comparison_record(
        compare(rules, production, other, key).as_dict(key),
        key,
        known.get("latency_ms_difference"),
        bool(known.get("censored")),
    )


def _assessed(rules: Rules, asked: tuple[str, str], exchange: Any, like: Assessed | None) -> Assessed | None:
    """None where there was no exchange."""
    if not isinstance(exchange, dict) or not exchange.get("outcome"):
        return None
    headers = tuple((str(name), str(value)) for name, value in exchange.get("headers") or ())
    answer = Answer(
        complete=exchange["outcome"] == "complete",
        status=int(exchange.get("status") or 0),
        headers=headers,
        body=_body(exchange, headers),
        truncated=bool(exchange.get("body_truncated")),
        aborted=exchange["outcome"] == _ABORTED,
    )
    return assess(rules, *asked, answer, like)


def _body(exchange: Record, headers: Sequence[tuple[str, str]]) -> bytes | None:
    """Without its content coding, as comparison wants it; None where it is not kept."""
    body = exchange.get("body")
    if not isinstance(body, str):
        return b"" if not exchange.get("body_bytes") else None
    if exchange.get("body_encoding") != "base64":
        return body.encode()
    codings = ",".join(value for name, value in headers if name.lower() == "content-encoding")
    known = all(part.strip().lower() in _DECODABLE for part in codings.split(","))
    return b64decode(body) if known else None
