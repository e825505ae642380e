"""Which calls must never reach a model twice. Names of members and paths are those of the servers' documents."""

from __future__ import annotations

import pytest

from shadowproxy.core.stateful import RULES, Rules, rule

INFER = b"/v2/models/iris/infer"


def is_stateful(target: bytes, body: bytes = b"{}") -> bool:
    holds = RULES[target]
    return holds is not None and holds(body)


@pytest.mark.parametrize(
    "target",
    [
        b"/v2/repository/models/iris/load",
        b"/v2/repository/models/iris/unload",
        b"/v2/repository/models/iris/versions/2/unload",
        b"/v1/models/iris/load",
        b"/v2/systemsharedmemory/region/input/register",
        b"/v2/cudasharedmemory/unregister",
        b"/v2/trace/setting",
        b"/v2/models/iris/trace/setting",
        b"/v2/logging",
        b"/v1/files",
        b"/v1/batches",
        b"/v1/batches/b-1/cancel",
        b"/openai/v1/files",
        b"/v1/threads/t-1/runs",
        b"/v1/conversations",
        b"/v1/vector_stores/v-1/search",
        b"/v1/fine_tuning/jobs",
        b"/v1/responses/r-1/cancel",
        b"/v1/chat/completions/c-1",
        b"/v1/messages/batches",
        b"/models?url=iris.mar",
        b"/models/iris",
        b"/models/iris/2.0/set-default",
        b"/seldon/ns/iris/api/v1.0/feedback",
        b"/v1/load_lora_adapter",
        b"/sleep?level=1",
        b"/reset_prefix_cache",
        b"/flush_cache",
        b"/update_weights_from_disk",
    ],
)
def test_a_call_that_changes_a_server_is_stateful_whatever_its_body(target: bytes) -> None:
    assert is_stateful(target, b"")
    assert is_stateful(target, b"\xff")


@pytest.mark.parametrize(
    "target",
    [
        INFER,
        b"/v2/repository/index",
        b"/v1/models/iris:predict",
        b"/predictions/iris",
        b"/models/iris/invoke",
        b"/invocations",
        b"/v1/chat/completions",
        b"/v1/completions",
        b"/v1/embeddings",
        b"/v1/messages",
        b"/v1/filesystem",
        b"/generate",
        b"/",
        b"*",
        b"/anything?next=/v2/repository/models/iris/load",
    ],
)
def test_a_question_is_not(target: bytes) -> None:
    assert not is_stateful(target)


@pytest.mark.parametrize(
    ("target", "body", "stateful"),
    [
        (INFER, b'{"parameters": {"sequence_id": 42, "sequence_start": true}, "inputs": []}', True),
        (INFER, b'{"parameters":{"sequence_id":"room-1"},"inputs":[]}', True),
        (INFER, b'{"parameters":{"sequence_id" : 0},"inputs":[]}', False),
        (INFER, b'{"parameters":{"sequence_id":""},"inputs":[]}', False),
        (INFER, b'{"parameters":{"sequence_id":null }}', False),
        (INFER, b'{"parameters":{"sequence_id":05}}', True),
        (INFER, b'{"inputs":[{"name":"x","data":["\\"sequence_id\\": 7"]}]}', False),
        (INFER, b'{"inputs":[{"name":"sequence_id","data":[1]}]}', False),
        (INFER, b'{"inputs":[{"parameters":{"shared_memory_region":"in","shared_memory_byte_size":64}}]}', True),
        (INFER, b'{"outputs":[{"name":"y","parameters":{"shared_memory_region":"out"}}]}', True),
        (b"/v2/models/a/versions/1/infer?x=1", b'{"parameters":{"sequence_id":1}}', True),
        (b"/v2/models/a/generate_stream", b'{"text_input":"a","sequence_id":9}', True),
        # the binary extension: JSON first, tensors behind it
        (INFER, b'{"parameters":{"sequence_id":3},"inputs":[{"parameters":{"binary_data_size":4}}]}\0\0\x80\xff', True),
        (b"/v1/responses", b'{"model":"m","input":"a"}', True),
        (b"/v1/responses", b'{"model":"m","input":"a","store":true}', True),
        (b"/v1/responses", b'{"model":"m","input":"a","store":false}', False),
        (b"/v1/responses", b'{"store":false,"previous_response_id":"resp_1"}', True),
        (b"/v1/responses", b'{"store":false,"previous_response_id":null}', False),
        (b"/v1/responses", b'{"store":false,"conversation":"conv_1"}', True),
        (b"/v1/responses", b'{"metadata":{"store":false}}', True),
        (b"/v1/responses", b'{"store":false', True),
        (b"/openai/v1/responses", b"{}", True),
        (b"/v1/chat/completions", b'{"messages":[],"store":true}', True),
        (b"/v1/chat/completions", b'{"messages":[],"store":false}', False),
        (b"/v1/chat/completions", b'{"messages":[{"content":"\\"store\\": true"}]}', False),
        (b"/v1/messages", b'{"container":"c-1"}', True),
        (b"/v1/messages", b'{"container":null}', False),
        (b"/predictions/iris", b'{"sequence_id": 7}', False),
    ],
)
def test_where_the_body_decides(target: bytes, body: bytes, stateful: bool) -> None:
    assert is_stateful(target, body) == stateful
    assert is_stateful(target, bytearray(body)) == stateful


def test_the_memo_is_bounded_and_says_what_the_rule_says() -> None:
    rules = Rules()
    for number in range(3000):
        target = b"/v1/batches/%d" % number
        assert rules[target] is rule(target)
    assert len(rules) <= 1024
    long = b"/v1/files/" + b"a" * 1000
    assert rules[long] is not None
    assert long not in rules
