"""In what form a copy arrives, through the whole proxy; production's request is what the client sent."""

from __future__ import annotations

from pathlib import Path

from tests.support.client import Client, post
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BODY = b'{ "n": 18446744073709551617, "model" : "m1",\n  "f": 1.10, "text": "Z\\u00fcrich", "big": 1e400 }'


def test_copies_are_what_their_settings_say_and_production_is_untouched(tmp_path: Path) -> None:
    with Upstream() as production, Upstream() as v2, Upstream() as v3:
        config = {
            "production": {"url": production.url},
            "candidates": [
                {
                    "name": "v2",
                    "url": v2.url,
                    "json": {"set": {"$.model": "m2"}},
                    "headers": {"set": {"Authorization": "Bearer v2's own"}, "remove": ["X-Debug"]},
                    "path": {"replace": "/v1/", "with": "/models/m2/v1/"},
                },
                {"name": "v3", "url": v3.url, "credentials": "forward", "host": "preserve"},
            ],
        }
        sent = ("Authorization: Bearer user", f"traceparent: {TRACE}", "tracestate: a=1", "X-Debug: on")
        with Proxy(tmp_path, config) as proxy, Client(proxy.address) as client:
            assert client.ask(post("/v1/completions?x=%2Fv1%2F", BODY, *sent)).status == 200
            (one,), (two,), (three,) = (upstream.wait_requests(1) for upstream in (production, v2, v3))
    assert (one.target, one.data) == (b"/v1/completions?x=%2Fv1%2F", BODY)
    for line in sent:
        name, _, value = line.partition(": ")
        assert one.get(name.encode()) == value.encode()
    assert two.target == b"/models/m2/v1/completions?x=%2Fv1%2F"
    assert two.data == BODY.replace(b'"m1"', b'"m2"')
    assert two.get(b"content-length") == b"%d" % len(two.data)
    assert two.head.all(b"authorization") == [b"Bearer v2's own"]
    assert two.get(b"x-debug") is None
    assert (two.get(b"host"), three.get(b"host")) == (b"127.0.0.1:%d" % v2.port, b"model.test")
    assert three.data == BODY
    assert three.get(b"authorization") == b"Bearer user"
    parents = [copy.get(b"traceparent") or b"" for copy in (two, three)]
    for parent in parents:
        assert parent[:36] == TRACE[:36].encode()
        assert parent[-3:] == b"-01"
    assert len({TRACE.encode(), *parents}) == 3
    assert [copy.get(b"tracestate") for copy in (two, three)] == [b"a=1"] * 2


def test_a_copy_that_waits_for_production_leaves_when_it_has_answered(tmp_path: Path) -> None:
    with Upstream() as production, Upstream() as shared:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": shared.url, "send": "after_production"}],
        }
        with Proxy(tmp_path, config) as proxy, Client(proxy.address) as client:
            for number in range(5):
                client.ask(post("/", b"%d" % number))
            log = proxy.wait_pairs(5)
    for pair in log.pairs:
        shadow, first = pair["shadow"]["timing_ms"], pair["production"]["timing_ms"]
        assert shadow["start"] >= first["start"] + first["total"] - 0.01
