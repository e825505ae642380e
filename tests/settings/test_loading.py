"""What a file and flags come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shadowproxy.core.trial import trial_id
from shadowproxy.settings import snapshot as s
from shadowproxy.settings.load import Loaded, Overrides, load

PRODUCTION = "production: {url: 'http://p:1', name: v1, version: abc, host: upstream}\n"


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def read(text: str, overrides: Overrides | None = None, **environment: str) -> Loaded:
        path = tmp_path / "f.yaml"
        path.write_text(text)
        return load(str(path), overrides, environment)

    return read


def test_the_defaults_of_the_model_are_those_of_the_snapshot(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Two places say each default: the file's spelling and what processes read. This holds them together."""
    text = "production: {url: 'http://p:1'}\ncandidates: [{name: a, url: 'http://a:1'}]\n"
    expected = s.Snapshot(
        production=s.Production(urls=("http://p:1",)),
        candidates=(
            s.Candidate(
                name="a",
                url="http://a:1",
                trial=trial_id("production", ("http://p:1",), "", s.Candidate(name="a", url="http://a:1")),
            ),
        ),
        pairs=s.Pairs(dir=str(tmp_path / "shadow-pairs")),
        state=str(tmp_path / "shadow-state"),
    )
    assert read(text).snapshot == expected


def test_a_notice_s_defaults_are_all_events_as_json(read) -> None:  # type: ignore[no-untyped-def]
    (notify,) = read(PRODUCTION + "notify: [{url: 'https://h/x'}]").snapshot.notify
    assert notify.on == ("verdict", "breaker", "coverage", "promoted", "rolled_back", "stopped")
    assert notify.format == "json"


VALUES = [
    ("listen: ':80'", "listen", "0.0.0.0:80"),
    ("listen: '[::1]:80'", "listen", "[::1]:80"),
    ("listen: '[0:0::1]:080'", "listen", "[::1]:80"),
    ("listen: LocalHost:0", "listen", "localhost:0"),
    ("workers: 3", "workers", 3),
    ("workers: '3'", "workers", 3),
    ("workers: ${N}", "workers", 4),
    ("workers: '${N}'", "workers", 4),
    ("admin: {listen: off}", "admin.listen", None),
    ("admin: {listen: 'off'}", "admin.listen", None),
    ("admin: {listen: '0.0.0.0:9', token: t}", "admin.listen", "0.0.0.0:9"),
    ("answer_request_id: on", "answer_request_id", True),
    ("answer_request_id: no", "answer_request_id", False),
    ("answer_request_id: True", "answer_request_id", True),
    ("trusted_proxies: [10.1.2.3/8, '::1']", "trusted_proxies", ("10.0.0.0/8", "::1/128")),
    ("limits: {body: 0}", "limits.body", 0),
    ("limits: {body: 1.5KiB, drain: 1m30s}", "limits.drain", 90.0),
    ("limits:", "limits.headers", 100),
    ("limits: {headers: }", "limits.headers", 100),
    ("limits: null", "limits.headers", 100),
    ("via: on", "via", "on"),
    ("via: 1.10", "via", "1.10"),
    ("state: /x/../y", "state", "/y"),
    ("gates: []", "gates", ()),
    ("gates:", "gates", None),
    ("gates: ['disagreement<=1%']", "gates", ("disagreement<=1%",)),
    ("routes: []", "routes", ()),
    ("compare: {tolerance: {relative: 1e-6}}", "compare.relative", 1e-6),
    ("compare: {tolerance: {relative: 1e-6}}", "routes.0.compare.relative", 1e-6),
    ("compare: {unordered: ['$.a', '$.b  by  id']}", "compare.unordered", ("$.a", "$.b by id")),
    ("compare: {ignore: ['$.a', header:Date]}", "compare.ignore", ("$.a", "header:Date")),
    ("statistics: {coverage: 0.9}", "statistics.coverage", 0.9),
    ("pairs: {redact: {query: [], how: remove}}", "pairs.redact", s.Redact(query=(), how="remove")),
    ("twin: {url: 'http://t:1'}", "twin.version", "abc"),  # a twin is production unless it is said to differ
    ("twin: {url: 'http://t:1', version: ''}", "twin.version", ""),
    ("twin: {url: 'http://t:1'}", "twin.host", "upstream"),
    ("twin: {url: 'http://t:1'}", "twin.gated", False),
    ("twin: {url: production}", "twin.url", "http://p:1"),
    ("twin: {url: production}", "twin.host", "upstream"),
    ("twin: {url: production, host: preserve}", "twin.host", "preserve"),
]


def at(snapshot: Any, path: str) -> Any:
    for step in path.split("."):
        snapshot = snapshot[int(step)] if step.isdigit() else getattr(snapshot, step)
    return snapshot


@pytest.mark.parametrize(("text", "path", "value"), VALUES, ids=[row[0] for row in VALUES])
def test_a_value_takes_effect(read, text: str, path: str, value: Any) -> None:  # type: ignore[no-untyped-def]
    assert at(read(PRODUCTION + text, N="4").snapshot, path) == value


CANDIDATE_VALUES = [
    ("url: HTTPS://Host.Example/", "url", "https://host.example"),
    ("url: http://[::1]:90", "url", "http://[::1]:90"),
    ("version: 1.10", "version", "1.10"),
    ("version: 12345e7", "version", "12345e7"),
    ("version: no", "version", "no"),
    ("version: 2024-11-05", "version", "2024-11-05"),
    ("sample: 5%", "sample", 0.05),
    ("sample: 0.5", "sample", 0.5),
    ("sample: 0", "sample", 0.0),
    ("sample_key: cookie:sid", "sample_key", "cookie:sid"),
    ("timeout: 2s", "timeout", 2.0),
    ("timeout: auto", "timeout", None),
    ("stop: {after: never, on: [PASS, FAIL]}", "stop_after", None),
    ("stop: {on: [FAIL]}", "stop_on", ("FAIL",)),
    ("gated: off", "gated", False),
    ("host: model.internal:8080", "host", "model.internal:8080"),
    ("headers: {set: {Authorization: 'Bearer ${T}', X-N: 5}, remove: [X-D]}", "headers_set",
     (("Authorization", "Bearer tok"), ("X-N", "5"))),
    ("headers: {remove: [X-D]}", "headers_remove", ("X-D",)),
    ("json: {set: {$.model: m2, $.n: 5, $.t: true, $.q: '5', $.z: null, $.l: [1, no, {a: .5}], $.e: '${T}'}}",
     "json_set", (("$.model", "m2"), ("$.n", 5), ("$.t", True), ("$.q", "5"), ("$.z", None),
                  ("$.l", [1, "no", {"a": 0.5}]), ("$.e", "tok"))),
    ("path: {replace: /a, with: /b}", "path_replace", "/a"),
    ("path: {replace: /a, with: /b}", "path_with", "/b"),
    ("breaker: {failures: 3, window: 1s, probe: 2s}", "breaker", s.Breaker(failures=3, window=1.0, probe=2.0)),
    ("tls: {verify: no, server_name: x}", "tls", s.UpstreamTls(verify=False, server_name="x")),
    ("gates: ['disagreement<=5%']", "gates", ("disagreement<=5%",)),
    ("gates: []", "gates", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "value"), CANDIDATE_VALUES, ids=[row[0] for row in CANDIDATE_VALUES])
def test_a_candidate_s_value_takes_effect(read, text: str, field: str, value: Any) -> None:  # type: ignore[no-untyped-def]
    url = "" if text.startswith("url:") else "  url: http://c:1\n"
    loaded = read(f"{PRODUCTION}candidates:\n- name: v2\n{url}  {text}\n", T="tok")
    assert getattr(loaded.snapshot.candidates[0], field) == value


def test_a_route_s_compare_lies_over_the_global_one_key_by_key(read) -> None:  # type: ignore[no-untyped-def]
    text = """
compare: {ignore: [$.a], up_to: 1KiB, tolerance: {absolute: 2, relative: 3}}
routes:
- {name: own, compare: {ignore: [$.b], tolerance: {relative: 4}}}
- {}
"""
    first, second = read(PRODUCTION + text).snapshot.routes
    assert (first.name, second.name) == ("own", "route-2")
    assert first.compare == s.Compare(up_to=1024, ignore=("$.b",), absolute=2.0, relative=4.0)
    assert second.compare == s.Compare(up_to=1024, ignore=("$.a",), absolute=2.0, relative=3.0)


def test_a_candidate_s_gates_lie_over_the_global_ones(read) -> None:  # type: ignore[no-untyped-def]
    text = """
gates: [disagreement<=1%, error_rate_increase<=0.5pp]
candidates:
- {name: a, url: 'http://a:1'}
- {name: b, url: 'http://b:1', gates: [disagreement<=9%]}
"""
    snapshot = read(PRODUCTION + text).snapshot
    assert snapshot.gates == ("disagreement<=1%", "error_rate_increase<=0.5pp")
    assert [c.gates for c in snapshot.candidates] == [
        ("disagreement<=1%", "error_rate_increase<=0.5pp"),
        ("error_rate_increase<=0.5pp", "disagreement<=9%"),
    ]


def test_every_key_of_a_route_reaches_the_snapshot(read) -> None:  # type: ignore[no-untyped-def]
    text = """
candidates: [{name: v2, url: 'http://c:1'}]
routes:
- name: r
  match: {path: '/a/**', methods: [PUT], headers: {X-A: b*}, query: {q: '1'}, json: {$.a: 1}}
  candidates: [v2]
  protocol: open-inference
  prediction: {at: '$.a[*]', is: ranking, key: $.id, top: 3}
  key: answer:$.id
  slices: {c: json:$.c}
"""
    (route,) = read(PRODUCTION + text).snapshot.routes
    assert route == s.Route(
        name="r",
        match=s.Match(
            path="/a/**", methods=("PUT",), headers=(("X-A", "b*"),), query=(("q", "1"),), json=(("$.a", 1),)
        ),
        candidates=("v2",),
        protocol="open-inference",
        prediction=s.Prediction(at="$.a[*]", kind="ranking", key="$.id", top=3),
        key="answer:$.id",
        slices=(("c", "json:$.c"),),
    )


def test_tls_files_are_found_from_the_working_directory(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("cert.pem", "key.pem", "ca.pem"):
        (tmp_path / name).write_text("pem")
    text = (
        "tls: {certificate: cert.pem, key: ./key.pem, client_ca: ca.pem}\n"
        "production: {url: 'https://p', tls: {ca: ca.pem, certificate: cert.pem, key: key.pem}}\n"
        "twin: {url: production}\n"
    )
    snapshot = read(text).snapshot
    cert, key, ca = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem"))
    assert snapshot.tls == s.DownstreamTls(certificate=cert, key=key, client_ca=ca)
    assert snapshot.production.tls == s.UpstreamTls(ca=ca, certificate=cert, key=key)
    assert snapshot.twin.tls == snapshot.production.tls


def test_several_urls_of_production_are_kept_in_order(read) -> None:  # type: ignore[no-untyped-def]
    snapshot = read("production: {urls: ['http://b:1', 'http://a:1']}\ntwin: {url: production}\n").snapshot
    assert snapshot.production.urls == ("http://b:1", "http://a:1")
    assert snapshot.twin.url == "http://b:1"


def test_trials_are_named_by_who_is_compared(read) -> None:  # type: ignore[no-untyped-def]
    def trials(text: str) -> tuple[str, ...]:
        snapshot = read(PRODUCTION + text).snapshot
        return (snapshot.twin.trial, *(c.trial for c in snapshot.candidates))

    base = "twin: {url: production}\ncandidates: [{name: a, url: 'http://a:1'%s}]\n"
    first = trials(base % "")
    assert all(trial.rpartition("-")[0] for trial in first)
    assert trials(base % ", sample: 5%") == first
    assert trials(base % ", version: x")[0] == first[0]
    assert trials(base % ", version: x")[1] != first[1]
    assert first[1] == trial_id("v1", ("http://p:1",), "abc", read(PRODUCTION + base % "").snapshot.candidates[0])


def test_flags_win_over_the_file(read) -> None:  # type: ignore[no-untyped-def]
    text = """
listen: :1
workers: 2
production: {urls: ['http://p:1', 'http://p:2'], name: v1}
twin: {url: 'http://t:1'}
candidates:
- {name: a, url: 'http://a:1', sample: 50%, expect: different, version: x}
- {name: b, url: 'http://b:1'}
admin: {listen: ':9', token: t}
pairs: {dir: x, flush: 2s}
"""
    overrides = Overrides(
        listen="127.0.0.1:5",
        production="http://q:1",
        candidates=("a=http://a:2", "c=http://c:1"),
        twin="production",
        sample="10%",
        expect="same",
        admin="off",
        pairs="/logs",
        workers="1",
        log_format="console",
    )
    got = read(text, overrides).snapshot
    assert (got.listen, got.workers, got.admin.listen, got.admin.token) == ("127.0.0.1:5", 1, None, "t")
    assert (got.production.urls, got.production.name) == (("http://q:1",), "v1")
    assert (got.twin.url, got.twin.sample, got.pairs.dir, got.pairs.flush) == ("http://q:1", 0.1, "/logs", 2.0)
    assert [(c.name, c.url, c.version) for c in got.candidates] == [
        ("a", "http://a:2", "x"),
        ("b", "http://b:1", ""),
        ("c", "http://c:1", ""),
    ]
    assert {(c.sample, c.expect) for c in got.candidates} == {(0.1, "same")}
    assert got.log_format == "console"


def test_no_file_is_needed() -> None:
    loaded = load(None, Overrides(production="http://p:1", candidates=("v2=http://c:1",), twin="http://t:1"), {})
    assert loaded.path is None
    assert loaded.snapshot.candidates[0].name == "v2"
    assert loaded.snapshot.twin is not None
    assert loaded.snapshot.log_format == "json"


def test_auto_workers_are_resolved(read, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("shadowproxy.settings.fields.usable_workers", lambda: 7)
    assert read(PRODUCTION + "workers: auto\n").snapshot.workers == 7
    assert load(None, Overrides(production="http://p:1", workers="auto"), {}).snapshot.workers == 7


def test_the_three_formats_say_the_same(tmp_path: Path) -> None:
    tree = {
        "production": {"url": "http://p:1", "version": "1.10"},
        "candidates": [
            {"name": "a", "url": "http://a:1", "sample": "5%", "stop": {"on": ["FAIL"]}, "json": {"set": {"$.n": 5}}}
        ],
        "workers": 2,
        "answer_request_id": True,
        "compare": {"tolerance": {"relative": 1e-6}},
    }
    (tmp_path / "f.json").write_text(json.dumps(tree))
    (tmp_path / "f.yaml").write_text(yaml.safe_dump(tree))
    (tmp_path / "f.toml").write_text(
        'workers = 2\nanswer_request_id = true\n[production]\nurl = "http://p:1"\nversion = "1.10"\n'
        '[[candidates]]\nname = "a"\nurl = "http://a:1"\nsample = "5%"\nstop.on = ["FAIL"]\n'
        '[candidates.json.set]\n"$.n" = 5\n[compare.tolerance]\nrelative = 1e-6\n'
    )
    yaml_, toml, json_ = (load(str(tmp_path / f"f.{suffix}"), None, {}).snapshot for suffix in ("yaml", "toml", "json"))
    assert yaml_ == toml == json_
    assert yaml_.candidates[0].json_set == (("$.n", 5),)


def test_a_share_may_be_a_fraction_in_toml(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text('production.url = "http://p:1"\nstatistics.coverage = 0.00001\n')
    assert load(str(tmp_path / "f.toml"), None, {}).snapshot.statistics.coverage == 1e-5


def test_a_snapshot_survives_the_way_between_processes(read) -> None:  # type: ignore[no-untyped-def]
    text = "candidates: [{name: a, url: 'http://a:1', json: {set: {$.a: {b: [1, null]}}}}]\n"
    snapshot = read(PRODUCTION + text).snapshot
    assert s.decode(s.encode(snapshot)) == snapshot
