"""A dump of callgrind is read as its format says, and a real worker is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import builds, callgrind, counting, results
from bench.callgrind import Stretch
from bench.counting import Count, Counting, per_request
from bench.failure import MeasurementError
from bench.instructions import CASES, Case, count
from bench.pair_instructions import count as count_pairs
from bench.recorder import CASES as ANSWERS

# f calls g: 3 own instructions on two lines, then g's 40 as the cost of the call; g calls itself.
DUMP = b"""# callgrind format
version: 1
events: Ir sysCount sysTime

fl=(unknown)
fn=f
10 2 1 7
11 1
cfn=g
calls=1 20
11 40 1 9

fn=g
20 30
cfn=g'2
calls=1 20
20 10

fn=g'2
20 10

totals: 43 1 7
"""


def test_a_function_owns_what_its_callees_do_not() -> None:
    assert callgrind.read(DUMP) == Stretch(43, 1, {"f": 3, "g": 40})


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(MeasurementError, match="no callgrind dump"):
        callgrind.read(b"==1== Callgrind")


def test_what_an_idle_worker_does_in_the_same_time_is_taken_off() -> None:
    # (1000 - 0.5 * 200) / 10 = 90; (30 - 0.5 * 20) / 10 = 2; f: (600 - 0.5 * 100) / 10 = 55, g: (400 - 50) / 10 = 35
    busy, idle = Stretch(1000, 30, {"f": 600, "g": 400}), Stretch(200, 20, {"f": 100, "g": 100})
    assert per_request(busy, idle, 10, 0.5) == Count(90, 2, {"f": 55, "g": 35})


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting[Case]:
    rye, broken = Case("rye", "of rye", b"", None), Case("broken", "broken", b"", None)
    monkeypatch.setattr(results, "PLACE", tmp_path)
    monkeypatch.setattr(counting, "missing", list)

    def counted(case: Case, many: int) -> Count:
        if case is broken:
            raise MeasurementError("it did not answer")
        return Count(9 * many, 2, {"f": 9 * many})

    return Counting("bread", "Counts.", "loaf", (rye, broken), counted, 10, (rye,))


def test_two_runs_are_compared_by_their_ratio(
    tool: Counting[Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps({"counts": {"rye": {"instructions": 100}}}))
    assert tool.run(["--against", str(before), "--top", "1"]) == 0
    shown = capsys.readouterr().out
    assert "| of rye | 90 | 100 | -10.0% | 2.0 |" in shown
    assert "| 90 | 100.0% | `f` |" in shown
    (kept,) = tmp_path.glob("bread-*.json")
    assert json.loads(kept.read_text())["counts"]["rye"]["instructions"] == 90


def test_what_is_counted_may_not_do_its_part(tool: Counting[Case], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.run(["--loafs", "3", "--case", "broken"]) == 4
    assert capsys.readouterr().err == "it did not answer\n"


@pytest.mark.skipif(bool(callgrind.missing()), reason="valgrind is not installed on this machine")
def test_a_mirrored_request_of_a_real_worker_is_counted() -> None:
    (case,) = (case for case in CASES if case.name == "mirror")
    counted = count(case, requests=5)
    assert counted.instructions > 10_000
    assert counted.system_calls > 6
    ours = "_PyEval_EvalFrameDefault" if builds.why_not() else "CPyDef_exchange___Exchange___start"
    assert ours in counted.functions


@pytest.mark.skipif(bool(callgrind.missing()), reason="valgrind is not installed on this machine")
def test_a_pair_of_a_real_recorder_is_counted() -> None:
    (case,) = (case for case in ANSWERS if case.name == "differ")
    counted = count_pairs(case, pairs=50)  # what it does of itself meanwhile is taken off, and is not always the same
    assert counted.instructions > 10_000
    assert next(iter(counted.functions)) == "_PyEval_EvalFrameDefault"
