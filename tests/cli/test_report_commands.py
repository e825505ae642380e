"""`report`, `show` and `sql` as a user calls them: exit codes, streams, one sentence for what went wrong."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.cli import call
from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from tests.support.pairs import PairLog, answer, differing, incomparable

CONFIG = """
production: {name: v1, url: "http://127.0.0.1:9001"}
candidates: [{name: v2, url: "http://127.0.0.1:9002", max_in_flight: 7}]
statistics: {bucket: 1s}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = PairLog(tmp_path / "log")
    log.pair(times=8)
    log.pair(times=2, comparison=differing("a", "b"))
    log.ledger(eligible=100, dropped={"in_flight": 90}, sent=10, finished={"complete": 10}, logged=10)
    return log.write()


Captured = pytest.CaptureFixture[str]


def test_a_report_goes_to_stdout_and_exits_by_its_verdict(path: Path, capsys: Captured) -> None:
    assert call(["report", str(path)]) == 3
    captured = capsys.readouterr()
    assert captured.out.startswith("v2 instead of v1")
    assert "\x1b" not in captured.out
    assert captured.err == ""


def test_json_to_a_file(path: Path, tmp_path: Path, capsys: Captured) -> None:
    output = tmp_path / "report.json"
    assert call(["report", str(path), "--format", "json", "-o", str(output)]) == 3
    assert json.loads(output.read_text())["candidates"]["v2"]["disagreement"]["estimate"] == 0.2
    assert capsys.readouterr().out == ""


def test_options_narrow_the_report(path: Path, capsys: Captured) -> None:
    assert call(["report", str(path), "--format", "json", "--candidate", "v2", "--route", "predict", "--since",
                 "2026-03-01T14:00:08Z", "--until", "2026-03-01T14:00:09Z", "--no-examples"]) == 3  # fmt: skip
    candidate = json.loads(capsys.readouterr().out)["candidates"]["v2"]
    assert candidate["pairs"] == 1
    assert candidate["fields"][0]["examples"] == []
    assert [step["command"] for step in candidate["next"]] == [None, None]


def test_a_configuration_names_limits(path: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert call(["report", str(path), "-c", str(tmp_path / "c.yaml")]) == 3
    assert "`max_in_flight` (7)" in capsys.readouterr().out


def test_labels_join(path: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "l.csv").write_text("key,label\nrequest-9,b\nrequest-10,b\nrequest-1,a\n")
    assert call(["report", str(path), "--labels", str(tmp_path / "l.csv")]) == 3
    out = capsys.readouterr().out
    assert "v2 disagrees on 20 % and is right more often: 100 % against 33.3 % of 3 labelled." in out


def long_log(tmp_path: Path, **pair: Any) -> Path:
    """5,000 pairs in 50 buckets, all of them in the ledger."""
    log = PairLog(tmp_path / "long", every_s=0.3)
    log.pair(times=5000, twin=answer(), **pair)
    log.ledger(requests=5000, eligible=5000, sent=5000, finished={"complete": 5000}, logged=5000)
    return log.write()


def test_pass_exits_0_and_fail_1(tmp_path: Path, capsys: Captured) -> None:
    path = str(long_log(tmp_path))
    assert call(["report", path]) == 0
    assert "No gate shows v2 worse than v1. This does not say that it is better." in capsys.readouterr().out
    bad = str(long_log(tmp_path, shadow=answer(500, bad=True), comparison=incomparable("shadow_bad")))
    assert call(["report", bad]) == 1
    assert (
        capsys.readouterr()
        .out.splitlines()[1]
        .startswith("Do not promote v2. It fails on 100 % of requests that v1's copy answers")
    )
    assert call(["report", bad, "--inconclusive", "pass"]) == 1


def test_inconclusive_exits_as_wished(path: Path, capsys: Captured) -> None:
    assert call(["report", str(path), "--inconclusive", "pass"]) == 0
    assert call(["report", str(path), "--inconclusive", "fail"]) == 1


def test_gates_on_the_command_line_replace_the_defaults(path: Path, capsys: Captured) -> None:
    wanted = ["--gate", "disagreement<=90%", "--gate", "slower_share{by=10%}<=10pp"]
    assert call(["report", str(path), "--format", "json", *wanted]) == 3
    found = json.loads(capsys.readouterr().out)["candidates"]["v2"]
    assert [(gate["name"], gate["limit"]) for gate in found["gates"]] == [
        ("disagreement", 0.9),
        ("slower_share{by=10%}", 0.1),
    ]
    assert found["expect"] is None


def test_gates_lie_over_those_of_the_configuration(path: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG + 'gates: ["disagreement<=50%", "error_rate_increase<=1pp"]\n')
    wanted = ["-c", str(tmp_path / "c.yaml"), "--gate", "disagreement<=90%"]
    call(["report", str(path), "--format", "json", *wanted])
    found = json.loads(capsys.readouterr().out)["candidates"]["v2"]
    assert {gate["name"]: gate["limit"] for gate in found["gates"]} == {
        "disagreement": 0.9,
        "error_rate_increase": 0.01,
    }


@pytest.mark.parametrize("off", ["gates: []\n", "gated"])
def test_without_gates_nothing_is_judged(off: str, path: Path, tmp_path: Path, capsys: Captured) -> None:
    text = CONFIG.replace("name: v2,", "name: v2, gated: false,") if off == "gated" else CONFIG + off
    (tmp_path / "c.yaml").write_text(text)
    assert call(["report", str(path), "-c", str(tmp_path / "c.yaml"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["candidates"]["v2"]["gates"]) == (None, [])
    assert found["headline"].startswith("Nothing was judged")


def test_a_log_without_pairs_exits_3_with_the_ledgers_word(tmp_path: Path, capsys: Captured) -> None:
    log = PairLog(tmp_path / "log")
    log.ledger(eligible=40, dropped={"breaker_open": 40})
    assert call(["report", str(log.write())]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"no pairs in {tmp_path}/log; the ledger says: v2: 40 of 40 requests: breaker_open (dropped)\n"
    )


def test_who_asked_for_a_document_gets_one_that_says_that_there_are_no_pairs(tmp_path: Path, capsys: Captured) -> None:
    log = PairLog(tmp_path / "log")
    log.ledger(eligible=40, dropped={"breaker_open": 40})
    path = str(log.write())
    for form in ("json", "junit", "markdown", "html"):
        made = tmp_path / f"report.{form}"
        assert call(["report", path, "--format", form, "-o", str(made)]) == 3
        assert "v2" in made.read_text(), form
        assert capsys.readouterr().err.startswith("no pairs in"), form
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["headline"] == "v2 has had no request yet: 40 of 40 requests: breaker_open (dropped)."
    assert (found["verdict"], found["candidates"]["v2"]["pairs"]) == (None, 0)
    (tmp_path / "empty").mkdir()
    assert call(["report", str(tmp_path / "empty"), "--format", "json"]) == 3
    assert json.loads(capsys.readouterr().out)["headline"] == "Nothing was judged: the log knows no candidate."


def test_pairs_that_were_not_asked_for_are_told_of(tmp_path: Path, capsys: Captured) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=3, slices={"country": "DE"})
    assert call(["report", str(log.write()), "--slice", "country:FR"]) == 3
    assert capsys.readouterr().err.endswith("; 3 pairs there are of other hours, routes, slices or trials\n")


def test_pairs_in_an_open_bucket_are_pairs(tmp_path: Path, capsys: Captured) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=5)
    log.ledger(eligible=5, sent=5, finished={"complete": 5}, logged=5, at=6)
    path = log.write()
    writer = SegmentWriter(path, "pairs", 0, Rotation(1 << 30, 1e9))
    writer.write(b"\n")
    try:
        assert call(["report", str(path)]) == 3
    finally:
        writer.close()
    said = capsys.readouterr()
    assert "no pairs" not in said.err
    assert "Not decided yet" in said.out


def test_an_empty_directory_exits_3(tmp_path: Path, capsys: Captured) -> None:
    assert call(["report", str(tmp_path)]) == 3
    assert "the ledger says: nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["report", "{}/nowhere"], 4),
        (["show", "x", "{}/nowhere"], 4),
        (["sql", "SELECT 1", "{}/nowhere"], 4),
        (["show", "nobody", "{}/log"], 4),
        (["show", "request", "{}/log"], 2),
        (["sql", "SELEC", "{}/log"], 2),
        (["report", "{}/log", "--format", "pdf"], 2),
        (["report", "{}/log", "--candidate", "v9"], 2),
        (["report", "{}/log", "--trial", "t9"], 2),
        (["report", "{}/log", "--since", "noon"], 2),
        (["report", "{}/log", "--slice", "DE"], 2),
        (["report", "{}/log", "--gate", "errors<=1%"], 2),
        (["report", "{}/log", "--gate", "error_rate_increase<=1%"], 2),
        (["report", "{}/log", "--expect", "better"], 2),
        (["report", "{}/log", "--inconclusive", "maybe"], 2),
        (["report", "{}/log", "--labels", "{}/none.csv"], 4),
        (["report", "{}/log", "-c", "{}/none.yaml"], 4),
        (["report", "{}/log", "-o", "{}/no/such/directory"], 4),
        (["report", "{}/c.yaml"], 2),
    ],
)
def test_trouble_is_one_sentence_and_an_exit_code(
    path: Path, tmp_path: Path, arguments: list[str], code: int, capsys: Captured
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert call([argument.format(tmp_path) for argument in arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "unexpected" not in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([""], 4, "PATH is empty"),
        (["--since", "yesterday"], 2, "error: --since yesterday: expected a time"),
        (["--until", ""], 2, "error: --until: expected a time"),
        (["--slice", ""], 2, "error: --slice : expected a slice"),
    ],
)
def test_a_variable_of_the_shell_that_is_empty_is_not_overlooked(
    arguments: list[str], code: int, said: str, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(path)  # where an empty PATH would find a log
    assert call(["report", *arguments]) == code
    assert said in capsys.readouterr().err


def test_lines_that_are_no_pairs_are_not_taken_for_an_empty_log(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "pairs-1.jsonl").write_text("not a pair\n")
    assert call(["report", str(tmp_path)]) == 3
    assert capsys.readouterr().err.endswith("1 line(s) are no records of a pair log and were left out\n")


def test_an_unreadable_file_is_named(path: Path, capsys: Captured) -> None:
    (path / "pairs-2.jsonl").symlink_to(path / "gone")
    assert call(["report", str(path)]) == 4
    error = capsys.readouterr().err
    assert "pairs-2.jsonl" in error
    assert error.count("\n") == 1


def test_show_and_its_json(path: Path, capsys: Captured) -> None:
    assert call(["show", "request-9", str(path)]) == 0
    assert "v2 instead of v1: answers differently, decides differently" in capsys.readouterr().out
    assert call(["show", "request-9", str(path), "--json"]) == 0
    assert [pair["id"] for pair in json.loads(capsys.readouterr().out)] == ["request-9"]


def test_sql_formats(path: Path, capsys: Captured) -> None:
    assert call(["sql", "SELECT count(*) AS n FROM pairs", str(path), "--format", "csv"]) == 0
    assert capsys.readouterr().out == "n\n10\n"


def test_a_reader_that_leaves_is_no_error(path: Path) -> None:
    sql = "SELECT repeat('x', 1000) FROM range(2000)"
    command = [sys.executable, "-m", "shadowproxy", "sql", sql, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def on_a_terminal(arguments: list[str], **environment: str) -> bytes:
    """What `shadowproxy ARGUMENTS` writes to a terminal of its own."""
    main, side = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "shadowproxy", *arguments],
        stdout=side,
        env={**clean, "TERM": "xterm-256color", **environment},
    )
    os.close(side)
    out = b""
    try:
        while block := os.read(main, 65536):
            out += block
    except OSError:  # the terminal's other end is closed
        pass
    os.close(main)
    assert process.wait(timeout=30) in (0, 3)
    return out


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    log = PairLog(tmp_path / "log")
    log.pair(
        route="[red]\x1b[31m:smile:", id="one", shadow=answer(500, bad=True), comparison=incomparable("shadow_bad")
    )
    return log.write()


@pytest.mark.parametrize("arguments", [["report"], ["show", "one"]])
def test_colour_only_on_a_terminal_that_wants_it(hostile: Path, arguments: list[str]) -> None:
    coloured = on_a_terminal([*arguments, str(hostile)])
    plain = on_a_terminal([*arguments, str(hostile)], NO_COLOR="1")
    assert b"\x1b[1m" in coloured
    assert b"\x1b" not in plain
    for out in (coloured, plain):
        assert b"[red]\\x1b[31m:smile:" in out


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_query_cannot_make_the_log_write_to_the_terminal(hostile: Path, form: str) -> None:
    out = on_a_terminal(["sql", "SELECT route, chr(155) AS c FROM pairs", str(hostile), "--format", form])
    assert b"[red]" in out
    assert b"\x1b" not in out
    assert "\x9b".encode() not in out


def test_an_encoding_without_the_signs_is_no_error(path: Path) -> None:
    command = [sys.executable, "-m", "shadowproxy", "report", str(path)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (3, b"")
    assert b"Errors" in done.stdout
