"""For each preset: a request, production's answer, and the answers of a copy (noisy) and of another model (differing).

The noisy answer differs in what has no meaning (ids, times, rounding) and must compare as the same; the differing one
decides otherwise, or says something else.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any, NamedTuple

JSON = "application/json"


class Sample(NamedTuple):
    preset: str
    target: str
    kind: str
    production: Any
    noisy: Any
    differing: Any
    decision: str  # production's, as the log shows it
    auto: bool = True  # recognised without being named
    metrics: tuple[str, ...] = ()  # some that the differing pair has


def body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def chat(text: str | None, id_: str, finish: str = "stop", tools: Any = None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tools:
        message["tool_calls"] = tools
    return {
        "id": id_,
        "object": "chat.completion",
        "created": 1700000000 + len(id_),
        "model": f"model-{id_}",
        "system_fingerprint": f"fp-{id_}",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
    }


def call(id_: str, arguments: str, name: str = "weather") -> list[dict[str, Any]]:
    return [{"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}]


def response(text: str, id_: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    output = [{"id": f"msg_{id_}", "type": "message", "role": "assistant", "status": "completed", "content": content}]
    return {"id": f"resp_{id_}", "object": "response", "created_at": len(id_), "status": "completed", "error": None,
            "model": "m", "output": output}  # fmt: skip


def message(text: str, id_: str, stop: str = "end_turn") -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return {"id": id_, "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": stop, "usage": {"input_tokens": 1, "output_tokens": 2}}  # fmt: skip


def tensors(
    data: list[Any], id_: str, datatype: str = "FP32", name: str = "probabilities", nested: bool = False
) -> dict[str, Any]:
    output = {"name": name, "shape": [1, len(data)], "datatype": datatype, "data": [data] if nested else data}
    return {"id": id_, "model_name": f"m{id_}", "outputs": [output]}


def vectors(*rows: list[float], encoded: bool = False) -> dict[str, Any]:
    entries = [
        {"object": "embedding", "index": index,
         "embedding": b64encode(struct.pack(f"<{len(row)}f", *row)).decode() if encoded else row}
        for index, row in enumerate(rows)
    ]  # fmt: skip
    return {"object": "list", "model": "m", "data": entries}


SAMPLES = [
    Sample("open-inference", "/v2/models/m/infer", "probabilities",
           tensors([0.1, 0.9], "1"), tensors([0.1000001, 0.8999999], "2", nested=True), tensors([0.8, 0.2], "1"), "1",
           metrics=("total_variation", "jensen_shannon", "confidence_difference")),
    Sample("open-inference", "/v2/models/m/versions/2/infer", "label",
           tensors([4], "1", "INT64", "label"), tensors([4], "2", "INT64", "label"),
           tensors([9], "1", "INT64", "label"), "4"),
    Sample("open-inference", "/v2/models/m/infer", "number",
           tensors([2.5], "1", "FP64", "y"), tensors([2.5 + 1e-9], "2", "FP64", "y"),
           tensors([3.5], "1", "FP64", "y"), "2.5", metrics=("difference", "relative_difference")),
    Sample("open-inference", "/v2/models/m/infer", "embedding",
           tensors([1.0, 0.0], "1", name="embedding"), tensors([1.0, 1e-9], "2", name="embedding"),
           tensors([0.0, 1.0], "1", name="embedding"), "[1.0,0.0]", metrics=("cosine", "similarity")),
    Sample("triton-generate", "/v2/models/m/generate", "text",
           {"model_name": "m", "model_version": "1", "text_output": "a cat"},
           {"model_name": "n", "model_version": "2", "text_output": "a cat"},
           {"model_name": "m", "model_version": "1", "text_output": "a dog"}, '"a cat"', metrics=("chrf", "rouge_l")),
    Sample("tf-serving", "/v1/models/m:predict", "probabilities",
           {"predictions": [[0.1, 0.9], [0.7, 0.3]]}, b'{ "predictions":[[0.1,0.9],[0.7,0.3]]}',
           {"predictions": [[0.1, 0.9], [0.2, 0.8]]}, "[1,0]", metrics=("total_variation",)),
    Sample("tf-serving", "/v1/models/m/versions/3:classify", "probabilities",
           {"result": [[["cat", 0.9], ["dog", 0.1]]]}, {"result": [[["cat", 0.9 + 1e-12], ["dog", 0.1]]]},
           {"result": [[["cat", 0.2], ["dog", 0.8]]]}, '"cat"'),
    Sample("tf-serving", "/v1/models/m/labels/stable:regress", "number",
           {"result": [0.5, 1.5]}, {"result": [0.5, 1.5 + 1e-12]}, {"result": [0.5, 2.5]}, "[0.5,1.5]",
           metrics=("absolute_difference",)),
    Sample("tf-serving", "/v1/models/m:predict", "label",
           {"predictions": ["cat", "dog"]}, b'{"predictions": ["c\\u0061t","dog"]}', {"predictions": ["cat", "cat"]},
           '["cat","dog"]'),
    Sample("kserve-v1", "/v1/models/m:explain", "number",
           {"explanations": [[0.5, -0.25]]}, {"explanations": [[0.5, -0.25 - 1e-12]]}, {"explanations": [[0.5, 0.25]]},
           "[0.5,-0.25]"),
    Sample("torchserve", "/predictions/resnet", "probabilities",
           {"tabby": 0.6, "lynx": 0.2}, {"lynx": 0.2, "tabby": 0.6}, {"tabby": 0.2, "lynx": 0.6}, '"tabby"'),
    Sample("torchserve", "/predictions/fasterrcnn/1.0", "boxes",
           [{"person": [0, 0, 10, 10], "score": 0.9}], [{"score": 0.9, "person": [0.0, 0.0, 10.0, 10 + 1e-9]}],
           [{"person": [50, 50, 60, 60], "score": 0.9}], '[{"person":[0,0,10,10],"score":0.9}]',
           metrics=("matched_share", "class_flips", "count_difference")),
    Sample("mlflow", "/invocations", "label",
           {"predictions": [1, 0]}, {"predictions": [1.0, 0]}, {"predictions": [1, 1]}, "[1,0]"),
    Sample("sagemaker", "/invocations", "label",
           {"label": "spam", "ms": 1.5}, {"ms": 1.5, "label": "spam"}, {"label": "ham", "ms": 1.5}, '"spam"'),
    Sample("tgi", "/generate", "text",
           {"generated_text": "a", "details": {"seed": 1, "finish_reason": "length"}},
           {"generated_text": "a", "details": {"seed": 2, "finish_reason": "length"}},
           {"generated_text": "b", "details": {"seed": 1, "finish_reason": "length"}}, '"a"'),
    Sample("tgi", "/", "text",
           [{"generated_text": "a"}], b'[ {"generated_text":"a"} ]', [{"generated_text": "b"}], '"a"'),
    Sample("openai-chat", "/v1/chat/completions", "text",
           chat("It is fine.", "a"), chat("It is fine.", "bb"), chat("It rains.", "a", "length"), '"It is fine."',
           metrics=("similarity", "edit_similarity", "length_ratio", "first_divergence", "finish_reason_agrees")),
    Sample("openai-chat", "/openai/deployments/gpt/chat/completions?api-version=1", "text",
           chat(None, "a", "tool_calls", call("1", '{"city":"Bonn","days":1}')),
           chat(None, "b", "tool_calls", call("2", '{"city":"Bonn","days":1}')),
           chat(None, "a", "tool_calls", call("1", '{"city":"Rome","days":1}')),
           '[["weather","{\\"city\\":\\"Bonn\\",\\"days\\":1}"]]', metrics=("tools_agree", "tool_names_agree")),
    Sample("openai-chat", "/invocations", "text",  # MLflow and SageMaker's containers for chat models
           chat("It is fine.", "a"), chat("It is fine.", "bb"), chat("It rains.", "a"), '"It is fine."'),
    Sample("openai-completions", "/invocations", "text",
           {"id": "1", "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]},
           {"id": "2", "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]},
           {"id": "1", "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}]}, '"a"'),
    Sample("openai-completions", "/v1/completions", "text",
           {"id": "1", "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}, {"index": 1, "text": "b"}]},
           {"id": "2", "choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a", "finish_reason": "stop"}]},
           {"id": "1", "choices": [{"index": 0, "text": "a", "finish_reason": "stop"}, {"index": 1, "text": "c"}]},
           '["a","b"]'),
    Sample("openai-embeddings", "/v1/embeddings", "embedding",
           vectors([0.6, 0.8], [1.0, 0.0]), vectors([0.6, 0.8], [1.0, 0.0], encoded=True),
           vectors([0.8, 0.6], [1.0, 0.0]), "[[0.6,0.8],[1.0,0.0]]",
           metrics=("cosine", "euclidean_distance", "dimension_mismatch")),
    Sample("openai-responses", "/v1/responses", "text",
           response("fine", "1"), response("fine", "22"), response("bad", "1"), '"fine"', metrics=("similarity",)),
    Sample("anthropic", "/v1/messages", "text",
           message("fine", "1"), message("fine", "2"), message("other", "1", "max_tokens"), '"fine"',
           metrics=("finish_reason_agrees",)),
    Sample("cohere-rerank", "/v2/rerank", "ranking",
           {"id": "1", "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.5}]},
           {"id": "2", "results": [{"index": 2, "relevance_score": 0.9000001}, {"index": 0, "relevance_score": 0.5}]},
           {"id": "1", "results": [{"index": 0, "relevance_score": 0.9}, {"index": 2, "relevance_score": 0.5}]},
           "[2,0]", metrics=("top1_agreement", "top_overlap", "kendall_tau", "rank_biased_overlap")),
    Sample("vllm-rerank", "/v1/rerank", "ranking",
           {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.7}]},
           {"results": [{"relevance_score": 0.1000001, "index": 0}, {"index": 1, "relevance_score": 0.7}]},
           {"results": [{"index": 0, "relevance_score": 0.7}, {"index": 1, "relevance_score": 0.1}]}, "[1,0]"),
    Sample("vllm-score", "/score", "score",
           {"id": "1", "data": [{"index": 0, "score": 0.4}]}, {"id": "2", "data": [{"index": 0, "score": 0.4000001}]},
           {"id": "1", "data": [{"index": 0, "score": 0.6}]}, "0.4", metrics=("flips_up", "flips_down", "difference")),
    Sample("vllm-classify", "/classify", "label",
           {"id": "1", "data": [{"index": 0, "label": "a", "probs": [0.9, 0.1]}]},
           {"id": "2", "data": [{"index": 0, "label": "a", "probs": [0.8999999, 0.1000001]}]},
           {"id": "1", "data": [{"index": 0, "label": "b", "probs": [0.2, 0.8]}]}, '"a"'),
    Sample("cohere-embed", "/v2/embed", "embedding",
           {"id": "1", "embeddings": {"float": [[1.0, 0.0]]}}, {"id": "2", "embeddings": {"float": [[1.0, 1e-8]]}},
           {"id": "1", "embeddings": {"float": [[0.0, 1.0]]}}, "[1.0,0.0]"),
    Sample("tei-embed", "/embed", "embedding",
           [[1.0, 0.5]], [[1.0, 0.5000001]], [[0.5, 1.0]], "[1.0,0.5]", metrics=("cosine",)),
    Sample("tei-embed-all", "/embed_all", "embedding",
           [[[1.0, 0.5], [0.5, 1.0]]], [[[1.0, 0.5], [0.5, 1.0000001]]], [[[1.0, 0.5], [0.5, -1.0]]],
           "[[1.0,0.5],[0.5,1.0]]"),
    Sample("tei-embed-sparse", "/embed_sparse", "opaque",
           [[{"index": 7, "value": 0.5}]], [[{"index": 7, "value": 0.5000001}]], [[{"index": 8, "value": 0.5}]], ""),
    Sample("tei-predict", "/predict", "probabilities",
           [{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.1}],
           [{"label": "pos", "score": 0.9000001}, {"label": "neg", "score": 0.0999999}],
           [{"label": "neg", "score": 0.8}, {"label": "pos", "score": 0.2}], '"pos"'),
    Sample("tei-rerank", "/rerank", "ranking",
           [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.2}],
           [{"index": 1, "score": 0.9000001}, {"index": 0, "score": 0.2}],
           [{"index": 0, "score": 0.9}, {"index": 1, "score": 0.2}], "[1,0]"),
    Sample("tei-similarity", "/similarity", "number", [0.5, 0.25], [0.5, 0.2500001], [0.5, 0.75], "[0.5,0.25]"),
    Sample("seldon", "/seldon/ns/d/api/v1.0/predictions", "probabilities",
           {"data": {"ndarray": [[0.2, 0.8]]}, "meta": {"puid": "1"}},
           {"data": {"ndarray": [[0.2, 0.8]]}, "meta": {"puid": "2"}},
           {"data": {"ndarray": [[0.9, 0.1]]}, "meta": {"puid": "1"}}, "1"),
    Sample("seldon", "/api/v0.1/predictions", "probabilities",
           {"data": {"tensor": {"shape": [2, 2], "values": [0.2, 0.8, 0.6, 0.4]}}, "meta": {}},
           {"data": {"tensor": {"shape": [2, 2], "values": [0.2, 0.8, 0.6, 0.4]}}, "meta": {"puid": "2"}},
           {"data": {"tensor": {"shape": [2, 2], "values": [0.2, 0.8, 0.4, 0.6]}}, "meta": {}}, "[1,0]"),
    Sample("bentoml", "/classify_image", "label", "cat", b' "c\\u0061t"\n', "dog", '"cat"', auto=False),
    Sample("ray-serve", "/app", "opaque", {"a": 1}, {"a": 1.0}, {"a": 2}, "", auto=False),
]  # fmt: skip
