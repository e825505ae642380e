"""Redaction fails closed: what is configured to be hidden stands nowhere in a line, whatever the bodies are like."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.pairlog.identity import Ids
from shadowproxy.recorder.lines import lines_of
from shadowproxy.recorder.plan import compile_plan
from shadowproxy.recorder.redact import Redactor
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.support import frames as f

SECRET = "4111-secret-1111"
KEY = b"k" * 32


def redactor(*paths: str, how: str = "hash", query: tuple[str, ...] = ("token",)) -> Redactor:
    return Redactor(settings.Redact(json=paths, query=query, how=how), KEY)


def made(pair: frames.Pair, *paths: str, **more: Any) -> list[bytes]:
    redact = settings.Redact(json=paths, how=more.pop("how", "hash"))
    snapshot = f.snapshot("log", **{"twin": True, "pairs": {"redact": redact, **more.pop("pairs", {})}, **more})
    plan = compile_plan(snapshot, snapshot.pairs, KEY)
    return [line.data for line in lines_of(plan, pair, (0, f.BOOT, 1), Ids().next)]


def record(pair: frames.Pair, *paths: str, **more: Any) -> dict[str, Any]:
    [line] = made(pair, *paths, **more)
    assert SECRET.encode() not in line
    got: dict[str, Any] = json.loads(line)
    return got


def card(number: str = SECRET, **more: Any) -> bytes:
    return json.dumps({"card": {"number": number, "cvc": 7}, "label": "a", **more}).encode()


# -- tokens --------------------------------------------------------------------------------------------------------


def test_equal_stays_equal_and_nothing_else() -> None:
    hide = redactor("$.x")
    tokens = [
        hide.token(value)
        for value in ("a", "b", 1, "1", 1.0, True, None, 1.5, [1], [1.0], {"a": 1, "b": 2}, {"b": 2, "a": 1})
    ]
    assert tokens[2] == tokens[4]
    assert tokens[8] == tokens[9]
    assert tokens[10] == tokens[11]
    assert len(set(tokens)) == 9
    assert all(token.startswith("redacted:") and len(token) == 33 for token in tokens)


def test_another_key_gives_other_tokens() -> None:
    assert Redactor(settings.Redact(), b"x" * 32).token("a") != redactor().token("a")


def test_removed_values_leave_one_word() -> None:
    hide = redactor("$.x", how="remove")
    assert hide.document({"x": SECRET, "y": 1}) == {"x": "redacted", "y": 1}
    assert hide.target("/p?token=s") == "/p?token=redacted"


# -- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/p?token=SECRET",
        "/p?a=1&token=SECRET&b=2",
        "/p?TOKEN=SECRET",
        "/p?to%6ben=SECRET",
        "/p?a=1;token=SECRET",
        "/p?token=x&token=SECRET",
        "/p?token=SECRET?and=more",
        "/p?+token=SECRET",
        "/p?token==SECRET",
    ],
)
def test_named_parameters_are_hidden_however_they_are_written(target: str) -> None:
    shown = redactor().target(target.replace("SECRET", SECRET))
    assert SECRET not in shown
    assert "redacted:" in shown


@pytest.mark.parametrize("target", ["/p", "/p?", "/p?a=1&b=%20&c", "/p?token", "/token=1?x", "*", "/p?tokens=1"])
def test_other_targets_stay_as_they_are(target: str) -> None:
    assert redactor().target(target) == target


def test_a_parameter_and_a_body_with_the_same_value_show_the_same() -> None:
    assert redactor().target("/p?token=a%20b") == f"/p?token={redactor().token('a b')}"


# -- lines ---------------------------------------------------------------------------------------------------------


def test_bodies_show_hashes_in_every_place_and_results_stay_those_of_the_real_values() -> None:
    pair = f.pair(f.exchange(body=card()), f.exchange(1, card()), f.candidate(0, card()), body=card())
    line = record(pair, "$.card.number")
    shown = [json.loads(line[part]["body"])["card"]["number"] for part in ("request", "production", "shadow", "twin")]
    assert len(set(shown)) == 1
    assert shown[0].startswith("redacted:")
    assert (line["comparison"]["result"], line["comparison"]["agrees"]) == ("same", True)
    assert line["request"]["body_bytes"] == len(card())


def test_a_difference_in_a_hidden_value_shows_that_it_differs() -> None:
    pair = f.pair(f.exchange(body=card(SECRET + "1")), f.candidate(0, card(SECRET + "2")))
    comparison = record(pair, "$.card.number")["comparison"]
    [difference] = comparison["differences"]
    assert (difference["path"], difference["kind"]) == ("$.card.number", "value")
    assert difference["production"] != difference["shadow"]
    assert comparison["differences_total"] == 1


def test_a_difference_below_a_hidden_value_shows_no_names_of_members() -> None:
    one = json.dumps({"users": {SECRET: 1}, "label": "a"}).encode()
    other = json.dumps({"users": {SECRET: 2}, "label": "a"}).encode()
    comparison = record(f.pair(f.exchange(body=one), f.candidate(0, other)), "$.users")["comparison"]
    assert [difference["path"] for difference in comparison["differences"]] == ["$.users"]
    assert (comparison["result"], comparison["differences_total"]) == ("different", 1)


def test_a_difference_above_a_hidden_value_shows_it_hashed() -> None:
    other = json.dumps({"card": [SECRET], "label": "a"}).encode()
    comparison = record(f.pair(f.exchange(body=card()), f.candidate(0, other)), "$.card.number", "$.card[*]")[
        "comparison"
    ]
    [difference] = comparison["differences"]
    assert (difference["path"], difference["kind"]) == ("$.card", "type")
    assert "redacted:" in difference["production"]


def test_hidden_numbers_within_the_tolerance_are_no_difference() -> None:
    route = settings.Route(compare=settings.Compare(absolute=0.1))
    one, other = b'{"score":0.50,"label":"a"}', b'{"score":0.51,"label":"b"}'
    comparison = record(f.pair(f.exchange(body=one), f.candidate(0, other)), "$.score", routes=(route,))["comparison"]
    assert [difference["path"] for difference in comparison["differences"]] == ["$.label"]


def test_a_hidden_prediction_is_hashed_and_agreement_is_not_lost() -> None:
    route = settings.Route(prediction=settings.Prediction(at="$.card.number", kind="label"))
    pair = f.pair(f.exchange(body=card()), f.candidate(0, card(SECRET + "2")))
    comparison = record(pair, "$.card.number", routes=(route,))["comparison"]
    assert comparison["agrees"] is False
    assert "redacted:" in comparison["production_prediction"]
    assert comparison["production_prediction"] != comparison["shadow_prediction"]


@pytest.mark.parametrize("where", ["json:$.card.number", "answer:$.card.number", "json:$.card"])
def test_keys_and_slices_show_hashes(where: str) -> None:
    route = settings.Route(key=where, slices=(("s", where),))
    line = record(f.pair(f.exchange(body=card()), f.candidate(), body=card()), "$.card.number", routes=(route,))
    assert "redacted:" in line["key"]
    assert line["slices"] == {"s": line["key"]}


def test_a_slice_below_a_hidden_value_is_empty() -> None:
    route = settings.Route(slices=(("s", "json:$.card.number"),))
    assert record(f.pair(body=card()), "$.card", routes=(route,))["slices"] == {"s": None}


@pytest.mark.parametrize("where", ["header:Authorization", "header:Cookie", "header:x-api-KEY"])
def test_credentials_as_keys_are_hashed_and_never_stored(where: str) -> None:
    names = ("Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "Set-Cookie")
    head = f.head(*(f"{name}: {SECRET}" for name in names), first="POST /p HTTP/1.1")
    answer = f.exchange(fields=("Content-Type: application/json", f"Set-Cookie: {SECRET}"))
    line = record(
        f.pair(answer, f.candidate(), head=head), routes=(settings.Route(key=where),), pairs={"headers": names}
    )
    assert line["key"].startswith("redacted:")
    assert line["request"]["headers"] == line["production"]["headers"] == []


def test_headers_that_are_compared_and_not_stored_show_hashes() -> None:
    route = settings.Route(compare=settings.Compare(headers=("set-cookie", "content-type", "x-model")))
    one = f.exchange(fields=("Content-Type: a/b", f"Set-Cookie: {SECRET}", f"X-Model: {SECRET}"), body=b"x")
    other = f.candidate(fields=("Content-Type: a/c",), body=b"x")
    differences = record(f.pair(one, other), routes=(route,))["comparison"]["differences"]
    shown = {difference["path"]: (difference["production"], difference["shadow"]) for difference in differences}
    assert shown["header:content-type"] == ("a/b", "a/c")
    assert shown["header:set-cookie"] == shown["header:x-model"]
    assert shown["header:x-model"][0].startswith("redacted:")
    assert shown["header:x-model"][1] is None


# -- what cannot be looked into ------------------------------------------------------------------------------------

HOSTILE: dict[str, bytes] = {
    "cut off": card()[:-1],
    "text": f"number: {SECRET}".encode(),
    "text behind": card() + b" trailing",
    "two documents": card() + b"\n" + card(),
    "form": f"number={SECRET}".encode(),
    "event stream": b"data: " + card() + b"\n\n",
    "utf-16": card().decode().encode("utf-16"),
    "not utf-8": b"\xff" + card(),
    "too deep": b"[" * 5000 + card() + b"]" * 5000,
    "a member twice, then hidden": b'{"card":{"number":"%s"},"card":{"number":"x"}}' % SECRET.encode(),
    "a member twice, then another type": b'{"card":{"number":"%s"},"card":5}' % SECRET.encode(),
    "escaped names": b'{"c\\u0061rd":{"n\\u0075mber":"%s"}}' % SECRET.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + card(),
    "not finite": b'{"card":{"number":"%s"},"x":NaN,"y":1e999}' % SECRET.encode(),
    "long integers": b'{"card":{"number":"%s"},"x":%d}' % (SECRET.encode(), 10**40),
    "surrogates": b'{"card":{"number":"%s"},"x":"\\ud800"}' % SECRET.encode(),
    "deep and an array": b'[{"card":{"number":["%s"]}}]' % SECRET.encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("declared", ["application/json", "text/plain", "text/event-stream"])
def test_no_hostile_body_shows_its_secret(name: str, coded: bool, declared: str) -> None:
    body = gzip.compress(HOSTILE[name]) if coded else HOSTILE[name]
    fields = (f"Content-Type: {declared}", *(["Content-Encoding: gzip"] if coded else []))
    head = f.head(*fields, first="POST /p HTTP/1.1")
    for one, other in ((body, body), (body, b"{}"), (b"{}", body)):
        pair = f.pair(f.exchange(body=one, fields=fields), f.candidate(0, other, fields=fields), body=body, head=head)
        line = record(pair, "$..card.number", routes=(settings.Route(key="json:$.x"),))
        assert line["comparison"]["result"] in ("same", "different", "incomparable")


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd, gzip"])
def test_a_body_whose_coding_cannot_be_removed_is_withheld(coding: str) -> None:
    fields = ("Content-Type: application/json", f"Content-Encoding: {coding}")
    line = record(f.pair(f.exchange(body=card(), fields=fields), f.candidate()), "$.card.number")
    assert (line["production"]["body"], line["production"]["body_encoding"]) == (None, "withheld")


@pytest.mark.parametrize("name", ["cut off", "text", "event stream", "too deep", "utf-16"])
def test_what_cannot_be_looked_into_is_withheld(name: str) -> None:
    line = record(f.pair(f.exchange(body=HOSTILE[name]), f.candidate(), body=HOSTILE[name]), "$.card.number")
    for part in ("request", "production"):
        assert (line[part]["body"], line[part]["body_encoding"]) == (None, "withheld")


def test_a_truncated_body_is_withheld_even_where_it_reads_as_json() -> None:
    cut = f.exchange(body=card(), flags=frames.BODY_TRUNCATED)
    line = record(f.pair(cut, f.candidate(), body=card(), flags=frames.REQUEST_TRUNCATED), "$.card.number")
    assert line["production"]["body_encoding"] == line["request"]["body_encoding"] == "withheld"


def test_an_empty_body_and_no_answer_are_not_withheld() -> None:
    nothing = f.candidate(status=0, result=3)
    line = record(f.pair(f.exchange(body=b""), nothing, body=b""), "$.card.number")
    assert (line["request"]["body"], line["production"]["body"]) == ("", "")
    assert line["shadow"]["body_encoding"] == "not_stored"


def test_without_paths_bodies_stay_as_received() -> None:
    body = b'{ "b" : 1,\n "a": 1.50 }'
    assert record(f.pair(body=body))["request"]["body"] == body.decode()


def test_numbers_that_json_writers_lose_are_kept_in_a_redacted_body() -> None:
    body = b'{"s":1,"big":%d,"nan":NaN}' % 10**40
    shown = record(f.pair(body=body), "$.s")["request"]["body"]
    assert f'"big":{10**40},"nan":NaN' in shown


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(one=values, other=values, more=values)
def test_a_planted_secret_shows_in_no_line_whatever_stands_around_it(one: Any, other: Any, more: Any) -> None:
    bodies = [
        json.dumps({"a": around, "deep": [{"secret": SECRET}, {"secret": [SECRET, more]}]}) for around in (one, other)
    ]
    exchanges = [f.exchange(body=bodies[0].encode()), f.candidate(0, bodies[1].encode())]
    got = record(f.pair(*exchanges, body=bodies[0].encode()), "$..secret")
    assert SECRET not in json.dumps(got)
