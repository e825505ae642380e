"""What production gets changed, where its settings say so."""

from __future__ import annotations

import msgspec
import pytest

from shadowproxy.http1 import request, serialise
from shadowproxy.proxy.rewrite import Rewrite, rewrite_of
from shadowproxy.settings.snapshot import Production

PLAIN = Production(urls=("http://h:1",))


def rewritten(head: bytes, **settings: object) -> bytes:
    parsed = request.parse(head, 100)
    return Rewrite(msgspec.structs.replace(PLAIN, **settings)).head(serialise.request_head(parsed, b""), parsed)


HEAD = b"POST /v1/models/a:predict?u=/v1/models/a HTTP/1.1\r\nHost: h\r\nX-Key: old\r\nContent-Length: 3\r\n\r\n"


def test_without_a_setting_there_is_nothing_that_rewrites() -> None:
    assert rewrite_of(PLAIN) is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"path_replace": "/models/a", "path_with": "/models/b"},
            b"POST /v1/models/b:predict?u=/v1/models/a HTTP/1.1\r\nHost: h\r\nX-Key: old\r\nContent-Length: 3\r\n",
        ),
        (
            {"headers_set": (("X-Key", "new"), ("X-More", "1"))},
            b"POST /v1/models/a:predict?u=/v1/models/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
            b"X-Key: new\r\nX-More: 1\r\n",
        ),
        (
            {"headers_remove": ("x-key",)},
            b"POST /v1/models/a:predict?u=/v1/models/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n",
        ),
        (
            {"json_set": (("$.model", "m2"),)},
            b"POST /v1/models/a:predict?u=/v1/models/a HTTP/1.1\r\nHost: h\r\nX-Key: old\r\n",
        ),
    ],
)
def test_a_head_is_changed_in_what_is_named_and_in_nothing_else(settings: dict[str, object], expected: bytes) -> None:
    assert rewritten(HEAD, **settings) == expected


def test_a_head_without_a_body_keeps_its_framing() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    assert rewritten(head, json_set=(("$.model", "m2"),)) == b"GET / HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1, "model": "m1"}', b'{"a": 1, "model": "m2"}'),
        (b"no json", b"no json"),  # production answers for itself what it makes of it
        (b"[]", b"[]"),
    ],
)
def test_a_body_that_cannot_be_rewritten_leaves_as_it_is(body: bytes, expected: bytes) -> None:
    rewrite = rewrite_of(msgspec.structs.replace(PLAIN, json_set=(("$.model", "m2"),)))
    assert rewrite is not None
    assert rewrite.body(body) == expected
