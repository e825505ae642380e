"""From a frame to its lines: what stands where, and what is said of two exchanges side by side."""

from __future__ import annotations

import gzip
import json
from typing import Any

import orjson
import pytest

from shadowproxy.core import outcome
from shadowproxy.pairlog.identity import Ids
from shadowproxy.recorder import side as side_module
from shadowproxy.recorder.lines import Line, lines_of
from shadowproxy.recorder.plan import Plan, compile_plan
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.support import frames as f

SRC = (0, f.BOOT, 1)


def plan_of(**more: Any) -> Plan:
    snapshot = f.snapshot("log", **{"candidates": 2, "twin": True, **more})
    return compile_plan(snapshot, snapshot.pairs, b"k" * 32)


def records(pair: frames.Pair, have: tuple[str, ...] = (), **more: Any) -> list[dict[str, Any]]:
    return [json.loads(line.data) for line in lines_of(plan_of(**more), pair, SRC, Ids().next, have)]


def record(pair: frames.Pair, **more: Any) -> dict[str, Any]:
    return records(pair, **more)[0]


# -- who gets a line -----------------------------------------------------------------------------------------------


def test_each_candidate_that_was_sent_a_copy_has_a_line() -> None:
    pair = f.pair(f.exchange(), f.dropped(2, outcome.IN_FLIGHT), f.candidate(1))
    [line] = records(pair)
    assert (line["candidate"], line["trial"], line["shadow"]["upstream"]) == ("v3", "v3-0123456789", "v3")


def test_a_pair_without_copies_has_none() -> None:
    assert records(f.pair(f.exchange(), f.exchange(frames.TWIN))) == []


def test_lines_that_are_there_already_are_not_made_again() -> None:
    pair = f.pair(f.exchange(), f.candidate(0), f.candidate(1))
    assert [line["candidate"] for line in records(pair, have=("v2",))] == ["v3"]


def test_a_line_carries_its_result_for_the_counters() -> None:
    pair = f.pair(f.exchange(), f.candidate(0), f.candidate(1, b'{"label":"b"}'))
    made = lines_of(plan_of(), pair, SRC, Ids().next)
    assert [line[:1] + line[2:4] for line in made] == [("v2", "same", True), ("v3", "different", False)]
    assert all(isinstance(line, Line) for line in made)


@pytest.mark.parametrize(
    "pair",
    [f.pair(f.exchange(), f.candidate(7)), f.pair(route=9), f.pair(route=frames.NO_ROUTE), f.pair(exchanges=())],
    ids=["candidate", "route", "no route", "no exchange"],
)
def test_a_pair_that_names_what_is_not_there_is_an_error_or_nothing(pair: frames.Pair) -> None:
    try:
        made = records(pair)
    except IndexError:
        return
    assert made == []


# -- who, when, where ----------------------------------------------------------------------------------------------


def test_the_head_of_a_line() -> None:
    line = record(f.pair(flags=frames.WARMUP, answered_by=frames.FIRST_CANDIDATE))
    assert {key: line[key] for key in list(line)[:15] if key != "pair_id"} == {
        "v": 1,
        "kind": "pair",
        "id": "request-1",
        "key": "request-1",
        "ts": "2026-03-01T14:00:00.123456Z",
        "src": [0, f.BOOT, 1],
        "trial": "v2-0123456789",
        "origin": "live",
        "route": "default",
        "protocol": "",
        "candidate": "v2",
        "answered_by": "v2",
        "warmup": True,
        "slices": {},
    }


def test_the_protocol_is_named_where_a_preset_is_in_force() -> None:
    head = f.head("Content-Type: application/json", first="POST /v2/models/digits/infer HTTP/1.1")
    body = b'{"outputs":[{"name":"label","datatype":"INT64","shape":[1],"data":[4]}]}'
    line = record(f.pair(f.exchange(body=body), f.candidate(0, body), head=head))
    assert line["protocol"] == "open-inference"
    assert line["comparison"]["production_prediction"] == line["comparison"]["shadow_prediction"] is not None


KEYED = {"customer": {"name": "Ann", "age": 30, "vip": True}, "none": None}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("id", "request-1"),
        ("header:X-ORDER-id", "o-7"),
        ("header:X-Missing", None),
        ("json:$.customer.name", "Ann"),
        ("json:$.customer.age", "30"),
        ("json:$.customer.vip", "true"),
        ("json:$.customer", '{"name":"Ann","age":30,"vip":true}'),
        ("json:$.none", None),
        ("json:$.missing", None),
        ("answer:$.label", "a"),
        ("answer:$.missing", None),
    ],
)
def test_keys_and_slices_are_looked_up_where_the_route_says(where: str, expected: str | None) -> None:
    route = settings.Route(key=where, slices=(("s", where),))
    head = f.head("X-Order-Id: o-7", "x-order-id: second", first="POST /predict HTTP/1.1")
    line = record(f.pair(head=head, body=json.dumps(KEYED).encode()), routes=(route,))
    assert (line["key"], line["slices"]) == (expected, {"s": expected})


def test_a_key_is_whole_or_null_and_a_slice_is_cut() -> None:
    route = settings.Route(key="json:$.k", slices=(("s", "json:$.k"),))
    line = record(f.pair(body=json.dumps({"k": "x" * 1025}).encode()), routes=(route,))
    assert (line["key"], line["slices"]["s"]) == (None, "x" * 200)


def test_the_answers_key_is_that_of_the_answer_which_the_client_got() -> None:
    route = settings.Route(key="answer:$.label")
    pair = f.pair(f.exchange(), f.candidate(0, b'{"label":"b"}'), answered_by=frames.FIRST_CANDIDATE)
    assert record(pair, routes=(route,))["key"] == "b"


def test_a_request_that_is_no_json_has_no_json_key() -> None:
    route = settings.Route(key="json:$.k")
    assert record(f.pair(body=b"k=v"), routes=(route,))["key"] is None


def test_lone_surrogates_in_a_key_do_not_stop_the_line() -> None:
    route = settings.Route(key="json:$.k")
    assert record(f.pair(body=b'{"k":"a\\ud800"}'), routes=(route,))["key"] == "a\\ud800"


# -- exchanges -----------------------------------------------------------------------------------------------------


def test_an_exchange_in_full() -> None:
    line = record(f.pair(f.exchange(stalled=2 * f.MS, body_bytes=99), f.candidate()))
    assert line["production"] == {
        "upstream": "v1",
        "version": "1.0",
        "fingerprint": None,
        "outcome": "complete",
        "dropped": None,
        "error": None,
        "bad": False,
        "status": 200,
        "headers": [["Content-Type", "application/json"]],
        "body": '{"label":"a"}',
        "body_encoding": "utf8",
        "body_bytes": 99,
        "body_truncated": False,
        "timing_ms": {"start": 0.1, "connect": 0.0, "sent": 1.0, "first_byte": 6.0, "total": 11.0, "stalled": 2.0},
        "stream": None,
    }


def test_an_exchange_without_an_answer() -> None:
    refused = f.candidate(
        status=0, result=outcome.CONNECT_ERROR, error="größer".encode(), sent=-1, first_byte=-1, stalled=-1
    )
    line = record(f.pair(f.exchange(), refused))
    got = line["shadow"]
    assert {key: got[key] for key in ("outcome", "error", "bad", "status", "headers", "body", "body_encoding")} == {
        "outcome": "connect_error", "error": "größer", "bad": True, "status": None, "headers": [], "body": None,
        "body_encoding": "not_stored",
    }  # fmt: skip
    assert (got["timing_ms"]["sent"], got["timing_ms"]["first_byte"], got["timing_ms"]["stalled"]) == (None, None, None)
    assert (line["comparison"]["result"], line["comparison"]["agrees"]) == ("incomparable", None)
    assert line["comparison"]["latency_ms_difference"] is None


@pytest.mark.parametrize(
    ("exchanges", "expected"),
    [((), None), ((f.dropped(frames.TWIN, outcome.BUFFER_FULL),), (None, "buffer_full"))],
    ids=["not due", "dropped"],
)
def test_the_twin_is_null_or_says_why_it_was_not_sent(
    exchanges: tuple[frames.Exchange, ...], expected: tuple[str | None, str] | None
) -> None:
    line = record(f.pair(f.exchange(), *exchanges, f.candidate()))
    twin = line["twin"]
    assert (twin and (twin["outcome"], twin["dropped"])) == expected
    assert line["noise"] is None
    if twin:
        assert set(twin["timing_ms"].values()) == {None}
        assert set(twin) == set(line["production"])


def test_noise_is_the_twin_beside_production() -> None:
    line = record(f.pair(f.exchange(), f.exchange(frames.TWIN, b'{"label":"c"}', ms=12.5), f.candidate()))
    noise = line["noise"]
    assert (line["twin"]["upstream"], line["twin"]["version"]) == ("twin", "1.0")
    assert (noise["result"], noise["agrees"], noise["latency_ms_difference"]) == ("different", False, 2.5)
    assert noise["differences"] == [{"path": "$.label", "kind": "value", "production": "a", "twin": "c"}]
    assert "twin_prediction" in noise
    assert line["comparison"]["result"] == "same"


@pytest.mark.parametrize(
    ("production_ms", "copy", "expected"),
    [
        (10.0, f.candidate(ms=14.5), 4.5),
        (10.0, f.candidate(ms=4.0), -6.0),
        (10.0, f.candidate(ms=14.5, stalled=5 * f.MS), -0.5),
        (10.0, f.candidate(ms=1.0, sent=9 * f.MS), -10.0),  # the answer was there before the request was sent: 0
        (10.0, f.candidate(ms=10.0, result=outcome.TRUNCATED), None),
        (10.0, f.candidate(status=0, result=outcome.TIMEOUT, ms=9000.0), None),
    ],
)
def test_the_latency_difference_is_the_candidates_less_productions(
    production_ms: float, copy: frames.Exchange, expected: float | None
) -> None:
    line = record(f.pair(f.exchange(ms=production_ms), copy))
    assert line["comparison"]["latency_ms_difference"] == expected


TIMED_OUT = f.candidate(status=0, result=outcome.TIMEOUT)


@pytest.mark.parametrize(
    ("timeout", "production_ms", "copy", "censored"),
    [
        (2.0, 2500.0, TIMED_OUT, True),
        (2.0, 1500.0, TIMED_OUT, False),
        (2.0, 2500.0, f.candidate(), False),
        (None, 60_000.0, TIMED_OUT, False),  # auto: three times production's time
        (None, 700_000.0, TIMED_OUT, True),  # but at most 600 s
    ],
)
def test_a_timeout_is_censored_where_production_took_as_long(
    timeout: float | None, production_ms: float, copy: frames.Exchange, censored: bool
) -> None:
    own = settings.Candidate(name="v2", url="http://127.0.0.1:2", timeout=timeout)
    snapshot = f.snapshot("log")
    snapshot = settings.Snapshot(production=snapshot.production, candidates=(own,), pairs=snapshot.pairs)
    plan = compile_plan(snapshot, snapshot.pairs, b"k" * 32)
    [line] = lines_of(plan, f.pair(f.exchange(ms=production_ms), copy), SRC, Ids().next)
    assert json.loads(line.data)["comparison"]["censored"] is censored


# -- headers and bodies --------------------------------------------------------------------------------------------


def test_only_listed_headers_are_stored_in_order_and_spelling() -> None:
    fields = ("content-TYPE: text/plain", "X-Secret: s", "Traceparent:  00-ab ", "Set-Cookie: a=b", "content-type: two")
    line = record(
        f.pair(f.exchange(body=b"x", fields=fields), f.candidate(), head=f.head(*fields, first="POST /p HTTP/1.1"))
    )
    stored = [["content-TYPE", "text/plain"], ["Traceparent", "00-ab"], ["content-type", "two"]]
    assert line["production"]["headers"] == line["request"]["headers"] == stored


def test_a_header_that_is_no_utf8_is_read_as_latin_1() -> None:
    head = b"POST /p HTTP/1.1\r\nAccept: caf\xe9\r\nX-Request-ID: caf\xc3\xa9\r\n\r\n"
    assert record(f.pair(head=head))["request"]["headers"] == [["Accept", "café"], ["X-Request-ID", "café"]]


@pytest.mark.parametrize(
    ("first", "method", "target"),
    [
        ("POST /a%2Fb?x=1&y HTTP/1.1", "POST", "/a%2Fb?x=1&y"),
        ("GET http://user:secret@host:80/a?b HTTP/1.1", "GET", "/a?b"),
        ("GET http://user:secret@host HTTP/1.1", "GET", "/"),
        ("GET http://host?q=1 HTTP/1.1", "GET", "/?q=1"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
    ],
)
def test_the_target_is_in_origin_form(first: str, method: str, target: str) -> None:
    request = record(f.pair(head=f.head(first=first)))["request"]
    assert (request["method"], request["target"]) == (method, target)


GZIPPED = gzip.compress(b'{"label":"a"}')


def test_a_coded_body_is_stored_and_compared_without_its_coding() -> None:
    coded = f.exchange(body=GZIPPED, fields=("Content-Type: application/json", "Content-Encoding: gzip"))
    line = record(f.pair(coded, f.candidate()))
    assert (line["production"]["body"], line["production"]["body_encoding"]) == ('{"label":"a"}', "utf8")
    assert line["production"]["body_bytes"] == len(GZIPPED)
    assert line["comparison"]["result"] == "same"


@pytest.mark.parametrize("coding", ["br", "gzip, br", "gzip"])
def test_a_coding_that_cannot_be_removed_leaves_the_bytes_as_received(coding: str) -> None:
    coded = f.exchange(body=b"\x1f\x8bnonsense", fields=("Content-Type: text/plain", f"Content-Encoding: {coding}"))
    line = record(f.pair(coded, f.candidate()))
    assert (line["production"]["body"], line["production"]["body_encoding"]) == ("H4tub25zZW5zZQ==", "base64")
    assert (line["comparison"]["result"], line["comparison"]["reason"]) == ("incomparable", "production_not_kept")


def test_a_bomb_costs_no_more_than_what_is_kept() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    coded = f.exchange(body=bomb, fields=("Content-Type: text/plain", "Content-Encoding: gzip"))
    line = record(f.pair(coded, f.candidate()), pairs={"store_up_to": 1000})
    assert (len(line["production"]["body"]), line["production"]["body_truncated"]) == (1000, True)
    assert line["comparison"]["reason"] == "production_truncated"


def test_a_body_is_cut_at_what_is_stored_and_still_compared_whole() -> None:
    body = b'{"label":"%s"}' % (b"x" * 500)
    line = record(f.pair(f.exchange(body=body), f.candidate(0, body)), pairs={"store_up_to": 100})
    assert (len(line["shadow"]["body"]), line["shadow"]["body_truncated"]) == (100, True)
    assert line["comparison"]["result"] == "same"


def test_a_body_that_came_cut_says_so() -> None:
    cut = f.exchange(body=b"abc", body_bytes=1000, flags=frames.BODY_TRUNCATED)
    line = record(f.pair(cut, f.candidate(), flags=frames.REQUEST_TRUNCATED))
    assert (line["production"]["body_truncated"], line["request"]["body_truncated"]) == (True, True)
    assert line["comparison"]["reason"] == "production_truncated"


@pytest.mark.parametrize(
    ("bodies", "stored"), [("all", [True, True]), ("different", [False, True]), ("none", [False] * 2)]
)
def test_bodies_are_stored_as_the_settings_say(bodies: str, stored: list[bool]) -> None:
    pair = f.pair(f.exchange(), f.exchange(1), f.candidate(0), f.candidate(1, b'{"label":"b"}'))
    lines = records(pair, pairs={"bodies": bodies})
    for part in ("request", "production", "shadow", "twin"):
        assert [line[part]["body"] is not None for line in lines] == stored
        assert [line[part]["body_encoding"] != "not_stored" for line in lines] == stored
    assert [line["comparison"]["result"] for line in lines] == ["same", "different"], "bodies are compared all the same"


# -- form -----------------------------------------------------------------------------------------------------------

# CONTRACT.md §4: the keys of a line and of what stands in it, in their order.
PAIR = [
    *("v", "kind", "pair_id", "id", "key", "ts", "src", "trial", "origin", "route", "protocol", "candidate"),
    *("answered_by", "warmup", "slices", "request", "production", "shadow", "twin", "comparison", "noise"),
]
REQUEST = ["method", "target", "headers", "body", "body_encoding", "body_bytes", "body_truncated"]
EXCHANGE = [
    *("upstream", "version", "fingerprint", "outcome", "dropped", "error", "bad", "status", "headers", "body"),
    "body_encoding",
    *("body_bytes", "body_truncated", "timing_ms", "stream"),
]
COMPARISON = (
    "result reason agrees items items_disagreeing differences differences_total metrics production_prediction "
    "{}_prediction latency_ms_difference censored rules"
)
NOBODY = f.candidate(status=0, result=outcome.CONNECT_ERROR, error="größer".encode(), sent=-1, stalled=-1)
ANSWERS = {
    "equal": f.candidate(),
    "equal but for a stored header": f.candidate(fields=("Content-Type: application/json", "X-Request-ID: 7")),
    "another type": f.candidate(fields=("Content-Type: text/plain",)),
    "different": f.candidate(0, b'{"label":"b\\ud800"}', ms=0.0015),
    "another status": f.candidate(status=503),
    "cut": f.candidate(flags=frames.BODY_TRUNCATED),
    "no text": f.candidate(0, b"\xff\x00", fields=()),
    "no answer": NOBODY,
    "stream": f.candidate(
        0, b"data: {}\n\n", fields=("Content-Type: text/event-stream",), arrivals=frames.arrival(9, 10)
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
@pytest.mark.parametrize("twin", [f.exchange(1), f.exchange(1, b"{}"), f.dropped(1, outcome.IN_FLIGHT), None])
@pytest.mark.parametrize("bodies", ["all", "different"])
def test_a_line_is_what_one_writer_of_json_makes_of_it(
    answer: frames.Exchange, twin: frames.Exchange | None, bodies: str
) -> None:
    """Parts that were written before, and joined, leave nothing out, nothing twice and nothing in another place."""
    exchanges = [f.exchange(), *([twin] if twin else []), answer, answer._replace(role=3, total=12_345_678)]
    plan = plan_of(pairs={"bodies": bodies})
    for _ in range(2):  # what is remembered of the first is used for the second
        for line in lines_of(plan, f.pair(*exchanges), SRC, Ids().next):
            read = orjson.loads(line.data)
            assert line.data == orjson.dumps(read) + b"\n"
            assert list(read) == PAIR
            assert list(read["request"]) == REQUEST
            for side in ("production", "shadow", "twin"):
                assert read[side] is None or list(read[side]) == EXCHANGE
            assert list(read["comparison"]) == COMPARISON.format("shadow").split()
            assert read["noise"] is None or list(read["noise"]) == COMPARISON.format("twin").split()


def test_equal_bodies_are_said_to_be_so_however_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way of an answer that repeats production's says what the long way says."""
    short = records(f.pair(f.exchange(), f.exchange(1), f.candidate()))
    monkeypatch.setattr(side_module.Side, "is_repeated", lambda *_: False)
    long = records(f.pair(f.exchange(), f.exchange(1), f.candidate()))
    assert [{**line, "pair_id": ""} for line in short] == [{**line, "pair_id": ""} for line in long]


# -- cost ----------------------------------------------------------------------------------------------------------


def test_each_exchange_is_assessed_once_however_many_candidates_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assessed: list[int] = []
    real = side_module.assess

    def counting(*arguments: Any, **more: Any) -> Any:
        assessed.append(1)
        return real(*arguments, **more)

    monkeypatch.setattr(side_module, "assess", counting)
    records(f.pair(f.exchange(), f.exchange(1), *(f.candidate(n) for n in range(5))), candidates=5)
    assert len(assessed) == 7
