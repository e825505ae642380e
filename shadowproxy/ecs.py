"""Elastic Common Schema: log events and pairs as Logstash, Elasticsearch and Kibana know them.

Fields that ECS names stand where it wants them, nested; everything of ours lies under `shadowproxy`, so that no mapping
of somebody else's index is touched. (ECS field reference 8.11: base, log, event, service, process, error, http, url.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import orjson

from shadowproxy import __version__

VERSION: Final = "8.11.0"
PLAIN, ECS = "plain", "ecs"


def event(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of a log event as `logs` makes it: `ts`, `level`, `process`, `event`, maybe `exception`, and the event's own."""
    own = {name: value for name, value in fields.items() if name not in _KNOWN}
    record: dict[str, Any] = {
        "@timestamp": fields["ts"],
        "log.level": fields["level"],
        "message": " ".join(str(fields[name]) for name in ("event", "message") if name in fields),
        "ecs": {"version": VERSION},
        "event": {"dataset": "shadowproxy.log", "action": fields["event"], "kind": "event"},
        "service": {"name": "shadowproxy", "version": __version__},
        "process": {"pid": os.getpid(), "name": fields.get("process", "")},
    }
    if "exception" in fields:
        record["error"] = {"stack_trace": fields["exception"]}
    return {**record, "shadowproxy": own} if own else record


_KNOWN: Final = frozenset({"ts", "level", "process", "event", "message", "exception"})


def pair(line: bytes) -> bytes:
    """Of a line of the pair log, which lies whole under `shadowproxy.pair`. `event.duration` is production's, in ns."""
    record = orjson.loads(line)
    request, production = record["request"], record["production"]
    path, _, query = request["target"].partition("?")
    total_ms = (production["timing_ms"] or {}).get("total")
    head: dict[str, Any] = {
        "@timestamp": record["ts"],
        "log.level": "info",
        "message": f"{record['candidate']} {record['comparison']['result']}",
        "ecs": {"version": VERSION},
        "event": {
            "dataset": "shadowproxy.pair",
            "kind": "event",
            "category": ["web"],
            "id": record["pair_id"],
            "duration": None if total_ms is None else round(total_ms * 1e6),
        },
        "service": {"name": "shadowproxy", "version": __version__},
        "http": {
            "request": {"id": record["id"], "method": request["method"], "body": {"bytes": request["body_bytes"]}},
            "response": {"status_code": production["status"], "body": {"bytes": production["body_bytes"]}},
        },
        "url": {"path": path, **({"query": query} if query else {})},
    }
    return orjson.dumps(head)[:-1] + b',"shadowproxy":{"pair":' + line.rstrip(b"\n") + b"}}"
