"""One request's lines in the log, as they were written.

Lines are read one by one, so a log that is being written can be searched; columns give their lines back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from shadowproxy.pairlog import database, restore
from shadowproxy.pairlog.database import MAX_LINE_BYTES
from shadowproxy.pairlog.reader import is_columns
from shadowproxy.report.source import Source

MOST_PAIRS: Final = 50
_SUGGESTED: Final = 5
_MEMORY_BYTES: Final = 1 << 30
_BEGINS_SO: Final = "starts_with(id, $wanted) OR starts_with(pair_id, $wanted)"

Pair = dict[str, Any]


class Unknown(Exception):
    """No pair has this id; the message is a whole sentence."""


class Ambiguous(Exception):
    """Several requests begin with this id; the message is a whole sentence."""


def pairs_of(source: Source, wanted: str) -> list[Pair]:
    """All pairs (at most MOST_PAIRS) of the request that `wanted` names: its id, one of its pair ids, or a prefix.

    A request id that clients repeated gives the pairs of every request that had it. Raises Unknown and Ambiguous.
    """
    near = list(_lines_with(source.pairs, wanted)) if wanted else []
    by_request = [pair for pair in near if pair["id"] == wanted]
    if by_request:
        return by_request[:MOST_PAIRS]
    chosen = [pair for pair in near if pair["pair_id"] == wanted] or [
        pair for pair in near if pair["pair_id"].startswith(wanted) or str(pair["id"]).startswith(wanted)
    ]
    requests = {_request(pair): str(pair["id"]) for pair in chosen}
    if not requests:
        raise Unknown(f"{wanted}: no pair in {source.named} has this request id or pair id, or one that begins so")
    if len(requests) > 1:
        some = [*list(requests.values())[:_SUGGESTED], *(["…"] if len(requests) > _SUGGESTED else [])]
        raise Ambiguous(f"{wanted}: expected one request, {len(requests)} begin so ({', '.join(some)})")
    ((request, request_id),) = requests.items()
    whole = [pair for pair in _lines_with(source.pairs, request_id) if _request(pair) == request]
    return whole[:MOST_PAIRS]


def _request(pair: Pair) -> tuple[object, ...]:
    """What tells one request from another, even when clients repeat ids."""
    src = pair.get("src")
    return tuple(src) if isinstance(src, list) else (pair["pair_id"],)


def _lines_with(files: Iterable[Path], text: str) -> Iterator[Pair]:
    """Records of pairs whose line contains `text` (in columns: whose ids begin so); the cheap search comes first."""
    needle = msgspec.json.encode(text)[1:-1]
    for file in files:
        if is_columns(file):
            with database.opened(_MEMORY_BYTES, 2) as con:
                yield from restore.records(con, file, _BEGINS_SO, {"wanted": text})
            continue
        with file.open("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES):
                if needle in line and (pair := _record(line)) is not None:
                    yield pair


def _record(line: bytes) -> Pair | None:
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_pair = isinstance(record, dict) and record.get("kind") == "pair"
    return record if is_pair and isinstance(record.get("pair_id"), str) and "id" in record else None
