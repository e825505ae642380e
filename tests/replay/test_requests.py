"""Which logged requests can be sent again, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadowproxy.pairlog.reader import find
from shadowproxy.replay.requests import LEDGER, NOT_STORED, TRUNCATED, UNREADABLE, WITHHELD, Request, requests
from tests.support.pairs import PairLog

BOOT = 1772373600000


def request(**more: Any) -> dict[str, Any]:
    return {"method": "POST", "target": "/p?q=1", "headers": [["Content-Type", "a/b"]], "body": "x", "body_encoding":
            "utf8", "body_bytes": 1, "body_truncated": False, **more}  # fmt: skip


def read(tmp_path: Path, *asked: dict[str, Any], **more: Any) -> list[Request]:
    log = PairLog(tmp_path)
    for one in asked:
        log.pair(request=one, **more)
    return list(requests(find([log.write()]).pairs()))


@pytest.mark.parametrize(
    ("of_request", "skipped", "body"),
    [
        ({}, "", b"x"),
        ({"body": "AP8=", "body_encoding": "base64"}, "", b"\0\xff"),
        ({"body": None, "body_encoding": "not_stored", "body_bytes": 0}, "", b""),
        ({"body": None, "body_encoding": "not_stored", "body_bytes": 9}, NOT_STORED, b""),
        ({"body": None, "body_encoding": "withheld", "body_bytes": 9}, WITHHELD, b""),
        ({"body_truncated": True}, TRUNCATED, b""),
        ({"target": "http://elsewhere/"}, UNREADABLE, b"x"),
        ({"method": None}, UNREADABLE, b"x"),
    ],
)
def test_a_body_is_sent_whole_or_not_at_all(
    of_request: dict[str, Any], skipped: str, body: bytes, tmp_path: Path
) -> None:
    [found] = read(tmp_path, request(**of_request))
    assert (found.skipped, found.body) == (skipped, body)
    assert not skipped or skipped in LEDGER


def test_a_request_of_several_candidates_is_one(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    for seq in (1, 2):
        for candidate in ("v2", "v3"):
            log.pair(candidate=candidate, src=[0, BOOT, seq], id=f"r{seq}")
    found = requests(find([log.write()]).pairs())
    assert [one.record["id"] for one in found] == ["r1", "r2"]


def test_the_coding_that_the_log_took_off_is_not_claimed(tmp_path: Path) -> None:
    headers = [["Content-Encoding", "gzip"], ["Content-Length", "33"], ["Content-Type", "a/b"]]
    text, binary = read(
        tmp_path, request(headers=headers), request(headers=headers, body="AP8=", body_encoding="base64")
    )
    assert text.headers == (("Content-Type", "a/b"),)
    assert binary.headers == (("Content-Encoding", "gzip"), ("Content-Type", "a/b"))
