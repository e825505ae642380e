"""What is known about model servers' protocols, as data: a further protocol is a further row of `PRESETS`.

Paths of requests are patterns in which `*` stands for anything within a segment. Under `protocol: auto` an answer is
taken for a protocol when the request's path fits and its body has one of the members in `shape`; the first row that
fits both wins, so where servers share a path the more telling shapes stand first. A route that names the protocol
expects every answer to have that shape. A row without paths is there for being named.

Sources: the servers' own documents, as docs/protocols.md lists them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("POST",)
    shape: tuple[str, ...] = ()  # definite JSONPaths, one of which an answer of this protocol has; (): any answer
    error: str | None = "error"  # a 2xx answer with this member is an error
    ignore: tuple[str, ...] = ()  # differ between servers or requests without meaning
    keyed: tuple[tuple[str, str], ...] = ()  # (path of an array of objects, member by which they are paired)
    flat: tuple[str, ...] = ()  # arrays that may come nested or row-major
    typed: tuple[str, ...] = ()  # objects whose member `datatype` says how exact the numbers in them are
    rounded: tuple[tuple[str, str], ...] = ()  # (path, datatype that its numbers were rounded to)
    vectors: str | None = None  # float32 arrays that may come in base64
    stream: str | None = None  # how server-sent events become an answer: a name of `streams.FOLDS`
    # What was decided: a reader of `readers.READERS`, where the decision lies (the first path that matches), its kind.
    reader: str = "path"
    at: tuple[str, ...] = ()
    key: str | None = None
    kind: str = "opaque"


_OPENAI_IGNORED: Final = ("$.id", "$.created", "$.model", "$.system_fingerprint", "$.service_tier")
_USAGE_DETAILS: Final = ("$.usage.prompt_tokens_details", "$.usage.completion_tokens_details")

PRESETS: Final = (
    Preset(
        name="open-inference",  # Open Inference Protocol v2: KServe, Triton, MLServer, Seldon Core 2, OpenVINO
        paths=("/v2/models/*/infer", "/v2/models/*/versions/*/infer"),
        shape=("$.outputs",),
        ignore=(
            "$.id",
            "$.model_name",
            "$.model_version",
            "$.parameters",
            "$.outputs[*].parameters.binary_data_size",
        ),
        keyed=(("$.outputs", "name"),),
        flat=("$.outputs[*].data",),
        typed=("$.outputs[*]",),
        reader="tensors",
    ),
    Preset(
        name="triton-generate",
        paths=tuple(
            f"/v2/models/*{version}/{verb}"
            for version in ("", "/versions/*")
            for verb in ("generate", "generate_stream")
        ),
        shape=("$.text_output",),
        ignore=("$.id", "$.model_name", "$.model_version", "$.sequence_id", "$.sequence_start", "$.sequence_end"),
        stream="triton",
        at=("$.text_output",),
        kind="text",
    ),
    Preset(
        name="tf-serving",  # TensorFlow Serving REST, and what speaks like it
        paths=tuple(
            f"/v1/models/*{version}:{verb}"
            for version in ("", "/versions/*", "/labels/*")
            for verb in ("predict", "classify", "regress")
        ),
        shape=("$.predictions", "$.outputs", "$.result", "$.results"),
        reader="guess",
        at=("$.predictions[*]", "$.outputs[*]", "$.result[*]", "$.results[*]"),
    ),
    Preset(
        name="kserve-v1",
        paths=("/v1/models/*:explain", "/v1/models/*:predict"),
        shape=("$.predictions", "$.explanations"),
        reader="guess",
        at=("$.predictions[*]", "$.explanations[*]"),
    ),
    Preset(
        name="torchserve",
        paths=("/predictions/*", "/predictions/*/*", "/explanations/*"),
        reader="guess",
        at=("$",),
    ),
    Preset(
        name="mlflow",
        paths=("/invocations",),
        shape=("$.predictions",),
        error="error_code",
        reader="guess",
        at=("$.predictions[*]",),
    ),
    Preset(
        name="tgi",  # Hugging Face Text Generation Inference
        paths=("/generate", "/generate_stream", "/", "/invocations"),
        shape=("$.generated_text", "$[0].generated_text"),
        ignore=("$.details.seed", "$[*].details.seed"),
        stream="tgi",
        at=("$.generated_text", "$[*].generated_text"),
        kind="text",
    ),
    Preset(
        name="openai-chat",  # OpenAI, vLLM, SGLang, llama.cpp, TGI, LiteLLM
        paths=(
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
            "/openai/deployments/*/chat/completions",
            "/invocations",  # MLflow, TGI and SageMaker's containers for chat models
        ),
        shape=("$.choices[0].message",),
        ignore=(*_OPENAI_IGNORED, *_USAGE_DETAILS, "$.choices[*].message.tool_calls[*].id"),
        keyed=(("$.choices", "index"),),
        stream="openai-chat",
        reader="messages",
        at=("$.choices[*]",),
        key="index",
        kind="text",
    ),
    Preset(
        name="openai-completions",
        paths=("/v1/completions", "/openai/v1/completions", "/openai/deployments/*/completions", "/invocations"),
        shape=("$.choices[0].text",),
        ignore=(*_OPENAI_IGNORED, *_USAGE_DETAILS),
        keyed=(("$.choices", "index"),),
        stream="openai-completions",
        reader="messages",
        at=("$.choices[*]",),
        key="index",
        kind="text",
    ),
    Preset(
        name="openai-embeddings",  # OpenAI, vLLM, TEI
        paths=("/v1/embeddings", "/openai/v1/embeddings", "/openai/deployments/*/embeddings"),
        shape=("$.data",),
        ignore=("$.id", "$.created", "$.model", *_USAGE_DETAILS),
        keyed=(("$.data", "index"),),
        rounded=(("$.data[*].embedding", "FP32"),),
        vectors="$.data[*].embedding",
        at=("$.data[*].embedding",),
        key="index",
        kind="embedding",
    ),
    Preset(
        name="openai-responses",
        paths=("/v1/responses", "/openai/v1/responses"),
        shape=("$.output",),
        ignore=(
            *_OPENAI_IGNORED,
            "$.created_at",
            "$.completed_at",
            "$.previous_response_id",
            "$.output[*].id",
            "$.output[*].call_id",
            "$.usage.input_tokens_details",
            "$.usage.output_tokens_details",
        ),
        stream="openai-responses",
        reader="response",
        kind="text",
    ),
    Preset(
        name="anthropic",  # Anthropic, vLLM
        paths=("/v1/messages",),
        shape=("$.content",),
        ignore=("$.id", "$.model", "$.content[*].id", "$.usage.service_tier", "$.usage.cache_creation"),
        stream="anthropic",
        reader="blocks",
        kind="text",
    ),
    Preset(
        name="cohere-rerank",
        paths=("/v2/rerank",),
        shape=("$.results",),
        ignore=("$.id", "$.meta"),
        rounded=(("$.results", "FP32"),),
        reader="ranked",
        at=("$.results",),
        kind="ranking",
    ),
    Preset(
        name="vllm-rerank",
        paths=("/rerank", "/v1/rerank"),
        shape=("$.results",),
        ignore=("$.id", "$.model"),
        rounded=(("$.results", "FP32"),),
        reader="ranked",
        at=("$.results",),
        kind="ranking",
    ),
    Preset(
        name="vllm-score",
        paths=("/score", "/v1/score"),
        shape=("$.data",),
        ignore=("$.id", "$.created", "$.model"),
        keyed=(("$.data", "index"),),
        rounded=(("$.data", "FP32"),),
        at=("$.data[*].score",),
        key="index",
        kind="score",
    ),
    Preset(
        name="vllm-classify",
        paths=("/classify",),
        shape=("$.data",),
        ignore=("$.id", "$.created", "$.model"),
        keyed=(("$.data", "index"),),
        rounded=(("$.data", "FP32"),),
        at=("$.data[*].label",),
        key="index",
        kind="label",
    ),
    Preset(
        name="cohere-embed",
        paths=("/v2/embed",),
        shape=("$.embeddings",),
        ignore=("$.id", "$.meta"),
        rounded=(("$.embeddings.float", "FP32"),),
        at=("$.embeddings.float[*]",),
        kind="embedding",
    ),
    Preset(
        name="tei-embed",  # Hugging Face Text Embeddings Inference
        paths=("/embed",),
        shape=("$[0][0]",),
        rounded=(("$", "FP32"),),
        at=("$[*]",),
        kind="embedding",
    ),
    Preset(
        name="tei-embed-all",  # a vector for each token
        paths=("/embed_all",),
        shape=("$[0][0][0]",),
        rounded=(("$", "FP32"),),
        at=("$[*][*]",),
        kind="embedding",
    ),
    Preset(
        name="tei-embed-sparse",
        paths=("/embed_sparse",),
        shape=("$[0][0].index",),
        rounded=(("$", "FP32"),),
    ),
    Preset(
        name="tei-predict",
        paths=("/predict",),  # of many other servers too
        error=None,
        shape=("$[0].label", "$[0][0].label"),
        rounded=(("$", "FP32"),),
        reader="guess",
        at=("$",),
    ),
    Preset(
        name="tei-rerank",
        paths=("/rerank",),
        shape=("$[0].index",),
        rounded=(("$", "FP32"),),
        reader="ranked",
        at=("$",),
        kind="ranking",
    ),
    Preset(
        name="tei-similarity",
        paths=("/similarity",),
        shape=("$[0]",),
        rounded=(("$", "FP32"),),
        at=("$[*]",),
        kind="number",
    ),
    Preset(
        name="seldon",  # Seldon Core 1; Core 2 speaks open-inference
        paths=tuple(
            f"{prefix}/api/v{version}/predictions" for prefix in ("/seldon/*/*", "") for version in ("1.0", "0.1")
        ),
        shape=("$.data", "$.jsonData", "$.strData", "$.binData"),
        ignore=("$.meta",),
        flat=("$.data.tensor.values",),
        reader="guess",
        at=("$.data.ndarray[*]", "$.data.tensor", "$.jsonData", "$.strData", "$.binData"),
    ),
    # What stands below has no shape of its own: any answer is theirs.
    Preset(
        name="sagemaker",  # a container's own answer
        paths=("/invocations",),
        error=None,
        reader="guess",
        at=("$.predictions[*]", "$"),
    ),
    Preset(name="bentoml", error=None, reader="guess", at=("$",)),  # the function's return value; its path is its name
    Preset(name="ray-serve", error=None),  # the application's own answer: only the route can say what it decides
)

BY_NAME: Final = {preset.name: preset for preset in PRESETS}
# What `protocol` may say besides a preset's name: recognise it, or there is none.
AUTO: Final = "auto"
NONE: Final = "none"
NAMES: Final = (AUTO, NONE, *BY_NAME)

_REMEMBERED: Final = 1024
_REMEMBERED_CHARACTERS: Final = 256  # longer paths are matched each time


def _pattern(preset: Preset) -> re.Pattern[str] | None:
    paths = ("[^/]+".join(re.escape(part) for part in path.split("*")) for path in preset.paths)
    return re.compile(f"(?:{'|'.join(paths)})/?") if preset.paths else None


_RECOGNISED: Final = tuple((preset, pattern) for preset in PRESETS if (pattern := _pattern(preset)) is not None)


def recognise(method: str, target: str) -> tuple[Preset, ...]:
    """The presets that a request's method and target fit, the most telling first; the query says nothing."""
    path = target.partition("?")[0]
    return _fitting(method, path) if len(path) <= _REMEMBERED_CHARACTERS else _fitting.__wrapped__(method, path)


@lru_cache(maxsize=_REMEMBERED)  # a model server has few paths; a hostile client only costs its own matching
def _fitting(method: str, path: str) -> tuple[Preset, ...]:
    return tuple(
        preset for preset, pattern in _RECOGNISED if method in preset.methods and pattern.fullmatch(path or "/")
    )


def has(value: Any, steps: tuple[str | int, ...]) -> bool:
    """Whether a value has a place, given by names and indexes."""
    for step in steps:
        if step.__class__ is str:
            if value.__class__ is not dict or step not in value:
                return False
        elif value.__class__ is not list or not isinstance(step, int) or step >= len(value):
            return False
        value = value[step]
    return True
