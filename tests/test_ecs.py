"""Events and pairs in the Elastic Common Schema."""

from __future__ import annotations

import json
from pathlib import Path

from shadowproxy import ecs
from tests.support.pairs import PairLog


def test_an_event_stands_where_ecs_wants_it_and_what_is_ours_apart() -> None:
    record = ecs.event(
        {"ts": "2026-03-01T14:00:00Z", "level": "warning", "process": "worker", "event": "worker.ended", "slot": 1}
    )
    assert record["@timestamp"] == "2026-03-01T14:00:00Z"
    assert record["log.level"] == "warning"
    assert record["message"] == record["event"]["action"] == "worker.ended"
    assert record["ecs"]["version"] == "8.11.0"
    assert record["process"]["name"] == "worker"
    assert record["shadowproxy"] == {"slot": 1}


def test_a_traceback_is_the_error_s_and_a_library_s_words_are_the_message() -> None:
    record = ecs.event(
        {
            "ts": "t",
            "level": "error",
            "process": "admin",
            "event": "aiohttp.server",
            "message": "slow",
            "exception": "T",
        }
    )
    assert record["message"] == "aiohttp.server slow"
    assert record["error"] == {"stack_trace": "T"}
    assert "shadowproxy" not in record


def test_a_pair_is_an_event_with_production_s_answer_and_the_whole_line(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(request={"method": "POST", "target": "/predict?a=1", "body_bytes": 8})
    line = log.pairs[0].encode()
    record = json.loads(ecs.pair(line))
    assert record["shadowproxy"]["pair"] == json.loads(line)
    assert record["@timestamp"] == "2026-03-01T14:00:00.000000Z"
    assert record["url"] == {"path": "/predict", "query": "a=1"}
    assert record["http"]["request"]["id"] == "request-1"
    assert record["http"]["response"]["status_code"] == 200
    assert record["event"]["duration"] == 11_000_000
    assert record["message"] == "v2 same"
