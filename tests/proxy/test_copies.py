from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shadowproxy.http1 import request
from shadowproxy.http1.serialise import request_head
from shadowproxy.proxy.copies import CopyPlan, JsonBody, json_keys
from tests.proxy.world import candidate

CAME = (
    b"POST /v1/models/a:predict?x=/v1/models/a HTTP/1.1\r\nHost: front.test\r\nContent-Length: 4\r\n"
    b"Authorization: Bearer s\r\nProxy-Authorization: p\r\nCookie: c\r\nX-Api-Key: k\r\nX-Tier: gold\r\n"
    b"X-Shadow: forged\r\nExpect: 100-continue\r\n\r\n"
)
MARKS = (b"X-Shadow: 1", b"X-Shadow-Candidate: v2")


def plan(**settings: Any) -> CopyPlan:
    return CopyPlan(candidate(**settings), b"v2.test:81")


def said(made: CopyPlan, body_bytes: int = 4) -> list[bytes]:
    """The lines of a copy's head."""
    plan = SimpleNamespace(head=request.parse(CAME, 100), copies={})
    exchange: Any = SimpleNamespace(plan=plan, forwarded=b"Via: 1.1 p\r\n")
    head = made.head(exchange, 2, body_bytes)
    assert made.head(exchange, 2, body_bytes) == head
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


def test_a_copy_is_marked_stripped_and_has_a_length_of_its_own() -> None:
    assert said(plan(), 17) == [
        b"POST /v1/models/a:predict?x=/v1/models/a HTTP/1.1",
        b"Host: v2.test:81",
        b"X-Tier: gold",
        b"Content-Length: 17",
        b"Via: 1.1 p",
        *MARKS,
    ]


def test_credentials_are_forwarded_where_that_is_wanted() -> None:
    lines = said(plan(credentials="forward"))
    assert {b"Authorization: Bearer s", b"Proxy-Authorization: p", b"Cookie: c", b"X-Api-Key: k"} <= set(lines)
    assert b"X-Shadow: forged" not in lines


@pytest.mark.parametrize(
    ("host", "line"),
    [("upstream", b"Host: v2.test:81"), ("preserve", b"Host: front.test"), ("other.test", b"Host: other.test")],
)
def test_the_host_is_the_candidate_s_the_client_s_or_a_literal(host: str, line: bytes) -> None:
    assert [one for one in said(plan(host=host)) if one.startswith(b"Host")] == [line]


def test_fields_are_set_in_place_of_the_client_s_and_removed_whatever_their_case() -> None:
    made = plan(headers_set=(("x-TIER", "test"), ("Authorization", "Bearer own")), headers_remove=("via",))
    lines = said(made)
    assert b"X-Tier: gold" not in lines
    assert lines[-2:] == [b"x-TIER: test", b"Authorization: Bearer own"]
    assert b"Authorization: Bearer s" not in lines


def test_a_path_is_replaced_once_and_only_where_it_begins_to_differ() -> None:
    made = plan(path_replace="/v1/models/a", path_with="/v1/models/b")
    assert said(made)[0] == b"POST /v1/models/b:predict?x=/v1/models/a HTTP/1.1"
    assert said(plan(path_replace="/v9", path_with="/v8"))[0] == said(plan())[0]


def test_a_path_that_is_not_there_is_not_looked_for_in_the_query() -> None:
    made = plan(path_replace="x=/v1", path_with="x=/v2")
    assert said(made)[0] == said(plan())[0]


TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traced(made: CopyPlan, *values: bytes) -> list[bytes]:
    """The lines about the trace in a copy of a request that says so much itself."""
    fields = b"".join(b"traceparent: %b\r\n" % value for value in values) + b"tracestate: a=1\r\n"
    raw = CAME.replace(b"X-Tier", fields + b"X-Tier")
    exchange: Any = SimpleNamespace(plan=SimpleNamespace(head=request.parse(raw, 100), copies={}), forwarded=b"")
    twice = [made.head(exchange, 2, 4) for _ in range(2)]
    assert (twice[0] == twice[1]) == (b"traceparent" in made._without)  # heads are remembered, parents are not
    return [line for line in twice[0].split(b"\r\n") if line.lower().startswith(b"trace")]


def test_a_copy_has_the_same_trace_and_a_parent_of_its_own() -> None:
    made = plan()
    spans = set()
    for _ in range(3):
        state, parent = traced(made, TRACE)
        assert state == b"tracestate: a=1"
        assert re.fullmatch(b"traceparent: " + TRACE[:36] + b"[0-9a-f]{16}" + TRACE[-3:], parent)
        spans.add(parent)
    assert len(spans) == 3
    assert all(TRACE not in span for span in spans)


@pytest.mark.parametrize("values", [(b"garbage",), (TRACE, TRACE), (TRACE.replace(b"00-", b"ff-", 1),)])
def test_an_invalid_trace_begins_anew(values: tuple[bytes, ...]) -> None:
    (parent,) = traced(plan(), *values)
    assert re.fullmatch(rb"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00", parent)
    assert TRACE[3:35] not in parent


def test_without_a_trace_a_copy_has_none() -> None:
    assert not [line for line in said(plan()) if line.lower().startswith(b"trace")]


def test_the_settings_say_more_about_the_trace_than_the_request() -> None:
    assert traced(plan(headers_remove=("Traceparent",)), TRACE) == [b"tracestate: a=1"]
    assert traced(plan(headers_set=(("traceparent", "own"),)), TRACE) == [b"tracestate: a=1", b"traceparent: own"]


def test_production_s_trace_is_the_client_s() -> None:
    raw = CAME.replace(b"X-Tier", b"traceparent: garbage\r\nX-Tier")
    assert b"traceparent: garbage\r\n" in request_head(request.parse(raw, 100), b"")


# -- bodies


def test_without_a_rewrite_the_body_is_the_very_body() -> None:
    body = bytearray(b"\xff no JSON")
    made = plan()
    assert not made.rewrites_body
    assert made.body(body) is body


@pytest.mark.parametrize(
    ("body", "json_set", "expected"),
    [
        ({"model": "m1", "n": [1]}, (("$.model", "m2"),), {"model": "m2", "n": [1]}),
        ({}, (("$.model", "m2"),), {"model": "m2"}),
        ({"a": {"b": 1}}, (("$.a.b", None), ("$.c", [1])), {"a": {"b": None}, "c": [1]}),
        ({"a": [{"b": 1}, {"b": 2}]}, (("$.a[1].b", 3),), {"a": [{"b": 1}, {"b": 3}]}),
        ({"a": [1, 2]}, (("$.a[-1]", 3),), {"a": [1, 3]}),
        ({"a b": 1}, (("$['a b']", 3),), {"a b": 3}),
        ({"a": 1}, (("$.b.c", 3),), None),
        ({"a": [1]}, (("$.a[1]", 3),), None),
        ({"a": [1]}, (("$.a.b", 3),), None),
        ({"a": {"0": 1}}, (("$.a[0]", 3),), None),
        ({"a": "text"}, (("$.a.b", 3),), None),
        ([1], (("$.model", "m2"),), None),
        (None, (("$.model", "m2"),), None),
    ],
)
def test_a_body_is_rewritten_or_is_no_copy(body: Any, json_set: Any, expected: Any) -> None:
    made = plan(json_set=json_set)
    assert made.rewrites_body
    rewritten = made.body(orjson.dumps(body))
    assert (None if rewritten is None else orjson.loads(rewritten)) == expected


def test_a_rewritten_body_is_the_client_s_but_for_the_named_place() -> None:
    body = b'{ "n": 18446744073709551617, "model" : "m1", "f": 1.10, "a": [1e400],\n "z": "\\u00fc" }'
    made = plan(json_set=(("$.model", "m2"),))
    assert made.body(body) == body.replace(b'"m1"', b'"m2"')
    assert plan(json_set=(("$.n", 2**70),)).body(body) == body.replace(b"18446744073709551617", b"%d" % 2**70)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": 1} x', b"[" * 100_000])
def test_what_is_no_json_is_no_copy(body: bytes) -> None:
    assert plan(json_set=(("$.model", "m2"),)).body(body) is None


# -- paths


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("$.a", ["a"]),
        ("$.a.b", ["a", "b"]),
        ("$.a[0].b", ["a", 0, "b"]),
        ("$[0]", [0]),
        ("$.a[-1]", ["a", -1]),
        ("$['a b']", ["a b"]),
        ('$["a"][1]', ["a", 1]),
    ],
)
def test_a_path_is_taken_apart(path: str, keys: list[str | int]) -> None:
    assert json_keys(path) == keys


def test_a_body_is_parsed_once_for_all_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(
        "shadowproxy.proxy.copies.orjson", SimpleNamespace(loads=lambda body: parsed.append(body) or orjson.loads(body))
    )
    body = JsonBody(b'{"a": [1, {"b": "c"}]}')
    assert parsed == []
    values = [body.value(path) for path in ("$.a[1].b", "$.a[0]", "$.a[9]", "$.x.y", "$.a.b")]
    assert values == ["c", 1, None, None, None]
    assert len(parsed) == 1
    assert [JsonBody(bad).value("$.a") for bad in (b"", b"{", b"5")] == [None] * 3
