from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from shadowproxy.report.labels import LabelsError
from tests.support.pairs import PairLog, answer, compared, differing, incomparable
from tests.support.reports import figures_on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """request-1 … request-8, by number: what production and the candidate said."""
    log = PairLog(tmp_path / "log")
    log.pair(times=3, comparison=compared(labels=(4, 4)))  # 1, 2, 3
    log.pair(times=2, comparison=differing(4, 9))  # 4, 5
    log.pair(comparison=differing(7, 1))  # 6
    log.pair(shadow=answer(500, bad=True), comparison=incomparable("shadow_bad"))  # 7
    log.pair(comparison=compared(labels=(5, 5)))  # 8
    return log.write()


def csv(tmp_path: Path, *rows: str, head: str = "key,label") -> Path:
    file = tmp_path / "labels.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_accuracy_of_both_sides(path: Path, tmp_path: Path) -> None:
    rows = [f"request-{n},{label}" for n, label in ((1, 4), (2, 4), (3, 5), (4, 9), (5, 9), (6, 7), (7, 1))]
    figures = figures_on(path, labels=csv(tmp_path, *rows, "nobody,1"))
    assert figures.labels is not None
    assert figures.accuracy is not None
    labels, accuracy = figures.labels, figures.accuracy
    assert (labels.matched, labels.unmatched, labels.ambiguous, labels.unused, labels.undecided) == (7, 1, 0, 1, 1)
    assert (accuracy.production.estimate, accuracy.production.n) == (3 / 6, 6)  # 1, 2 and 6 of 1 … 6
    assert accuracy.shadow.estimate == 4 / 6  # 1, 2, 4 and 5
    assert (accuracy.good_to_bad, accuracy.bad_to_good) == (1, 2)  # 6; 4 and 5
    assert accuracy.mcnemar_p == pytest.approx(1.0)  # min(1, 2 · P[Bin(3, ½) ≤ 1]) = 2 · 4/8
    said = "v2 disagrees on 42.9 % and is right more often: 66.7 % against 50 % of 6 labelled."
    assert figures.headline == f"{figures.summary} {said}"
    assert "whether v2's answers are right (no labels)" not in figures.not_known


@pytest.mark.parametrize(
    ("head", "rows", "right"),
    [
        ("key,label", ["request-1,9", "request-1,4"], 1.0),  # the last line wins
        ("key,label", ["request-1,4", "request-1,9"], 0.0),
        ("key,label,ts", ["request-1,4,2026-01-02T00:00:00Z", "request-1,9,2026-01-01T00:00:00Z"], 1.0),
        ("key,label,ts", ["request-1,4,20", "request-1,9,3"], 1.0),  # as numbers, not as text
        ("label,key", ["4.0,request-1"], 1.0),  # 4.0 is 4
    ],
)
def test_the_last_label_of_a_key_wins(path: Path, tmp_path: Path, head: str, rows: list[str], right: float) -> None:
    accuracy = figures_on(path, labels=csv(tmp_path, *rows, head=head)).accuracy
    assert accuracy is not None
    assert (accuracy.production.estimate, accuracy.production.n) == (right, 1)


def test_a_key_of_several_pairs_is_ambiguous(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=2, key="order-1")
    log.pair(key="order-2")
    log.pair(key=None)
    figures = figures_on(log.write(), labels=csv(tmp_path, "order-1,a", "order-2,a"))
    assert figures.labels is not None
    assert figures.accuracy is not None
    assert (figures.labels.matched, figures.labels.ambiguous, figures.labels.unmatched) == (1, 2, 1)
    assert figures.accuracy.production.n == 1


def test_labels_may_name_request_ids(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=2, key="same")
    figures = figures_on(log.write(), labels=csv(tmp_path, "request-2,a"), labels_on="id")
    assert figures.labels is not None
    assert (figures.labels.matched, figures.labels.ambiguous) == (1, 0)


def test_json_lines_and_parquet_are_read_too(path: Path, tmp_path: Path) -> None:
    lines = tmp_path / "labels.jsonl"
    lines.write_text("".join(json.dumps({"key": f"request-{n}", "label": 4}) + "\n" for n in (1, 4)))
    parquet = tmp_path / "labels.parquet"
    duckdb.sql("SELECT 'request-' || n AS key, 4 AS label FROM (VALUES (1), (4)) AS t(n)").write_parquet(str(parquet))
    found = [figures_on(path, labels=file).accuracy for file in (lines, parquet)]
    assert [(a.production.estimate, a.shadow.estimate) for a in found if a is not None] == [(1.0, 0.5), (1.0, 0.5)]


def test_lists_of_labels_come_in_parquet_too(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(comparison=differing(["cat", "a, b"], ["cat", "dog"], items=2, items_disagreeing=1))
    file = tmp_path / "labels.parquet"
    duckdb.sql("SELECT 'request-1' AS key, ['cat', 'a, b'] AS label").write_parquet(str(file))
    accuracy = figures_on(log.write(), labels=file).accuracy
    assert accuracy is not None
    assert (accuracy.production.estimate, accuracy.shadow.estimate, accuracy.shadow.n) == (1.0, 0.5, 2)


def test_a_batch_is_scored_item_by_item(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(comparison=differing([1, 2, 3], [1, 2, 9], items=3, items_disagreeing=1))
    log.pair(comparison=differing([1, 2], [1, 1], items=2, items_disagreeing=1))
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"key": "request-1", "label": [1, 2, 3]}\n{"key": "request-2", "label": "[1]"}\n')
    figures = figures_on(log.write(), labels=labels)
    assert figures.accuracy is not None
    assert figures.labels is not None
    assert (figures.accuracy.production.estimate, figures.accuracy.shadow.estimate) == (1.0, 2 / 3)
    assert figures.labels.undecided == 1  # one label for two items


def test_words_and_truth_values_are_compared_as_text(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(comparison=differing("approve", "deny"))
    log.pair(comparison=differing(True, False))
    accuracy = figures_on(log.write(), labels=csv(tmp_path, "request-1,approve", "request-2,True")).accuracy
    assert accuracy is not None
    assert (accuracy.production.estimate, accuracy.shadow.estimate) == (1.0, 0.0)


def test_numbers_by_degrees_are_not_called_right_or_wrong(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=3, comparison=differing(0.25, 0.75))
    figures = figures_on(log.write(), labels=csv(tmp_path, "request-1,1", "request-2,0"))
    assert figures.accuracy is None
    assert figures.classes == []
    assert figures.losses is not None
    assert (figures.losses.kind, figures.losses.n) == ("score", 2)
    # Labels 1 and 0: (0.25 − 1)² and 0.25², (0.75 − 1)² and 0.75²; −ln 0.25 and −ln 0.75, either way round.
    assert figures.losses.production["brier"] == pytest.approx((0.5625 + 0.0625) / 2)
    assert figures.losses.shadow["brier"] == pytest.approx((0.0625 + 0.5625) / 2)
    assert figures.losses.production["log_loss"] == pytest.approx((1.3862944 + 0.2876821) / 2)
    assert "Brier score 0.312 against 0.312" in " ".join(figures.hints)


def test_numbers_have_an_absolute_error(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=2, comparison=differing(10.5, 12.0))
    figures = figures_on(log.write(), labels=csv(tmp_path, "request-1,10", "request-2,13"))
    assert figures.losses is not None
    assert figures.losses.kind == "number"
    assert figures.losses.production == {"absolute_error": pytest.approx((0.5 + 2.5) / 2)}
    assert figures.losses.shadow == {"absolute_error": pytest.approx((2.0 + 1.0) / 2)}


def test_labels_that_exist_mostly_for_one_prediction_favour_production(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=60, comparison=compared(labels=("approve", "approve")))  # request-1 … 60
    log.pair(times=60, comparison=compared(labels=("refuse", "refuse")))
    rows = [f"request-{n},approve" for n in range(1, 51)] + [f"request-{n},refuse" for n in range(61, 71)]
    figures = figures_on(log.write(), labels=csv(tmp_path, *rows))
    assert figures.labels is not None
    assert figures.labels.bias == "labels exist mostly where v1 said 'approve': this comparison favours v1"  # 50 : 10
    assert figures.labels.bias in figures.not_known
    even = [f"request-{n},x" for n in (*range(1, 51), *range(61, 111))]
    labels = figures_on(log.write(), labels=csv(tmp_path, *even)).labels
    assert labels is not None
    assert labels.bias is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "id,label\n1,2\n", "expected the columns key, label and optionally ts, found id, label"),
        ("l.txt", "key,label\n", "expected a .csv, .jsonl or .parquet file"),
        ("l.jsonl", '{"id": 1}\n', "expected at least one line with a key and a label"),
        ("l.parquet", "no parquet", "could not be read"),
    ],
)
def test_what_holds_no_labels_is_refused(path: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(LabelsError) as error:
        figures_on(path, labels=tmp_path / name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
