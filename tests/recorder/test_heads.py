"""Heads are read leniently, and what is remembered of them is bounded."""

from __future__ import annotations

import pytest

from shadowproxy.recorder import heads


def test_a_head_is_its_first_line_and_its_fields() -> None:
    first, fields = heads.split(b"HTTP/1.1 200 OK\r\nA: 1\r\nb:\t2 \r\nA:3\r\n\r\n")
    assert first == "HTTP/1.1 200 OK"
    assert [(field.key, field.name, field.value) for field in fields] == [
        ("a", "A", "1"),
        ("b", "b", "2"),
        ("a", "A", "3"),
    ]


@pytest.mark.parametrize("head", [b"", b"garbage", b"x\r\n\r\n", b"\r\n", b"\xff\r\n: v\r\nnocolon\r\n\r\n"])
def test_no_head_is_refused(head: bytes) -> None:
    first, fields = heads.split(head)
    assert isinstance(first, str)
    assert all(isinstance(field.value, str) for field in fields)


def test_values_are_found_without_regard_to_case() -> None:
    _, fields = heads.split(b"x\r\nContent-Encoding: gzip\r\ncontent-encoding: br\r\n\r\n")
    assert heads.value_of(fields, "content-encoding") == "gzip"
    assert heads.values_of(fields, "content-encoding") == "gzip, br"
    assert heads.value_of(fields, "other") is None
    assert heads.values_of(fields, "other") == ""


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_REMEMBERED", 10)
    for number in range(100):
        heads.split(b"x\r\nDate: %d\r\n\r\n" % number)
    assert len(heads._known) <= 10
    heads._known.clear()
    heads.split(b"x\r\nLong: " + b"y" * 1000 + b"\r\n\r\n")
    assert heads._known == {}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("POST /p HTTP/1.1", ("POST", "/p")),
        ("POST /p?a b HTTP/1.1", ("POST", "/p?a b")),
        ("GET /a://b HTTP/1.1", ("GET", "/a://b")),
        ("", ("", "")),
    ],
)
def test_request_lines(first: str, expected: tuple[str, str]) -> None:
    assert heads.request_line(first) == expected


def test_whole_heads_are_remembered_within_bounds() -> None:
    requests = heads.RequestHeads(frozenset({"accept"}), lambda target: target.replace("secret", "hidden"))
    answers = heads.AnswerHeads(frozenset(), frozenset({"accept"}))
    for number in range(1000):
        head = b"POST /p?secret HTTP/1.1\r\nAccept: %d\r\nHost: x\r\n\r\n" % number
        assert requests[head].front == b'{"method":"POST","target":"/p?hidden","headers":[["Accept","%d"]],' % number
        assert answers[head].stored == [("Accept", str(number))]
    assert max(len(requests), len(answers)) <= heads._REMEMBERED_HEADS
    last = len(requests)
    assert requests[b"GET / HTTP/1.1\r\nAccept: " + b"y" * 1024 + b"\r\n\r\n"].line == ("GET", "/")
    assert len(requests) == last, "a long head is hardly ever the same again"
