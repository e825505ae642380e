"""`report --admin`: a running proxy's log, judged by its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.cli import call
from tests.support.pairs import PairLog, answer, differing
from tests.support.supervised import Supervised

Captured = pytest.CaptureFixture[str]


def test_a_running_proxy_is_asked_in_every_format(tmp_path: Path, capsys: Captured) -> None:
    with Supervised(tmp_path, real=("admin",), workers=1, state=str(tmp_path / "state")) as proxy:
        admin = "http://" + proxy.ready().event("proxy.ready")["admin"]
        log = PairLog(tmp_path / "pairs")
        log.pair(times=20)
        log.pair(times=3, shadow=answer(body="a stranger's words"), comparison=differing())
        log.write("20260301T140000Z-0-1-000001")
        assert call(["report", "--admin", admin]) == 3  # too few pairs to decide
        assert capsys.readouterr().out.startswith("v2 instead of v1")
        assert call(["report", "--admin", admin, "--format", "json", "--inconclusive", "pass"]) == 0
        record = json.loads(capsys.readouterr().out)["candidates"]["v2"]
        assert (record["pairs"], record["screen"]["heading"]) == (23, "v2 instead of v1")
        page = tmp_path / "report.html"
        assert call(["report", "--admin", admin, "--format", "html", "-o", str(page)]) == 3
        assert "a stranger&#39;s words" in page.read_text(encoding="utf-8")  # examples with their bodies
        assert call(["report", "--admin", admin, "--candidate", "nobody"]) == 2
        assert "the log knows v2" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["log"], ["--gate", "disagreement<=1%"], ["--since", "2h"], ["--watch"]])
def test_what_the_proxy_decides_cannot_be_asked_otherwise(more: list[str], capsys: Captured) -> None:
    assert call(["report", "--admin", "http://127.0.0.1:1", *more]) == 2
    assert "by its own configuration, without" in capsys.readouterr().err


def test_a_proxy_that_is_not_there_is_one_sentence(capsys: Captured) -> None:
    assert call(["report", "--admin", "http://127.0.0.1:1"]) == 4
    assert "no answer" in capsys.readouterr().err
