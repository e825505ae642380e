"""`trials`, `tail`, `export`, `forget`: what they print and how they exit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shadowproxy.cli import call
from tests.support.pairs import PairLog, answer, differing, incomparable

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = PairLog(tmp_path / "log")
    log.pair(times=20, production=answer(version="1.0"), shadow=answer(version="2.0"))
    log.pair(trial="v2-older", at=-100, times=5)
    log.pair(id="odd", comparison=differing(), route="\x1b[31m")
    log.pair(id="bad", comparison=incomparable("shadow_bad"), shadow=answer(500, bad=True))
    log.ledger(eligible=22, sent=22, finished={"complete": 22}, logged=22)
    return log.write("20260301T140000Z-0-1-000001")


def test_trials_are_listed_the_latest_first(path: Path, capsys: Captured) -> None:
    assert call(["trials", str(path)]) == 0
    head, newest, older = capsys.readouterr().out.splitlines()
    assert head.split() == ["trial", "candidate", "versions", "origin", "from", "to", "pairs", "coverage", "verdict"]
    assert newest.startswith("v2-0123456789  v2         1.0 → 2.0  live    2026-03-01 14:00")
    assert "100 %" in newest
    assert older.startswith("v2-older       v2         – → –")
    assert call(["trials", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(trial["trial"], trial["candidate"], trial["pairs"]) for trial in found] == [
        ("v2-0123456789", "v2", 22),
        ("v2-older", "v2", 5),
    ]
    assert call(["trials", str(path), "--until", "2026-03-01T14:00:00Z", "--json"]) == 0
    assert [trial["pairs"] for trial in json.loads(capsys.readouterr().out)] == [5, 0]


def test_the_tail_is_one_line_a_pair(path: Path, capsys: Captured) -> None:
    assert call(["tail", str(path), "-n", "3", "--no-follow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "decides differently" in lines[1]
    assert '"a" → "b"' in lines[1]
    assert "\\x1b[31m" in lines[1]
    assert "shadow_bad  200 10.0 ms → 500 10.0 ms" in lines[2]
    assert call(["tail", str(path), "-n", "99", "--no-follow", "--different", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["odd", "bad"]
    assert call(["tail", str(path), "-n", "1", "--no-follow", "--different", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["bad"]
    log = PairLog(path)
    log.pair(id="fine", times=3)
    with next(path.glob("pairs-*")).open("a") as file:
        file.write("".join(line + "\n" for line in log.pairs))
    assert call(["tail", str(path), "-n", "1", "--no-follow", "--different", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["bad"]
    assert call(["tail", str(path), "-n", "99", "--no-follow", "--route", "nowhere"]) == 0
    assert capsys.readouterr().out == ""


def test_the_tail_follows_until_nobody_reads(path: Path) -> None:
    command = [sys.executable, "-m", "shadowproxy", "tail", str(path), "-n", "0", "--json"]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert tail.stdout is not None
    log = PairLog(path)
    log.pair(id="new")
    file = next(path.glob("pairs-*"))
    # It may still be starting: what is appended until then is not new to it, so more is appended until it speaks.
    os.set_blocking(tail.stdout.fileno(), False)
    said = ""
    for _ in range(600):
        with file.open("a") as lines:
            lines.write(log.pairs[0] + "\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            tail.wait(0.05)
        said += (tail.stdout.read() or b"").decode()
        if "\n" in said:
            break
    assert json.loads(said.splitlines()[0])["id"] == "new"
    tail.stdout.close()
    with file.open("a") as lines:
        lines.write(log.pairs[0] + "\n")
    assert tail.wait(30) == 0


def test_an_export_is_the_same_log(path: Path, tmp_path: Path, capsys: Captured) -> None:
    with next(path.glob("pairs-*")).open("a") as file:
        file.write("no json\n")
    target = tmp_path / "parquet"
    assert call(["export", str(path), "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == f"27 pairs in 2 segments → {target}\n"
    assert "1 lines were left out: 0 torn, 1 bad" in err
    assert sorted(file.name.partition("-")[0] for file in target.iterdir()) == ["bodies", "ledger", "pairs"]
    documents = []
    for log in (path, target):
        assert call(["report", str(log), "--format", "json"]) == 3  # of 27 pairs nothing can be said
        document = json.loads(capsys.readouterr().out)
        documents.append(document["candidates"]["v2"]["errors"])
    assert documents[0] == documents[1]
    again = tmp_path / "again"
    assert call(["export", str(target), "-o", str(again)]) == 0
    assert {file.name: file.read_bytes() for file in again.iterdir()} == {
        file.name: file.read_bytes() for file in target.iterdir()
    }
    assert call(["export", str(path), "-o", str(target)]) == 4
    assert "expected a directory without segments of that name" in capsys.readouterr().err


def test_forgetting_says_what_was_removed(path: Path, capsys: Captured) -> None:
    assert call(["forget", "odd", str(path)]) == 0
    assert capsys.readouterr().out == (
        "pairs-20260301T140000Z-0-1-000001.jsonl: 1 pairs removed\n"
        "1 pairs of 1 requests removed, with all their bodies\n"
    )
    assert call(["forget", "odd", str(path)]) == 4
    assert "nothing was removed: no pair in" in capsys.readouterr().err
    assert call(["forget", "--key", "request-3", str(path)]) == 0
    capsys.readouterr()
    assert call(["show", "request-3", str(path)]) == 4


@pytest.mark.parametrize("arguments", [["forget"], ["forget", "x", "FILE"], ["export", "-o", "x"]])
def test_wishes_that_cannot_be_meant_exit_2(arguments: list[str], path: Path, capsys: Captured) -> None:
    file = str(next(path.glob("pairs-*")))
    assert call([file if argument == "FILE" else argument for argument in arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
