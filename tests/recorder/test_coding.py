"""Content codings: removed where they are known and whole, with a bound on what comes out."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest

from shadowproxy.recorder.coding import FAILED, Decoded, decode

TEXT = b'{"label":"a"}' * 100
RAW = zlib.compressobj(wbits=-15)
BARE = RAW.compress(TEXT) + RAW.flush()
GZIP = gzip.compress(TEXT, mtime=0)
LIMIT = 10_000


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (GZIP, "gzip"),
        (GZIP, " GZip "),
        (GZIP, "x-gzip"),
        (GZIP, "identity, gzip"),
        (zlib.compress(TEXT), "deflate"),
        (BARE, "deflate"),
        (gzip.compress(zlib.compress(TEXT), mtime=0), "deflate, gzip"),
        (gzip.compress(TEXT[:500], mtime=0) + gzip.compress(TEXT[500:], mtime=0), "gzip"),
        (GZIP + bytes(20), "gzip"),
    ],
)
def test_what_is_known_is_removed(body: bytes, codings: str) -> None:
    assert decode(body, codings, LIMIT) == Decoded(TEXT, False)


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (GZIP, "br"),
        (GZIP, "gzip, zstd"),
        (GZIP[:-1], "gzip"),
        (GZIP[:20], "gzip"),
        (b"no gzip", "gzip"),
        (b"no deflate", "deflate"),
        (GZIP, "gzip, gzip"),
        (GZIP, "gzip, gzip, gzip, gzip"),
        (GZIP[:-8] + bytes(8), "gzip"),
    ],
)
def test_what_is_unknown_or_broken_fails(body: bytes, codings: str) -> None:
    assert decode(body, codings, LIMIT) == FAILED


def test_a_prefix_gives_the_prefix_of_what_it_holds() -> None:
    decoded = decode(gzip.compress(bytes(range(256)) * 100)[:200], "gzip", LIMIT, truncated=True)
    assert decoded.truncated
    assert decoded.body is not None
    assert (bytes(range(256)) * 100).startswith(decoded.body)


@pytest.mark.parametrize(
    ("limit", "expected"), [(len(TEXT), Decoded(TEXT, False)), (len(TEXT) - 1, Decoded(TEXT[:-1], True))]
)
def test_the_limit_is_exact(limit: int, expected: Decoded) -> None:
    assert decode(GZIP, "gzip", limit) == expected


@pytest.mark.parametrize("codings", ["gzip", "gzip, gzip", "gzip, gzip, gzip"])
def test_bombs_cost_what_is_allowed(codings: str) -> None:
    bomb = bytes(200 << 20)
    for _ in codings.split(","):
        bomb = gzip.compress(bomb, 1, mtime=0)
    before = time.process_time()
    decoded = decode(bomb, codings, LIMIT)
    # Unpacked whole, 200 MiB take a second; the inner layers of a nested one are cut off and so refused or truncated.
    assert time.process_time() - before < 0.5
    assert decoded.body is None or (len(decoded.body) <= LIMIT and decoded.truncated)


def test_many_members_are_no_way_around_the_limit() -> None:
    body = gzip.compress(b"", mtime=0) * 5000
    assert decode(body, "gzip", LIMIT) == FAILED
    body = gzip.compress(bytes(5000)) * 10
    assert decode(body, "gzip", LIMIT) == Decoded(bytes(LIMIT), True)


@pytest.mark.parametrize("codings", ["gzip", "br", "deflate, gzip"])
def test_no_body_has_no_coding(codings: str) -> None:
    assert decode(b"", codings, LIMIT) == Decoded(b"", False)
