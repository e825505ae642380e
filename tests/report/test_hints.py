from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadowproxy.core.outcome import DROPPED, UNLOGGED
from shadowproxy.report import hints as hints_module
from shadowproxy.settings import snapshot as s
from tests.support.pairs import PairLog, answer, compared, incomparable, refused, timed_out
from tests.support.reports import figures_on, report_on


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def hints(log: PairLog, **wishes: Any) -> list[str]:
    return figures_on(log.write(), **wishes).hints


def refusing(log: PairLog, status: int, times: int, body: str = "no", candidate: str = "v2") -> None:
    shadow = answer(status, bad=True, body=body)
    log.pair(times=times, candidate=candidate, trial=candidate, shadow=shadow, comparison=incomparable("shadow_bad"))


def configured(*names: str, **candidate: Any) -> s.Snapshot:
    url = "http://127.0.0.1:9002"
    return s.Snapshot(
        production=s.Production(urls=("http://127.0.0.1:9001",)),
        candidates=tuple(s.Candidate(name=name, url=url, **candidate) for name in names or ("v2",)),
        pairs=s.Pairs(dir="shadow-pairs"),
    )


REFUSALS = {
    401: "refuses the copies: credentials are stripped. Set `candidates[{}].headers.set.Authorization` or ",
    403: "refuses the copies: credentials are stripped.",
    404: "does not know this path or model name: see `path`, `json.set`.",
    405: "does not know this path or model name: see `path`, `json.set`.",
    400: "rejects the request's shape: {{'need': 'x'}}.",
    422: "rejects the request's shape: {{'need': 'x'}}.",
}


def test_nine_refusals_in_ten_have_a_probable_cause(log: PairLog) -> None:
    for status in REFUSALS:
        refusing(log, status, 18, body="{'need':\n 'x'}", candidate=f"c{status}")
        log.pair(times=2, candidate=f"c{status}", trial=f"c{status}")
    candidates = report_on(log.write()).candidates
    for status, sentence in REFUSALS.items():
        name = f"c{status}"
        assert candidates[name].hints[0].startswith(f"{name} {sentence.format(name)}")


@pytest.mark.parametrize(("refusals", "fine"), [(19, 0), (17, 3)])
def test_fewer_copies_or_fewer_refusals_say_nothing(log: PairLog, refusals: int, fine: int) -> None:
    refusing(log, 401, refusals)
    log.pair(times=fine)
    assert not any("credentials" in hint for hint in hints(log))


def test_what_production_refuses_too_is_the_requests_fault(log: PairLog) -> None:
    bad = answer(404, bad=True)
    log.pair(times=30, production=bad, shadow=bad, comparison=incomparable("production_bad"))
    assert not any("path or model name" in hint for hint in hints(log))


def test_warm_up_counts_for_hints(log: PairLog) -> None:
    log.pair(times=20, warmup=True, shadow=answer(401, bad=True), comparison=incomparable("shadow_bad"))
    assert any("credentials are stripped" in hint for hint in hints(log))


def test_nobody_answers(log: PairLog) -> None:
    log.pair(times=20, shadow=refused("[Errno 111] Connection refused"), comparison=incomparable("shadow_incomplete"))
    assert "nothing answers at v2's address: [Errno 111] Connection refused." in hints(log)
    named = hints(log, snapshot=configured())
    assert "nothing answers at http://127.0.0.1:9002: [Errno 111] Connection refused." in named


def test_too_slow(log: PairLog) -> None:
    log.pair(times=18, production=answer(ms=12))
    log.pair(times=2, shadow=timed_out(ms=4999), comparison=incomparable("shadow_incomplete"))  # total: 5000
    assert "v2 needs longer than 5,000 ms; v1's median is 12.0 ms." in hints(log)
    assert "v2 needs longer than 2,000 ms; v1's median is 12.0 ms." in hints(log, snapshot=configured(timeout=2.0))


DROPS = {
    "body_too_large": "38 % of requests exceed `mirror_up_to` 1 MiB: raise `candidates[{}].mirror_up_to`.",
    "in_flight": "38 % of copies found {} busy: raise its `max_in_flight` (100) or lower its `sample`.",
    "breaker_open": "38 % of copies were held back because {0} kept failing: see `candidates[{0}].breaker`.",
    "buffer_full": "38 % of copies found no room for their bytes: raise `mirror.max_buffered` (64 MiB).",
    "overload": "38 % of copies were given up because the proxy was busy: raise `workers` or lower `sample` of {}.",
    "recorder_behind": "38 % of copies could not have been recorded: lower `sample` of {} or `pairs.store_up_to`.",
    "connect_rate": "38 % of copies needed too many new connections: let {} keep its connections alive.",
    "rewrite_failed": "38 % of request bodies could not be rewritten: see `candidates[{}].json.set`.",
    "draining": "38 % of copies were not sent because the proxy was stopping: see `limits.drain`.",
    "client_aborted": "38 % of requests were left by their clients before they were complete: no setting changes that.",
    "odd_one": "38 % of copies were lost for the reason odd_one.",
}


def test_each_drop_reason_names_its_setting(log: PairLog) -> None:
    for name in DROPS:
        log.pair(candidate=name, trial=name)
        log.ledger(candidate=name, trial=name, eligible=100, dropped={name: 38}, sent=62, finished={"complete": 62},
                   logged=62)  # fmt: skip
    candidates = report_on(log.write(), snapshot=configured(*DROPS)).candidates
    for name, sentence in DROPS.items():
        assert sentence.format(name) in candidates[name].hints


def test_every_reason_of_the_ledger_has_a_sentence() -> None:
    assert set(hints_module._DROPS) == set(DROPPED) - {""}
    assert set(hints_module._UNLOGGED) == set(UNLOGGED) - {""}


def test_one_per_cent_is_not_above_one_per_cent(log: PairLog) -> None:
    log.pair()
    log.ledger(
        eligible=100, dropped={"overload": 1}, sent=99, finished={"complete": 99}, logged=98, unlogged={"disk": 1}
    )
    assert not any("1 % of" in hint for hint in hints(log))


def test_pairs_that_were_not_logged(log: PairLog) -> None:
    log.pair()
    log.ledger(eligible=100, sent=100, finished={"complete": 100}, logged=95, unlogged={"disk": 5})
    assert any(hint.startswith("5 % of pairs could not be written: make room") for hint in hints(log))


def test_mixed_versions_and_rules(log: PairLog) -> None:
    log.pair(shadow=answer(version="sha1"))
    log.pair(shadow=answer(version="sha2"), comparison={**incomparable("x"), "rules": "r2"})
    said = hints(log)
    assert "Mixed versions of shadow in one trial: sha1, sha2." in said
    assert "The rules of comparison changed within the trial." in said


def test_messages_of_strangers_are_made_harmless(log: PairLog) -> None:
    refusing(log, 400, 20, body="\x1b]0;owned\x07" + "x" * 5000)
    (hint,) = (hint for hint in hints(log) if "shape" in hint)
    assert "\\x1b]0;owned\\x07" in hint
    assert "\x1b" not in hint
    assert len(hint) < 300


def test_a_route_without_a_known_decision_says_so(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(route="score", comparison=compared(labels=(None, None)))
    log.pair(route="predict")
    assert figures_on(log.write()).hints[:1] == [
        'What an answer decides is not known on route "score": any compared difference counts as another decision. '
        "Set `routes[score].prediction`, or its `protocol`."
    ]
