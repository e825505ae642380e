"""One answer by itself: when it is bad, and why."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.compare import assess
from shadowproxy.compare.assessment import UNFIT, WHY
from shadowproxy.settings.snapshot import Prediction
from tests.compare.exchanges import ANY, INFER, answer, assessed, rules

LABEL = Prediction(at="$.label", kind="label")

STATUSES = [
    (200, ""),
    (204, ""),
    (206, ""),
    (301, ""),
    (304, ""),
    (400, "refused"),
    (401, "refused"),
    (404, "refused"),
    (407, "refused"),
    (408, "failed"),
    (422, "refused"),
    (429, "failed"),
    (499, "refused"),
    (500, "failed"),
    (503, "failed"),
    (599, "failed"),
]


@pytest.mark.parametrize(("status", "why"), STATUSES)
def test_a_status_says_whether_an_exchange_is_bad(status: int, why: str) -> None:
    shown = assessed(b"", status=status, type_=None)
    assert (shown.bad, shown.why) == (bool(why), why)


OUTCOMES = [
    # what is said about the exchange, bad, why, unfit
    ({"complete": False}, True, "outcome", "incomplete"),
    ({"complete": False, "truncated": True}, True, "outcome", "incomplete"),
    ({"complete": False, "aborted": True}, False, "", "incomplete"),  # the client left: nobody's fault
    ({"truncated": True}, False, "", "truncated"),
    ({"body": None}, False, "", "not_kept"),
    ({"body": None, "status": 500}, True, "failed", "bad"),
    ({"status": 503, "truncated": True}, True, "failed", "bad"),
    ({"body": b"[" + b" " * 300_000}, False, "", "too_long"),  # not read, so not known to be broken
    ({}, False, "", ""),
]


@pytest.mark.parametrize(("said", "bad", "why", "unfit"), OUTCOMES)
def test_an_exchange_is_bad_or_unfit_for_comparison(said: dict[str, Any], bad: bool, why: str, unfit: str) -> None:
    shown = assessed(**{"body": b"[1]", **said})
    assert (shown.bad, shown.why, shown.unfit) == (bad, why, unfit)
    assert shown.why in ("", *WHY)
    assert shown.unfit in ("", *UNFIT)


BODIES = [
    # request, prediction, body, content type, status, why
    (ANY, None, b"{", "application/json", 200, "unparsable"),
    (ANY, None, b"", "application/json", 200, "unparsable"),
    (ANY, None, b"", "application/json", 204, ""),
    (ANY, None, b"", None, 200, ""),
    (ANY, None, b"<html>", "text/html", 200, ""),
    (ANY, None, b"{", "application/json", 302, ""),  # only a 2xx claims that all went well
    (ANY, None, b'{"error": "x"}', "application/json", 200, ""),  # of no known protocol
    (ANY, None, b"[" * 5000 + b"]" * 5000, "application/json", 200, ""),  # too deep for us, not broken
    (INFER, None, b'{"error": "x"}', "application/json", 200, "error"),
    (INFER, None, b'{"error": null, "outputs": []}', "application/json", 200, ""),
    (INFER, None, b'{"outputs": []}', "application/json", 200, ""),
    (INFER, None, b'{"predictions": []}', "application/json", 200, ""),  # not the protocol that the path suggests
    (INFER, None, b"\x00\x01", "application/octet-stream", 200, ""),
    (ANY, LABEL, b'{"label": 1}', "application/json", 200, ""),
    (ANY, LABEL, b'{"label": null}', "application/json", 200, ""),
    (ANY, LABEL, b'{"lable": 1}', "application/json", 200, "no_prediction"),
    (ANY, LABEL, b"[]", "application/json", 200, "no_prediction"),
    (ANY, LABEL, b"1", "text/plain", 200, "no_prediction"),
    (ANY, LABEL, b"\xff", "image/png", 200, "no_prediction"),
    (ANY, LABEL, b"", None, 200, "no_prediction"),
    (ANY, LABEL, b"", None, 302, ""),
    (ANY, LABEL, b"", None, 500, "failed"),
    (ANY, Prediction(at="$.p[*]", kind="label"), b'{"p": []}', "application/json", 200, "no_prediction"),
    (INFER, LABEL, b'{"outputs": [], "label": 1}', "application/json", 200, ""),  # a route's own comes first
]


@pytest.mark.parametrize(("request_", "prediction", "body", "type_", "status", "why"), BODIES)
def test_a_body_says_whether_a_2xx_is_bad(
    request_: tuple[str, str], prediction: Prediction | None, body: bytes, type_: str | None, status: int, why: str
) -> None:
    shown = assess(rules(prediction), *request_, answer(body, status, type_))
    assert (shown.bad, shown.why) == (bool(why), why)


def test_an_answer_without_a_body_is_judged_by_its_head() -> None:
    shown = assess(rules(LABEL), "HEAD", "/predict", answer(b""))
    assert (shown.bad, shown.unfit) == (False, "")


@pytest.mark.parametrize("body", [b"{}", b"\x00", b"", b"text"])
def test_a_named_protocol_expects_every_answer_to_follow_it(body: bytes) -> None:
    by = rules(protocol="open-inference")
    assert assess(by, *ANY, answer(body, type_=None)).why == "no_prediction"


def test_the_protocol_that_an_answer_follows_is_said() -> None:
    assert assessed(b'{"outputs": []}', request=INFER).protocol == "open-inference"
    assert assessed(b'{"predictions": []}', request=INFER).protocol == ""
    assert assessed(b'{"outputs": []}', request=ANY).protocol == ""


def test_an_answer_like_another_is_judged_anew_where_they_differ() -> None:
    by = rules()
    first = assess(by, *ANY, answer(b"[1]"))
    for other in (
        answer(b"[1]", status=500),
        answer(b"[2]"),
        answer(b"[1]", type_="text/plain"),
        answer(b"[1]", truncated=True),
        answer(b"[1]", complete=False),
        answer(b"[1]", complete=False, aborted=True),
    ):
        assert assess(by, *ANY, other, like=first) == assess(by, *ANY, other)
