"""A streamed answer, put together again, is the answer that came in one piece."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.lift import Form, lift_events
from shadowproxy.compare.streams import FOLDS
from shadowproxy.compare.streams.events import events
from tests.compare.exchanges import assessed, compared, kinds, rules
from tests.compare.samples import call, chat, message, response

SSE = "text/event-stream"


def sse(*pieces: Any, done: bool = False, named: bool = False, newline: str = "\n") -> bytes:
    out = [": ping" + newline * 2]
    for piece in pieces:
        if named:
            out.append(f"event: {piece['type']}{newline}")
        out.append(f"data: {piece if isinstance(piece, str) else json.dumps(piece)}{newline * 2}")
    if done:
        out.append(f"data: [DONE]{newline * 2}")
    return "".join(out).encode()


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
CHAT = sse(
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "It is"}),
    chunk({"content": " fine."}),
    chunk({}, finish_reason="stop"),
    {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE},
    done=True,
)
TOOLS = sse(
    chunk({"role": "assistant", "content": None}),
    chunk({"tool_calls": [{**call("1", '{"city":')[0], "index": 0}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Bonn"}'}}]}),
    chunk({}, finish_reason="tool_calls"),
    done=True,
)
TOOL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
ANTHROPIC = sse(
    {"type": "message_start", "message": {**message("", "1"), "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "fi"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ne"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": TOOL},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": " 1}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
    named=True,
)  # fmt: skip
ANTHROPIC_WHOLE = {
    **message("fine", "2", "tool_use"),
    "content": [{"type": "text", "text": "fine"}, {"type": "tool_use", "id": "u", "name": "f", "input": {"a": 1}}],
}
RESPONSES = sse(
    {"type": "response.created", "response": {**response("", "1"), "status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "delta": "fi", "output_index": 0},
    {"type": "response.output_text.delta", "delta": "ne", "output_index": 0},
    {"type": "response.completed", "response": response("fine", "1")},
    named=True,
)
TGI = sse(
    {"index": 1, "token": {"id": 1, "text": "fi", "special": False}, "generated_text": None, "details": None},
    {"index": 2, "token": {"id": 2, "text": "ne", "special": False}, "generated_text": "fine",
     "details": {"finish_reason": "length", "generated_tokens": 2}},
)  # fmt: skip
TRITON = sse({"model_name": "m", "text_output": "fi"}, {"model_name": "m", "text_output": "ne"})
TRITON_SO_FAR = sse({"model_name": "m", "text_output": "fi"}, {"model_name": "m", "text_output": "fine"})
COMPLETIONS = sse(
    {"id": "1", "object": "text_completion", "choices": [{"index": 0, "text": "fi", "finish_reason": None}]},
    {"id": "1", "object": "text_completion", "choices": [{"index": 0, "text": "ne", "finish_reason": "stop"}]},
    done=True,
)

STREAMS = [
    # target, stream, the answer in one piece, which events carry something, the server's count of tokens
    ("/v1/chat/completions", CHAT, chat("It is fine.", "1"), (False, True, True, False, False), 3),
    ("/v1/chat/completions", TOOLS, {**chat(None, "1", "tool_calls", call("9", '{"city":"Bonn"}'))},
     (False, True, True, False), None),
    ("/invocations", CHAT, chat("It is fine.", "1"), (False, True, True, False, False), 3),
    ("/invocations", COMPLETIONS,
     {"id": "2", "object": "text_completion", "choices": [{"index": 0, "text": "fine", "finish_reason": "stop"}]},
     (True, True), None),
    ("/v1/completions", COMPLETIONS,
     {"id": "2", "object": "text_completion", "choices": [{"index": 0, "text": "fine", "finish_reason": "stop"}]},
     (True, True), None),
    ("/v1/messages", ANTHROPIC, ANTHROPIC_WHOLE,
     (False, False, False, True, True, False, False, True, True, False, False, False), 2),
    ("/v1/responses", RESPONSES, response("fine", "2"), (False, True, True, False), None),
    ("/generate_stream", TGI,
     {"generated_text": "fine", "details": {"finish_reason": "length", "generated_tokens": 2}}, (True, True), 2),
    ("/v2/models/m/generate_stream", TRITON, {"model_name": "n", "text_output": "fine"}, (True, True), None),
    ("/v2/models/m/generate_stream", TRITON_SO_FAR, {"model_name": "n", "text_output": "fine"}, (True, True), None),
]  # fmt: skip


@pytest.mark.parametrize(("target", "stream", "whole", "carries", "tokens"), STREAMS)
def test_a_stream_decides_what_the_answer_in_one_piece_decides(
    target: str, stream: bytes, whole: Any, carries: tuple[bool, ...], tokens: int | None
) -> None:
    request = ("POST", target)
    streamed = assessed(stream, request=request, type_=SSE)
    plain = assessed(json.dumps(whole).encode(), request=request)
    assert not streamed.bad
    assert streamed.protocol == plain.protocol != ""
    assert streamed.decision.raw == plain.decision.raw
    assert streamed.lifted.stream is not None
    assert (streamed.lifted.stream.carries, streamed.lifted.stream.tokens) == (carries, tokens)


@pytest.mark.parametrize(("target", "stream"), [(target, stream) for target, stream, *_ in STREAMS])
def test_one_text_in_other_pieces_is_the_same(target: str, stream: bytes) -> None:
    other = stream.replace(b"\n", b"\r\n")
    comparison = compared(stream, other, request=("POST", target), type_=SSE)
    assert (comparison.result, comparison.metrics["exact"], comparison.metrics["similarity"]) == ("same", 1, 1)


def test_another_text_is_one_difference_at_its_place() -> None:
    comparison = compared(CHAT, CHAT.replace(b"fine", b"foul"), request=("POST", "/v1/chat/completions"), type_=SSE)
    assert kinds(comparison) == [("$.choices[0].message.content", "value")]
    assert (comparison.agrees, comparison.metrics["first_divergence"]) == (None, 2)


ERRORS = [
    ("/v1/chat/completions", sse(chunk({"content": "a"}), {"error": {"message": "out of memory"}})),
    ("/v1/messages", sse({"type": "error", "error": {"type": "overloaded_error"}}, named=True)),
    ("/v1/responses", sse({"type": "error", "message": "no"}, named=True)),
    ("/generate_stream", sse({"error": "Request failed", "error_type": "generation"})),
    ("/v2/models/m/generate_stream", sse({"text_output": "a"}, {"error": "model crashed"})),
    ("/of/no/known/protocol", sse({"type": "error"}, named=True)),
]


@pytest.mark.parametrize(("target", "stream"), ERRORS)
def test_an_error_inside_of_a_stream_is_an_error(target: str, stream: bytes) -> None:
    shown = assessed(stream, request=("POST", target), type_=SSE)
    assert (shown.bad, shown.why) == (True, "error")


def test_a_stream_of_no_known_protocol_is_the_list_of_its_events() -> None:
    by = rules(ignore=("$[*].at",))
    a, b = sse({"at": 1, "x": 1}, "two"), sse({"at": 2, "x": 1}, "three")
    assert kinds(compared(a, b, by, type_=SSE)) == [("$[1]", "value")]


def test_a_long_stream_is_read_further_than_a_body() -> None:
    by = rules(up_to=1000)
    stream = sse(*(chunk({"content": "a"}) for _ in range(30)))
    assert 1000 < len(stream) < 8000
    assert assessed(stream, by, ("POST", "/v1/chat/completions"), type_=SSE).unfit == ""
    assert assessed(stream * 10, by, ("POST", "/v1/chat/completions"), type_=SSE).unfit == "too_long"


def test_events_as_the_standard_reads_them() -> None:
    found = events(
        b"\xef\xbb\xbfdata: a\ndata:b\n\nevent: x\r\n\r\n:c\n\ndata:  d\nid: 7\n\ndata: [DONE]\n\ndata: last"
    )
    assert [(event.name, event.data) for event in found] == [("", "a\nb"), ("", " d"), ("", "last")]


PIECES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "a", "error"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "index", "message", "type", "content_block", "tool_calls", "function", "error", "text",
             "content", "token", "logprobs", "response", "output_index", "text_output", "generated_text", "usage",
             "arguments", "input", "partial_json", "details", "name", "function_call"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(PIECES, max_size=4), st.sampled_from(sorted(FOLDS)))
def test_no_events_make_a_fold_raise(pieces: list[Any], name: str) -> None:
    lifted = lift_events(sse(*(json.dumps(piece) for piece in pieces)), [name])
    assert lifted.form is Form.JSON
    assert lifted.stream is not None
    assert len(lifted.stream.ends) == len(lifted.stream.carries) == len(pieces)


@given(st.binary(max_size=80))
def test_no_bytes_make_a_stream_raise(body: bytes) -> None:
    lifted = lift_events(body, list(FOLDS))
    assert lifted.form is Form.JSON
    assert lifted.stream is not None
