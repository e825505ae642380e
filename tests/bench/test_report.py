"""The log that the report is timed on."""

from __future__ import annotations

from pathlib import Path

from bench.report import made
from shadowproxy.pairlog.reader import find


def test_a_log_is_made_from_nothing_and_is_one(tmp_path: Path) -> None:
    pairs = list(find([made(tmp_path, 100)]).pairs())
    assert len(pairs) == 100
    assert {pair["candidate"] for pair in pairs} == {"v2", "v3"}
    assert all(pair[side]["upstream"] for pair in pairs for side in ("production", "shadow", "twin"))
