from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.report.record import Report, SelfCheck
from shadowproxy.report.render import as_text
from shadowproxy.report.screen import parts_of, screen
from shadowproxy.report.titles import TITLES, title
from shadowproxy.report.words import bounds, limit_in
from tests.support.judged import gate, undecided, with_gates
from tests.support.pairs import PairLog, answer, differing
from tests.support.reports import report_on


@pytest.fixture
def found(tmp_path: Path) -> Report:
    log = PairLog(tmp_path / "log")
    log.pair(times=90, twin=answer(), slices={"country": "DE"})
    log.pair(times=10, twin=answer(), comparison=differing(), slices={"country": "FR"})
    return report_on(log.write())


def test_a_gate_stands_in_the_row_that_it_judges(found: Report) -> None:
    rows = {row.name: row for row in screen(with_gates(found, gate(), undecided()).candidates["v2"]).rows}
    errors = rows["Errors"]
    assert (errors.difference.shown, errors.limit.shown, errors.verdict.shown) == (
        "+1.2 pp (0.9 … 1.6)",
        "0.5 pp",
        "FAIL",
    )
    slower = rows["Clearly slower (> 10 %)"]
    assert (slower.difference.shown, slower.verdict.title) == ("+5 pp (≤ 14)", "there are too few pairs to decide")
    assert "Clearly slower (> 25 %)" not in rows


@pytest.mark.parametrize(
    ("gates", "row"),
    [
        ((), ("Right, by the labels", "100 %", "75 %", "−25 pp")),
        # A limit is on the rise of what is wrong, so that is what stands beside it: one sign in all of the row.
        (("accuracy_drop<=2pp",), ("Wrong, by the labels", "0 %", "25 %", "+25 pp")),
    ],
)
def test_a_row_on_labels_counts_what_its_limit_is_on(
    gates: tuple[str, ...], row: tuple[str, ...], tmp_path: Path
) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=75)
    log.pair(times=25, comparison=differing())
    labels = tmp_path / "labels.csv"
    labels.write_text("key,label\n" + "".join(f"request-{n},a\n" for n in range(1, 101)))
    found = report_on(log.write(), labels=labels, gates=gates).candidates["v2"]
    [shown] = [one for one in screen(found).rows if "by the labels" in one.name]
    difference = shown.difference.shown.partition(" (")[0]
    assert (shown.name, shown.old.shown, shown.new.shown, difference) == row
    assert all(figure.title for figure in (shown.old, shown.new, shown.difference))


def test_a_gate_about_something_else_gets_a_row_of_its_own(found: Report) -> None:
    part = gate(options={"slice": "country:DE"}, title="Errors, country:DE", verdict="PASS")
    names = [row.name for row in screen(with_gates(found, part).candidates["v2"]).rows]
    assert "Errors" in names
    assert "Errors, country:DE" in names


def test_every_number_has_a_title_that_defines_it(found: Report) -> None:
    for row in screen(with_gates(found, gate(), undecided()).candidates["v2"]).rows:
        for figure in (row.old, row.new, row.difference, row.limit, row.verdict):
            assert bool(figure) == bool(figure.title), (row.name, figure)
    assert all(figure.title for figure in screen(found.candidates["v2"]).scale)


def test_every_definition_is_one_sentence_with_names() -> None:
    for key in TITLES:
        sentence = title(key, old="v1", new="v2", copy="v1's copy")
        assert sentence.endswith("."), key
        assert "{" not in sentence, key


def test_the_json_has_the_first_screen_in_words(found: Report) -> None:
    assert found.candidates["v2"].screen == screen(found.candidates["v2"])


def test_the_self_check_stands_beside_the_noise(found: Report) -> None:
    check = SelfCheck(verdict="PASS", sentence="v1's copy passes these gates ✓", gates=[])
    assert (
        "* a second copy of v1 against v1: the noise.    Self-check: v1's copy passes these gates ✓"
        in screen(with_gates(found, self_check=check).candidates["v2"]).notes
    )


def test_slices_come_worst_first_and_say_among_how_many(found: Report) -> None:
    (first, _), (second, _) = parts_of(found.candidates["v2"])
    assert (first, second) == ("country = FR", "country = DE")
    notes = screen(with_gates(found, slices_looked_at=60).candidates["v2"]).notes
    assert "Slices: none flagged among 60 looked at." in notes


def test_banners_stand_above_everything(found: Report) -> None:
    printed = as_text(with_gates(found, gate(), banners=["v2 is paused: no copies are sent."]))
    assert printed.startswith("! v2 is paused: no copies are sent.\nv2 instead of v1")


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((0.012, 0.009, 0.016, "pp"), "+1.2 pp (0.9 … 1.6)"),
        ((0.01, -0.02, 0.04, "pp"), "+1 pp (−2 … 4)"),
        ((0.034, 0.03, 0.039, "%"), "3.4 % (3 … 3.9)"),
        ((1.2, 1.1, 1.35, "x"), "1.2 × (1.1 … 1.35)"),
        ((0.012, None, 0.016, "0-1"), "0.012 (≤ 0.016)"),
        ((0.012, 0.009, None, "pp"), "+1.2 pp (≥ 0.9)"),
        ((0.012, None, None, "pp"), "+1.2 pp"),
        ((0.176, 0.214, 0.261, "pp"), "+17.6 pp (21.4 … 26.1, drifting)"),
        ((None, None, 0.01, "pp"), "– (≤ 1)"),
        ((None, None, None, "pp"), "–"),
    ],
)
def test_bounds(figures: tuple[float | None, float | None, float | None, str], expected: str) -> None:
    assert bounds(*figures) == expected


def test_limits() -> None:
    assert [limit_in(0.005, "pp"), limit_in(0.03, "%"), limit_in(1.2, "x"), limit_in(0.0, "pp")] == [
        "0.5 pp",
        "3 %",
        "1.2 ×",
        "0",
    ]
