from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.ledger import Ledger, Row, broken_laws
from shadowproxy.core.outcome import COMPLETE, DISK, DROPPED, EXCLUDED, LOGGED, OUTCOMES, TIMEOUT, UNLOGGED

FATES = st.one_of(
    st.just(("unmatched", 0)),
    st.just(("sampled_out", 0)),
    st.tuples(st.just("excluded"), st.integers(1, len(EXCLUDED) - 1)),
    st.tuples(st.just("dropped"), st.integers(1, len(DROPPED) - 1)),
    st.tuples(st.just("sent"), st.integers(0, 0)),
    st.tuples(st.just("finished"), st.tuples(st.integers(1, len(OUTCOMES) - 1), st.integers(0, len(UNLOGGED) - 1))),
)


def decide(row: Row, kind: str, detail: Any) -> bool:
    """Count one request's fate, or one copy's; False where there is no copy to finish."""
    if kind == "unmatched":
        row.unmatched += 1
    elif kind == "sampled_out":
        row.sampled_out += 1
    elif kind == "excluded":
        row.exclude(detail)
    elif kind == "dropped":
        row.dropped[detail] += 1
    elif kind == "sent":
        row.sent += 1
    elif row.in_flight:
        row.finish(*detail)
    else:
        return False
    return True


@given(st.lists(FATES, max_size=80))
def test_the_laws_hold_at_every_moment(fates: list[tuple[str, Any]]) -> None:
    row = Row()
    requests = finished = 0
    for kind, detail in fates:
        done = decide(row, kind, detail)
        requests += kind != "finished"
        finished += kind == "finished" and done
        line = row.as_dict()
        assert broken_laws(line) == []
        assert line["requests"] == requests
        assert sum(line["finished"].values()) == finished == line["logged"] + sum(line["unlogged"].values())
        assert line["in_flight"] == line["sent"] - finished >= 0


def test_a_row_names_its_reasons_and_leaves_zeros_out() -> None:
    row = Row()
    row.exclude(EXCLUDED.index("paused"))
    row.dropped[DROPPED.index("overload")] += 2
    row.sent += 3
    row.finish(COMPLETE, LOGGED)
    row.finish(TIMEOUT, DISK)
    assert row.as_dict() == {
        "requests": 6,
        "unmatched": 0,
        "excluded": {"paused": 1},
        "eligible": 5,
        "sampled_out": 0,
        "dropped": {"overload": 2},
        "sent": 3,
        "in_flight": 1,
        "finished": {"complete": 1, "timeout": 1},
        "logged": 1,
        "unlogged": {"disk": 1},
    }


def test_a_row_is_found_again_by_trial_candidate_and_route() -> None:
    ledger = Ledger()
    row = ledger.row("t-1", "v2", "predict")
    assert ledger.row("t-1", "v2", "predict") is row
    others = {id(ledger.row(*key)) for key in (("t-2", "v2", "predict"), ("t-1", "v3", "predict"), ("t-1", "v2", None))}
    assert id(row) not in others
    assert [(line["trial"], line["candidate"], line["route"]) for line in ledger.lines()] == [
        ("t-1", "v2", "predict"),
        ("t-2", "v2", "predict"),
        ("t-1", "v3", "predict"),
        ("t-1", "v2", None),
    ]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("requests", "requests is 7, but unmatched + Σ excluded + eligible is 6"),
        ("sent", "eligible is 5, but sampled_out + Σ dropped + sent is 6"),
        ("in_flight", "sent is 3, but Σ finished + in_flight is 4"),
        ("logged", "Σ finished is 2, but logged + Σ unlogged is 3"),
    ],
)
def test_a_broken_law_is_named_with_both_its_sides(key: str, sentence: str) -> None:
    row = Row()
    row.exclude(1)
    row.dropped[1] += 2
    row.sent += 3
    row.finish(COMPLETE, LOGGED)
    row.finish(COMPLETE, DISK)
    line = row.as_dict()
    assert broken_laws(line) == []
    line[key] += 1
    assert sentence in broken_laws(line)
