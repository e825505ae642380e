"""Two answers side by side, from bytes to the contract's `comparison`."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given

from shadowproxy.compare import Answer, assess, compare
from shadowproxy.compare.comparison import REASONS
from shadowproxy.compare.decision import KINDS
from shadowproxy.compare.lift import write_json
from shadowproxy.settings.snapshot import Prediction
from tests.compare.exchanges import ANY, INFER, JSON, answer, assessed, compared, kinds, rules
from tests.compare.test_lift import VALUES

CONTRACT_KEYS = [
    "result",
    "reason",
    "agrees",
    "items",
    "items_disagreeing",
    "differences",
    "differences_total",
    "metrics",
    "production_prediction",
    "shadow_prediction",
    "rules",
]


def test_equal_bytes_are_the_same() -> None:
    comparison = compared(b'{"a": 1}', b'{"a": 1}')
    assert (comparison.result, comparison.reason, comparison.agrees) == ("same", None, True)
    assert comparison.differences_total == 0


def test_a_comparison_has_the_contract_s_keys_and_can_be_written() -> None:
    comparison = compared(b'{"a": NaN, "b": [1, 2]}', b'{"a": 1, "b": [1]}')
    line = comparison.as_dict("twin")
    assert list(line) == CONTRACT_KEYS
    assert [set(difference) for difference in line["differences"]] == [{"path", "kind", "production", "twin"}] * 2
    assert json.loads(json.dumps(line, allow_nan=False)) == line


def test_the_other_side_s_metrics_carry_its_name() -> None:
    by = rules()
    comparison = compare(by, assessed(b"[1]", by), assessed(b"[Infinity]", by), "twin")
    assert comparison.metrics == {"nonfinite_production": 0, "nonfinite_twin": 1}


INCOMPARABLE = [
    # production, other, reason
    (answer(b"[1]"), answer(b"", complete=False), "shadow_incomplete"),
    (answer(b"", complete=False), answer(b"", complete=False), "production_incomplete"),  # production comes first
    (answer(b"[1]"), answer(b"[1]", status=500), "shadow_bad"),
    (answer(b"[1]", status=404), answer(b"[1]"), "production_bad"),
    (answer(b"[1]"), answer(b"[1"), "shadow_bad"),  # declared JSON that is none is an error of a 2xx
    (answer(b"[1]"), answer(b"[1]", truncated=True), "shadow_truncated"),  # even where the beginnings are equal
    (answer(b"[1]"), answer(None), "shadow_not_kept"),
    (answer(b"[1", status=302), answer(b"[1]", status=302), "production_unparsed"),  # not bad, but not readable
    (answer(b"[1]" + b" " * 300_000), answer(b"[1]"), "production_too_long"),  # beyond compare.up_to
]


@pytest.mark.parametrize(("production", "other", "reason"), INCOMPARABLE)
def test_what_cannot_be_compared_says_why(production: Answer, other: Answer, reason: str) -> None:
    by = rules()
    comparison = compare(by, assess(by, *ANY, production), assess(by, *ANY, other))
    assert (comparison.result, comparison.reason, comparison.agrees) == ("incomparable", reason, None)
    assert (comparison.items, comparison.items_disagreeing) == (0, 0)
    assert reason in REASONS


def test_bodies_too_long_to_read_are_still_the_same_when_their_bytes_are() -> None:
    body = b"[" + b" " * 300_000 + b"1]"
    assert compared(body, body).result == "same"


def test_different_statuses_of_whole_answers_are_a_difference() -> None:
    by = rules()
    comparison = compare(by, assessed(b"[1]", by), assessed(b"[1]", by, status=201))
    assert comparison.result == "different"
    assert [d.as_dict() for d in comparison.differences] == [
        {"path": "status", "kind": "status", "production": 200, "shadow": 201}
    ]


def test_a_status_is_shown_also_where_the_bodies_cannot_be_compared() -> None:
    by = rules()
    comparison = compare(by, assessed(b"[1]", by), assessed(b"oops", by, status=503))
    assert (comparison.result, kinds(comparison)) == ("incomparable", [("status", "status")])


HEADERS = [
    # production's, other's content type, what is reported
    ("application/json", "application/json; charset=utf-8", []),  # JSON has no charset
    ("text/plain; charset=UTF-8", 'TEXT/plain;charset="utf-8"', []),  # case, space and quotes say nothing
    ("text/plain; charset=utf-8", "text/plain; charset=latin-1", [("header:content-type", "header")]),
    ("text/plain", "text/html", [("header:content-type", "header")]),
    (None, "text/plain", [("header:content-type", "header")]),
]


@pytest.mark.parametrize(("production", "other", "expected"), HEADERS)
def test_content_types_are_compared_by_what_they_mean(
    production: str | None, other: str | None, expected: list[tuple[str, str]]
) -> None:
    by = rules()
    comparison = compare(by, assessed(b"a", by, type_=production), assessed(b"a", by, type_=other))
    assert kinds(comparison) == expected


def test_only_configured_headers_are_compared_and_an_ignored_one_is_not() -> None:
    a, b = answer(b"1", headers=(("X-Model", "1"), ("Date", "x"))), answer(b"1", headers=(("x-model", "2"),))
    for ignore, expected in (((), [("header:x-model", "header")]), (("header:X-MODEL",), [])):
        by = rules(headers=("content-type", "X-Model"), ignore=ignore)
        assert kinds(compare(by, assess(by, *ANY, a), assess(by, *ANY, b))) == expected


def test_bodies_of_different_forms_differ_in_type() -> None:
    by = rules()
    comparison = compare(by, assessed(b"{}", by), assessed(b"<html>", by, type_="text/html"))
    assert ("$", "type") in kinds(comparison)


def test_text_and_bytes_show_where_they_part() -> None:
    text = compared(b"a" * 100 + b"bcd", b"a" * 100 + b"xyz", type_="text/plain").differences[0]
    assert (text.kind, text.production, text.other) == ("text", "…" + "a" * 40 + "bcd", "…" + "a" * 40 + "xyz")
    opaque = compared(b"\x00\x01\xff", b"\x00\x01", type_="image/png").differences[0]
    assert (opaque.kind, opaque.production, opaque.other) == ("bytes", "3 bytes, from 2: ff", "2 bytes, from 2: ")


def test_ignoring_the_root_leaves_nothing_to_differ() -> None:
    by = rules(ignore=("$",))
    assert compared(b'{"a": 1}', b"[2]", by).result == "same"
    assert compared(b"a", b"b", by, type_="text/plain").result == "same"


def test_tensors_are_paired_by_name_and_compared_row_major() -> None:
    nested = b'{"id":"1","outputs":[{"name":"p","shape":[2,2],"data":[[1,2],[3,4]]},{"name":"q","data":[5]}]}'
    flat = b'{"id":"2","outputs":[{"name":"q","data":[5]},{"name":"p","shape":[2,2],"data":[1,2,3,4]}]}'
    assert compared(nested, flat, request=INFER).result == "same"
    assert compared(nested, flat, request=ANY).result == "different"
    assert kinds(compared(nested, flat.replace(b"3", b"9"), request=INFER)) == [("$.outputs[0].data[2]", "value")]


def test_null_for_a_number_is_counted_as_not_finite() -> None:
    comparison = compared(b'{"score": 0.5, "name": "a"}', b'{"score": null, "name": null}')
    assert comparison.metrics == {"nonfinite_production": 0, "nonfinite_shadow": 1}
    assert kinds(comparison) == [("$.score", "type"), ("$.name", "type")]


def test_reading_equal_bytes_once_gives_the_same_comparison() -> None:
    by = rules()
    a, b = answer(b"[1, Infinity]", headers=(("Date", "1"),)), answer(b"[1, Infinity]", headers=(("Date", "2"),))
    production = assess(by, *ANY, a)
    alike = assess(by, *ANY, b, like=production)
    assert alike == assess(by, *ANY, b)
    assert alike.lifted is production.lifted
    assert compare(by, production, alike) == compare(by, production, assess(by, *ANY, b))


HOSTILE = [
    b"[" * 100_000 + b"]" * 100_000,
    b'{"outputs":' + b"[" * 190 + b"]" * 190 + b"}",
    b'{"outputs":[{"name":"label","datatype":"INT64","shape":[1e400],"data":[1]}]}',
    b'{"outputs":[{"name":"p","datatype":"FP32","shape":[1,2],"data":[' + b"9" * 4000 + b",NaN]}]}",
    b'{"outputs":[{"name":{"a":[]},"datatype":["INT64"],"shape":{},"data":[{"\\ud800":"\\udfff"}]}]}',
    b'{"\\ud800":[1,"' + b"\\u0000" * 500 + b'"]}',
    b'{"outputs":"\xff"}',
    b'{"error":{"a":[[[[]]]]},"outputs":[]}',
    b"1e400",
    b"9" * 5000,
    b"-" + b"9" * 4299,
    b'""',
    b"",
    b"\x00" * 1000,
    b'{"outputs":[' + b'{"name":"p","data":[1]},' * 2000 + b"1]}",
]
PREDICTIONS = [
    None,
    *(
        Prediction(at=at, kind=kind, key=key)
        for kind in KINDS
        for at, key in (("$..*", None), ("$.outputs[*]", "name"), ("$", "$..name"))
    ),
]


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=lambda p: p and f"{p.kind} {p.at}")
def test_no_bodies_raise_and_every_comparison_can_be_written(prediction: Prediction | None) -> None:
    by = rules(prediction, unordered=("$.outputs",), ignore=("$..ts",), absolute=0.5)
    sides = [assessed(body, by, INFER, type_=type_) for body in HOSTILE for type_ in (JSON, None)]
    for shift in (0, 1, 7):  # itself, the same body of another type, another body
        for production, other in zip(sides, sides[shift:] + sides[:shift], strict=True):
            comparison = compare(by, production, other)
            line = comparison.as_dict()
            assert orjson.loads(orjson.dumps(line)) == line
            assert comparison.result != "same" or comparison.differences_total == 0
            assert comparison.items_disagreeing <= comparison.items


@given(VALUES, VALUES)
def test_a_comparison_of_any_values_counts_what_it_says(a: Any, b: Any) -> None:
    comparison = compared(write_json(a), write_json(b))
    assert (comparison.result == "same") is (comparison.differences_total == 0)
    assert len(comparison.differences) <= comparison.differences_total
    assert comparison.agrees is (comparison.result == "same")
    assert orjson.dumps(comparison.as_dict())
