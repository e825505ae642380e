"""Calls that are known to have no effect but their answer: a POST of theirs may be sent again.

A table of paths of the model servers' predict calls, as their documents give them. What generates text is not here:
a second generation costs money, and is another text.
"""

from __future__ import annotations

import re
from typing import Final

_PATHS: Final = (
    # Open Inference Protocol v2: KServe, Triton, MLServer
    rb"/v2/models/[^/]+(?:/versions/[^/]+)?/infer",
    # TensorFlow Serving REST and KServe v1
    rb"/v1/models/[^/:]+(?:/versions/[^/:]+|/labels/[^/:]+)?:(?:predict|classify|regress)",
    # TorchServe
    rb"/predictions/[^/]+(?:/[^/]+)?",
    # SageMaker containers, MLflow
    rb"/invocations",
    # Seldon Core 1
    rb"/seldon/[^/]+/[^/]+/api/v[01]\.[01]/predictions",
    # OpenAI-style embeddings, vLLM and Cohere scores, TEI
    rb"/v1/embeddings|/v[12]/rerank|/rerank|/v1/score|/score|/embed|/embed_all|/embed_sparse|/similarity",
)
_STATELESS: Final = re.compile(rb"(?:" + rb"|".join(_PATHS) + rb")(?:\?.*)?\Z", re.DOTALL)


def is_stateless(target: bytes) -> bool:
    """Whether the target (path and query) is a predict call that may be repeated."""
    return _STATELESS.match(target) is not None
