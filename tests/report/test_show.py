from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.report import show
from shadowproxy.report.find import MOST_PAIRS, Ambiguous, Unknown, pairs_of
from shadowproxy.report.source import find
from tests.support.pairs import PairLog, answer, differing, differs, dropped, incomparable, noisy, refused


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def found(log: PairLog, wanted: str, torn: str = "") -> list[dict[str, Any]]:
    return pairs_of(find([str(log.write(torn=torn))]), wanted)


def printed(log: PairLog, wanted: str) -> str:
    return "\n".join(line for _, line in show.lines(found(log, wanted)))


def test_a_request_has_a_pair_for_each_candidate(log: PairLog) -> None:
    log.pair(times=3)
    for candidate in ("v2", "v3"):
        log.pair(candidate=candidate, id="shared", src=[0, 1, 77])
    assert [pair["candidate"] for pair in found(log, "shared")] == ["v2", "v3"]


def test_one_of_its_pair_ids_names_the_whole_request(log: PairLog) -> None:
    log.pair(candidate="v2", id="shared", src=[0, 1, 77])
    second = log.pair(candidate="v3", id="shared", src=[0, 1, 77])
    log.pair(candidate="v3", id="shared", src=[0, 1, 78])  # a client that repeats ids
    assert [pair["candidate"] for pair in found(log, second)] == ["v2", "v3"]
    assert len(found(log, "shared")) == 3


def test_a_line_that_is_no_text_is_passed_over(log: PairLog) -> None:
    log.pair(id="shared")
    folder = log.write()
    (folder / "pairs-2.jsonl").write_bytes(b'{"kind": "pair", "id": "shared", "a": "\xff"}\n')
    assert len(pairs_of(find([str(folder)]), "shared")) == 1


def test_a_prefix_is_enough_where_it_is_only_ones(log: PairLog) -> None:
    log.pair(id="abc-1")
    log.pair(id="abd-2")
    assert [pair["id"] for pair in found(log, "abc")] == ["abc-1"]
    with pytest.raises(Ambiguous, match=r"ab: expected one request, 2 begin so \(abc-1, abd-2\)"):
        found(log, "ab")


def test_an_id_inside_a_body_is_no_match(log: PairLog) -> None:
    log.pair(production=answer(body='{"id": "elsewhere"}'))
    with pytest.raises(Unknown, match=r"elsewhere: no pair in .* has this request id or pair id"):
        found(log, "elsewhere")


@pytest.mark.parametrize("wanted", ["", "nobody", "\0", "é'\""])
def test_an_unknown_id_is_said_in_one_sentence(log: PairLog, wanted: str) -> None:
    log.pair()
    with pytest.raises(Unknown) as error:
        found(log, wanted)
    assert "\n" not in str(error.value)


def test_a_log_that_is_being_written_is_readable(log: PairLog) -> None:
    log.pair(times=2)
    log.pairs.insert(0, "no json request-2")
    assert len(found(log, "request-2", torn='{"v":1,"kind":"pair","id":"request-2","pair')) == 1


def test_a_repeated_id_shows_only_so_many(log: PairLog) -> None:
    log.pair(times=MOST_PAIRS + 9, id="again")
    assert len(found(log, "again")) == MOST_PAIRS


def test_side_by_side(log: PairLog) -> None:
    log.pair(
        id="x",
        key="order-7",
        slices={"country": "DE"},
        production=answer(fingerprint="server=uvicorn"),
        shadow=answer(500, ms=12.5, bad=True, body='{"label":"b","n":[1,2]}'),
        twin=dropped("in_flight"),
        comparison=differing("a", "b"),
        noise=noisy("$.time"),
    )
    text = printed(log, "x")
    for line in (
        "POST /predict",
        "request x · 2026-03-01T14:00:00.000000Z · route predict",
        "key order-7",
        "slice country = DE",
        "v2 instead of v1: answers differently, decides differently",
        "                  v1                      v2                      twin",
        "Outcome           complete                complete                not sent: in_flight",
        "Status            200                     500                     –",
        "Counts as error   no                      yes                     no",
        "v1's answer says: server=uvicorn",
        "Latency           10.0 ms                 12.5 ms                 0.00 ms",
        "Differences (1): path, kind, v1 → v2",
        '  $.label  value  "a" → "b"',
        "Noise: v1 against its copy (1): path, kind, v1 → twin",
        "v2's body, 23 bytes",
        '    "label": "b",',
        "  (not_stored)",
    ):
        assert line in text.split("\n"), line


def test_what_cannot_be_compared_says_why(log: PairLog) -> None:
    log.pair(id="x", shadow=refused("[Errno 111]"), comparison=incomparable("shadow_incomplete"))
    text = printed(log, "x")
    assert "v2 instead of v1: not comparable (shadow_incomplete)" in text
    assert "[Errno 111]" in text


def test_long_bodies_are_cut_with_a_note(log: PairLog) -> None:
    log.pair(id="x", shadow=answer(body=json.dumps(list(range(2000)))), production=answer(body="y" * 10_000_000))
    text = printed(log, "x")
    assert len(text) < 20_000
    assert "… 9,996,000 more characters: --json shows all" in text
    assert text.count("more characters") == 2


def test_binary_bodies_are_named(log: PairLog) -> None:
    log.pair(id="x", shadow=answer(body="AAEC", body_encoding="base64"))
    assert "(binary: --json shows it as base64)" in printed(log, "x")


def test_many_differences_are_cut(log: PairLog) -> None:
    log.pair(id="x", comparison=differing(differences=[differs(f"$.a[{n}]") for n in range(50)]))
    assert "  and 30 more" in printed(log, "x")


def test_hostile_text_is_escaped(log: PairLog) -> None:
    nasty = "\x1b[31m\x07 [red]\u202e"
    request = {"method": nasty, "target": nasty, "body": json.dumps({nasty: nasty}), "body_encoding": "utf8"}
    log.pair(id="x", request=request, shadow=answer(body=nasty, error=nasty),
             comparison=differing(nasty, nasty, differences=[differs(nasty, nasty, nasty, nasty)]))  # fmt: skip
    assert all(sign.isprintable() for line in printed(log, "x").split("\n") for sign in line)


@pytest.mark.parametrize(
    "part", ["request", "production", "shadow", "twin", "comparison", "noise", "src", "slices", "ts"]
)
@pytest.mark.parametrize("value", [None, 7, [1], "x", {}, {"differences": 5, "timing_ms": 3, "body": 5, "bad": []}])
def test_an_odd_line_is_shown_as_far_as_it_goes(log: PairLog, part: str, value: object) -> None:
    log.pair(id="x", twin=answer())
    (pair,) = found(log, "x")
    pair[part] = value
    text = "\n".join(line for _, line in show.lines([pair]))
    assert "request x" in text
