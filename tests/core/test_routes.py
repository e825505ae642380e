from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.routes import Router, compile_path, compile_value
from shadowproxy.settings.snapshot import Match


def fields(given: Mapping[bytes, bytes]) -> Any:
    return given.get


NOTHING = fields({})


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/predict", b"/predict", True),
        ("/predict", b"/predict/", False),
        ("/predict", b"/predictions", False),
        ("/predict", b"x/predict", False),
        ("/predict", b"/predict\n", False),
        ("/v1/*/predict", b"/v1/iris/predict", True),
        ("/v1/*/predict", b"/v1//predict", True),
        ("/v1/*/predict", b"/v1/a/b/predict", False),
        ("/v1/**/predict", b"/v1/a/b/predict", True),
        ("/v1/**", b"/v1/", True),
        ("/v1/**", b"/v1", False),
        ("/v1/models/*:predict", b"/v1/models/iris:predict", True),
        ("/v1/models/*:predict", b"/v1/models/iris:classify", False),
        ("*", b"/", False),
        ("**", b"/anything/at/all", True),
        ("/a.b", b"/axb", False),
        ("/a+b", b"/a+b", True),
        ("/a?b", b"/ab", False),
        ("/[ab]", b"/a", False),
        ("/caf\u00e9", "/caf\u00e9".encode(), True),
        ("/a%2Fb", b"/a%2Fb", True),
        ("/*", b"/a%2Fb", True),
        ("/*", b"/a\nb", True),
    ],
)
def test_a_path_is_matched_as_a_glob(glob: str, path: bytes, matches: bool) -> None:
    assert bool(compile_path(glob).match(path)) == matches


@pytest.mark.parametrize(
    ("glob", "value", "matches"),
    [
        ("gold", b"gold", True),
        ("gold", b"golden", False),
        ("gold*", b"golden/rod", True),
        ("*", b"", True),
        ("*x*", b"axb", True),
        ("*x*", b"ab", False),
        ("a.c", b"abc", False),
        ("**", b"any", True),
    ],
)
def test_a_value_is_matched_as_a_whole(glob: str, value: bytes, matches: bool) -> None:
    assert bool(compile_value(glob).match(value)) == matches


@given(st.binary(max_size=30))
def test_a_pattern_of_one_star_matches_exactly_the_segments(segment: bytes) -> None:
    assert bool(compile_path("/*").match(b"/" + segment)) == (b"/" not in segment)


def found(match: Match, method: bytes = b"POST", target: bytes = b"/", **given: bytes) -> bool:
    values = {name.replace("_", "-").encode(): value for name, value in given.items()}
    return Router([match]).find(method, target, fields(values)) == 0


@pytest.mark.parametrize(
    ("match", "target", "matches"),
    [
        (Match(), b"/x?y", True),
        (Match(path="/x"), b"/x?y=/z", True),
        (Match(methods=("post",)), b"/", True),
        (Match(methods=("GET", "PUT")), b"/", False),
        (Match(query=(("q", "1"),)), b"/?q=1", True),
        (Match(query=(("q", "1"),)), b"/?q=2", False),
        (Match(query=(("q", "1"),)), b"/", False),
        (Match(query=(("q", "1"),)), b"/?q=2&q=1", True),
        (Match(query=(("q", "*"),)), b"/?q", True),
        (Match(query=(("q", "a b"),)), b"/?q=a+b", True),
        (Match(query=(("q", "a b"),)), b"/?q=a%20b", True),
        (Match(query=(("q", "1"), ("r", "2"))), b"/?r=2&q=1", True),
        (Match(query=(("q", "1"), ("r", "2"))), b"/?q=1", False),
        (Match(query=(("city", "Zürich"),)), b"/?city=Z%C3%BCrich", True),
        (Match(query=(("q", "1"),)), b"/?city=Z%C3%BCrich&q=1", True),
        (Match(query=(("q", "1"),)), b"/?%FF=%FF&q=1", True),
    ],
)
def test_method_path_and_query_decide(match: Match, target: bytes, matches: bool) -> None:
    assert found(match, target=target) == matches


@pytest.mark.parametrize(
    ("given", "matches"),
    [({}, False), ({"x_tier": b"gold"}, True), ({"x_tier": b"silver"}, False), ({"x_tier": b""}, False)],
)
def test_a_header_decides_by_its_first_value(given: dict[str, bytes], matches: bool) -> None:
    assert found(Match(headers=(("X-Tier", "g*"),)), **given) == matches


def test_the_first_route_that_matches_takes_the_request() -> None:
    router = Router([Match(path="/a"), Match(path="/*"), Match(methods=("GET",))])
    assert [router.find(b"POST", target, NOTHING) for target in (b"/a", b"/b", b"/b/c")] == [0, 1, None]
    assert router.find(b"GET", b"/b/c", NOTHING) == 2
    assert Router([]).find(b"GET", b"/", NOTHING) is None


def test_a_rule_about_the_body_decides_once_the_body_is_known() -> None:
    router = Router([Match(json=(("$.model", "m2"), ("$.stream", True))), Match()])
    assert router.needs_body
    assert not Router([Match(path="/a")]).needs_body
    bodies = [
        ({"$.model": "m2", "$.stream": True}, 0),
        ({"$.model": "m2", "$.stream": 1}, 1),
        ({"$.model": "m1", "$.stream": True}, 1),
        ({}, 1),
    ]
    for body, route in bodies:
        assert router.find(b"POST", b"/", NOTHING, body.get) == route


MATCHES = st.builds(
    Match,
    path=st.sampled_from([None, "/a", "/*", "/a/**", "**"]),
    methods=st.sampled_from([(), ("GET",), ("POST", "PUT")]),
    query=st.sampled_from([(), (), (("q", "1"),)]),
)


@given(
    st.lists(MATCHES, max_size=4),
    st.lists(
        st.tuples(st.sampled_from([b"GET", b"POST"]), st.sampled_from([b"/a", b"/b", b"/a/b", b"/a?q=1"])), max_size=20
    ),
)
def test_what_is_remembered_is_what_would_be_found(matches: list[Match], asked: list[tuple[bytes, bytes]]) -> None:
    router = Router(matches)
    for method, target in asked:
        assert router.find(method, target, NOTHING) == Router(matches).find(method, target, NOTHING)


def test_the_memory_is_bounded_in_number_and_in_length() -> None:
    router = Router([Match(path="/a")])
    for number in range(3000):
        assert router.find(b"GET", b"/%d" % number, NOTHING) is None
        assert len(router._remembered) <= 1024
    router = Router([Match(path="/a")])
    assert router.find(b"GET", b"/" + b"a" * 1000, NOTHING) is None
    assert router._remembered == {}
