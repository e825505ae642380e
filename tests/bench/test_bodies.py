"""Bodies come from a file as it is, or from the requests of a pair log, whole ones only and once each."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.bench import bodies
from shadowproxy.bench.bodies import BodiesError, Body


def _pair(id_: str, candidate: str, **request: Any) -> str:
    whole = {"headers": [["Content-Type", "text/csv"]], "body": "a,b", "body_encoding": "utf8", "body_truncated": False}
    record = {"v": 1, "kind": "pair", "id": id_, "ts": "t", "candidate": candidate, "request": {**whole, **request}}
    return json.dumps(record) + "\n"


def test_a_file_is_one_body_and_json_says_so(tmp_path: Path) -> None:
    for data, expected in ((b' {"x": 1}\n', "application/json"), (b"\x00\xff", None)):
        file = tmp_path / "body"
        file.write_bytes(data)
        assert bodies.read(file) == [Body(data, expected)]


def test_a_log_gives_each_request_s_body_once(tmp_path: Path) -> None:
    raw = base64.b64encode(b"\xff\x00").decode()
    lines = [
        _pair("1", "v2"),
        _pair("1", "v3"),
        _pair("2", "v2", body=raw, body_encoding="base64", headers=[["content-type", "image/png"]]),
        _pair("3", "v2", body_truncated=True),
        _pair("4", "v2", body=None, body_encoding="withheld"),
        _pair("5", "v2", body="é", headers=[]),
    ]
    (tmp_path / "pairs-1.jsonl").write_text("".join(lines), encoding="utf-8")
    expected = [Body(b"a,b", "text/csv"), Body(b"\xff\x00", "image/png"), Body("é".encode(), None)]
    assert bodies.read(tmp_path) == expected
    assert bodies.read(tmp_path / "pairs-1.jsonl") == expected


def test_a_log_without_bodies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs-1.jsonl").write_text(_pair("1", "v2", body=None, body_encoding="not_stored"), encoding="utf-8")
    with pytest.raises(BodiesError, match="there were none"):
        bodies.read(tmp_path)
