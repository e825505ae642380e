from __future__ import annotations

import pytest

from shadowproxy.core.stateless import is_stateless


@pytest.mark.parametrize(
    ("target", "stateless"),
    [
        (b"/v2/models/iris/infer", True),
        (b"/v2/models/iris/versions/3/infer", True),
        (b"/v2/models/iris/infer?trace=1", True),
        (b"/v1/models/iris:predict", True),
        (b"/v1/models/iris/versions/3:classify", True),
        (b"/v1/models/iris/labels/canary:regress", True),
        (b"/predictions/iris", True),
        (b"/predictions/iris/2.0", True),
        (b"/invocations", True),
        (b"/seldon/ns/iris/api/v1.0/predictions", True),
        (b"/v1/embeddings", True),
        (b"/rerank", True),
        (b"/v2/models/iris/generate", False),
        (b"/v1/chat/completions", False),
        (b"/v1/completions", False),
        (b"/v2/models/a/b/infer", False),
        (b"/v2/models//infer", False),
        (b"/invocations/", False),
        (b"/orders/invocations", False),
        (b"/invocations\n", False),
        (b"/", False),
    ],
)
def test_a_predict_call_may_be_repeated_and_nothing_else(target: bytes, stateless: bool) -> None:
    assert is_stateless(target) == stateless
