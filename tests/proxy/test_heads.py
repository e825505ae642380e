from __future__ import annotations

import pytest

from shadowproxy.http1.answer import LENGTH, NONE
from shadowproxy.http1.refusal import Refused
from shadowproxy.http1.request import RequestHead
from shadowproxy.proxy.heads import AnswerHeads, RequestHeads
from tests.proxy.world import GET, answer


def requests_read(max_fields: int) -> RequestHeads[RequestHead]:
    return RequestHeads(max_fields, lambda head: head)


def test_a_head_that_was_parsed_before_is_the_same_head() -> None:
    requests, answers = requests_read(100), AnswerHeads()
    assert requests.read(GET) is requests.read(GET)
    assert answers.parse(answer(2), False) is answers.parse(answer(2), False)


def test_an_answer_to_head_is_neither_remembered_nor_recalled() -> None:
    answers = AnswerHeads()
    assert answers.parse(answer(2), True).framing == NONE
    assert answers.parse(answer(2), False).framing == LENGTH
    assert answers.parse(answer(2), True).framing == NONE
    assert answers.parse(answer(2), False).framing == LENGTH


def test_the_memory_is_bounded_in_number_and_in_length() -> None:
    requests, answers = requests_read(100), AnswerHeads()
    for number in range(1000):
        requests.read(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        answers.parse(answer(number), False)
        assert len(requests._known) <= 256
        assert len(answers._known) <= 256
    requests, answers = requests_read(100), AnswerHeads()
    requests.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 3000 + b"\r\n\r\n")
    answers.parse(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3000 + b"\r\n\r\n", False)
    assert (requests._known, answers._known) == ({}, {})


def test_what_is_refused_is_refused_again() -> None:
    requests, answers = requests_read(1), AnswerHeads()
    for _ in range(2):
        with pytest.raises(Refused):
            requests.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n")
        with pytest.raises(Refused):
            answers.parse(b"HTTP/1.1 999 No\r\n\r\n", False)
