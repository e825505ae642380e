from __future__ import annotations

import json

import pytest

from shadowproxy.http1.refusal import KINDS, REASONS, Refused, answer, bad_request

# CONTRACT.md §3
CONTRACT = (
    "connect_error timeout reset upstream_closed protocol_error upstream_busy client_limit bad_request head_too_large "
    "body_too_large request_timeout not_implemented version loop draining"
)


def split(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return line, dict(field.split(": ", 1) for field in fields), body


def test_the_kinds_are_the_contract_s() -> None:
    assert set(CONTRACT.split()) == KINDS


@pytest.mark.parametrize("status", sorted(REASONS))
def test_a_refusal_is_a_problem_of_rfc_9457(status: int) -> None:
    line, fields, body = split(answer(status, "reset", "It broke: “why”.", b"r-1"))
    assert line == f"HTTP/1.1 {status} {REASONS[status]}"
    assert fields["Content-Type"] == "application/problem+json"
    assert fields["X-Shadowproxy-Error"] == "reset"
    assert fields["X-Request-ID"] == "r-1"
    assert fields["Connection"] == "close"
    assert int(fields["Content-Length"]) == len(body)
    assert fields.get("Retry-After") == ("1" if status == 503 else None)
    assert json.loads(body) == {
        "type": "about:blank",
        "title": REASONS[status],
        "status": status,
        "detail": "It broke: “why”.",
        "kind": "reset",
        "instance": "r-1",
        "request_id": "r-1",
    }


def test_without_an_id_none_is_made_up() -> None:
    _, fields, body = split(answer(400, "bad_request", "No."))
    assert "X-Request-ID" not in fields
    assert not {"instance", "request_id"} & set(json.loads(body))


def test_a_connection_that_stays_is_not_said_to_close() -> None:
    assert "Connection" not in split(answer(502, "reset", "No.", close=False))[1]


def test_an_answer_to_head_has_the_same_head_and_no_body() -> None:
    whole, bare = answer(502, "reset", "No."), answer(502, "reset", "No.", body=False)
    assert whole.startswith(bare)
    assert bare.endswith(b"\r\n\r\n")


def test_what_is_refused_says_why() -> None:
    refused = bad_request("The request has no Host field.")
    assert isinstance(refused, Refused)
    assert (refused.status, refused.kind, str(refused)) == (400, "bad_request", "The request has no Host field.")
