"""One fault a row: what was written, and the one sentence that it gets, with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.compare.presets import NAMES
from shadowproxy.settings.load import Overrides, SettingsError, load

BASE = "production: {url: 'http://p:1'}\n"
URL = "expected scheme, host and port as in http://127.0.0.1:9001"


def faults(path: Path, text: str, overrides: Overrides | None = None) -> list[str]:
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(str(path), overrides, environment={"SECRET": "s3cret"})
    return [str(problem).removeprefix(str(path.parent) + "/") for problem in caught.value.problems]


# Beneath `production: {url: …}` on line 1, so that the row begins on line 2.
ROWS = [
    # keys
    ("listn: :1", "2: listn: unknown key; did you mean listen?"),
    ("url: http://x:1", "2: url: unknown key; did you mean production.url or twin.url or candidates.url?"),
    ("mirror:\n  methds: [POST]", "3: mirror.methds: unknown key; did you mean methods?"),
    ("mirror: {x: 1}", "2: mirror.x: unknown key; expected one of methods, max_buffered, shed"),
    ("candidates: [{name: a, url: 'http://a:1', Sample: 1%}]",
     "2: candidates[0].Sample: unknown key; did you mean sample?"),
    ("twin: {url: 'http://t:1', gates: []}", "2: twin.gates: unknown key; did you mean gates or candidates.gates?"),
    ("twin: {url: 'http://t:1', expect: same}", "2: twin.expect: unknown key; did you mean candidates.expect?"),
    ("twin: {url: 'http://t:1', stop: {on: [FAIL]}}",
     "2: twin.stop.on: expected no verdict, a twin has none: it stops `after` a time or is paused"),
    ("candidates:\n- name: a", "3: candidates[0].url: expected a value, this key is required "
     "(Scheme, host and port of the model under test)"),
    ("candidates:\n- url: http://a:1", "3: candidates[0].name: expected a value, this key is required "
     "(Name in reports, metrics, logs and on the command line)"),
    ("tls: {certificate: /dev/null, key: '{file}'}", "2: tls.certificate: expected a file, there is none at /dev/null"),
    # shapes
    ("mirror: [POST]", "2: mirror: expected a mapping, there was a list"),
    ("candidates: v2", "2: candidates: expected a list, there was 'v2'"),
    ("candidates: {name: v2}", "2: candidates: expected a list, there was a mapping"),
    ("candidates: [v2]", "2: candidates[0]: expected a mapping, there was 'v2'"),
    ("candidates: [{name: a, url: 'http://a:1', headers: {set: [x]}}]",
     "2: candidates[0].headers.set: expected a mapping, there was a list"),
    ("via: [a]", "2: via: expected text, there was a list; write it in quotes"),
    ("candidates: [{name: a, url: 'http://a:1', timeout: 601s}]",
     "2: candidates[0].timeout: expected auto, or a duration of at most 10m, there was '601s'"),
    ("twin: {url: 'http://a:1', timeout: 1h}",
     "2: twin.timeout: expected auto, or a duration of at most 10m, there was '1h'"),
    # addresses
    ("listen: 8080", "2: listen: expected HOST:PORT, there was '8080'"),
    ("listen: 1.2.3.4:99999", "2: listen: expected HOST:PORT, there was '1.2.3.4:99999'"),
    ("listen: off", "2: listen: expected HOST:PORT, there was 'off'"),
    ("listen: ::1:80", "2: listen: expected HOST:PORT, there was '::1:80'; an IPv6 address stands in brackets"),
    ("listen: '[::zz]:80'", "2: listen: expected an IPv6 address in brackets, there was '[::zz]:80'"),
    ("admin: {listen: no}", "2: admin.listen: expected off, or HOST:PORT, there was 'no'"),
    ("admin: {listen: '0.0.0.0:9'}",
     "2: admin.token: expected a token, because admin.listen is 0.0.0.0:9, which others can reach"),
    ("admin: {listen: ':9'}",
     "2: admin.token: expected a token, because admin.listen is 0.0.0.0:9, which others can reach"),
    ("admin: {listen: 'box.internal:9', token: ''}",
     "2: admin.token: expected a token, because admin.listen is box.internal:9, which others can reach"),
    ("admin: {token: 'a b'}", "2: admin.token: expected a token of printable ASCII characters without spaces"),
    ("listen: 127.0.0.1:9900",
     "1: admin.listen: expected an address other than listen's, both are 127.0.0.1:9900"),
    ("trusted_proxies: [10.0.0.0/33]",
     "2: trusted_proxies[0]: expected a network such as 10.0.0.0/8, there was '10.0.0.0/33'"),
    ("via: a b", "2: via: expected letters, digits and !#$%&'*+-.^_`|~ only, there was 'a b'"),
    # numbers, units, words
    ("workers: 0", "2: workers: expected auto, or a whole number in 1–1024, there was '0'"),
    ("workers: many", "2: workers: expected auto, or a whole number in 1–1024, there was 'many'"),
    ("answer_request_id: maybe", "2: answer_request_id: expected true or false, there was 'maybe'"),
    ("limits: {headers: 1.5}", "2: limits.headers: expected a whole number in 1–1000000000, there was '1.5'"),
    ("limits: {head: 0}", "2: limits.head: expected a size above 0, there was '0'"),
    ("limits: {body: 1.5}", "2: limits.body: expected a size such as 512B, 64KiB or 10MiB, there was '1.5'"),
    ("limits: {drain: 20}", "2: limits.drain: expected a duration with its unit, there was 20; did you mean 20s?"),
    ("limits: {head_timeout: 0s}", "2: limits.head_timeout: expected a duration above 0, there was '0s'"),
    ("compare: {tolerance: {absolute: -1}}",
     "2: compare.tolerance.absolute: expected a number of at least 0, there was '-1'"),
    ("compare: {tolerance: {relative: .inf}}",
     "2: compare.tolerance.relative: expected a number, there was '.inf'"),
    ("statistics: {coverage: 1}", "2: statistics.coverage: expected a share, there was 1: write 1% or 100%"),
    ("statistics: {confidence: 100%}", "2: statistics.confidence: expected a share from 50% to below 100%"),
    ("pairs: {recorders: 2}", "2: pairs.recorders: expected 1, there was '2'"),
    ("pairs: {bodies: al}", "2: pairs.bodies: expected all, different or none, there was 'al'; did you mean all?"),
    ("pairs: {dir: ''}", "2: pairs.dir: expected the path of a file or directory"),
    ("notify: [{url: 'ftp://x/y'}]", "2: notify[0].url: expected an http:// or https:// URL"),
    ("notify: [{url: 'http://x', on: [verdicts]}]",
     "2: notify[0].on[0]: expected verdict, breaker, coverage, promoted, rolled_back or stopped, "
     "there was 'verdicts'; did you mean verdict?"),
    ("metrics: {statsd: {to: ':8125'}}", "2: metrics.statsd.to: expected HOST:PORT of a server, there was ':8125'"),
    ("metrics: {graphite: {to: 'carbon:0'}}",
     "2: metrics.graphite.to: expected HOST:PORT of a server, there was 'carbon:0'"),
    ("flags: {to: 'flagd:8013', follow: [{candidate: v9, pause: k}]}",
     "2: flags.follow[0].candidate: expected the name of a candidate (there is none), there was 'v9'"),
    ("flags: {follow: []}", "2: flags: expected either file or to"),
    # JSONPaths, gates, sources
    ("compare: {ignore: [a.b]}",
     "2: compare.ignore[0]: expected a JSONPath such as $.items[*].label, there was 'a.b'; did you mean $.a.b?"),
    ("compare: {unordered: ['$.a[']}", "2: compare.unordered[0]: '$.a[' is not a JSONPath that can be used here: "
     "expected [n], [*] or ['name'] at '['"),
    ("compare: {unordered: ['$.a by ']}",
     "2: compare.unordered[0]: expected the name of a member behind 'by', there was '$.a by '"),
    ("compare: {ignore: ['header:a b']}",
     "2: compare.ignore[0]: expected the name of a header, there was 'a b'"),
    ("gates: [error_rate<=1%]", "2: gates[0]: expected one of the gate metrics, there was 'error_rate'; "
     "did you mean error_rate_increase?"),
    ("routes: [{key: cookie:a}]",
     "2: routes[0].key: expected id, header:NAME, json:$.path, answer:$.path, there was 'cookie:a'"),
    ("routes: [{slices: {c: id}}]", "2: routes[0].slices.c: expected header:NAME, json:$.path, there was 'id'"),
    ("routes: [{slices: {c d: header:a}}]", "2: routes[0].slices.c d: expected a name of 1–64 letters, digits "
     "and . _ - between them, there was 'c d'"),
    ("routes: [{match: {path: v1}}]",
     "2: routes[0].match.path: expected a path that begins with / or *, there was 'v1'; did you mean /v1?"),
    ("routes: [{match: {path: '/v1/{name}'}}]", "2: routes[0].match.path: expected a path with * and ** for what "
     "varies, without { ? #, there was '/v1/{name}'"),
    ("routes: [{match: {methods: [post]}}]",
     "2: routes[0].match.methods[0]: expected an HTTP method, there was 'post'; did you mean POST?"),
    ("mirror: {methods: [CONNECT]}", "2: mirror.methods[0]: expected a method that is proxied; CONNECT never is"),
    ("routes: [{match: {json: {'$.a[*]': 1}}}]", "2: routes[0].match.json.$.a[*]: expected a JSONPath to one place "
     "inside the body, of names and indexes, there was '$.a[*]'"),
    ("routes: [{prediction: {at: $.a, is: lable}}]",
     "2: routes[0].prediction.is: expected label, probabilities, score, number, ranking, text, embedding, boxes or "
     "opaque, there was 'lable'; did you mean label?"),
    # across keys
    ("routes: [{candidates: [v2]}]",
     "2: routes[0].candidates[0]: expected the name of a candidate (there is none), there was 'v2'"),
    ("routes: [{name: a}, {name: a}]", "2: routes[1].name: expected a name of its own, 'a' is also routes[0]'s"),
    ("routes: [{protocol: open-inferense}]", f"2: routes[0].protocol: expected {', '.join(NAMES[:-1])} or {NAMES[-1]}, "
     "there was 'open-inferense'; did you mean open-inference?"),
    ("routes: [{prediction: {key: '$.a['}}]", "2: routes[0].prediction.key: '$.a[' is not a JSONPath that can be used "
     "here: expected [n], [*] or ['name'] at '['"),
    ("routes: [{prediction: {key: ''}}]",
     "2: routes[0].prediction.key: expected the name of a member, or a JSONPath"),
    ("routes: [{prediction: {at: $.a, is: label, top: 3}}]",
     "2: routes[0].prediction.top: expected is: ranking beside this key, there was label"),
    # variables
    ("via: ${NONE}", "2: via: expected the environment variable NONE, it is not set; ${NONE:-} would allow it to be "
     "empty"),
    ("workers: ${NONE:?how many}", "2: workers: expected the environment variable NONE: how many"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ROWS, ids=[row[0][:60] for row in ROWS])
def test_a_fault_is_told_once_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert faults(tmp_path / "f.yaml", BASE + text.replace("{file}", __file__) + "\n") == [f"f.yaml:{message}"]


CANDIDATE = "candidates:\n- name: v2\n  url: http://c:1\n"
CANDIDATE_ROWS = [
    ("url: c:1", f"5: candidates[0].url: {URL}, there was 'c:1'; did you mean http://c:1?"),
    ("url: ''", f"5: candidates[0].url: {URL}, there was ''"),
    ("url: ftp://c:1", f"5: candidates[0].url: {URL}, there was the scheme 'ftp'"),
    ("url: http://c:1/v1", f"5: candidates[0].url: {URL}, without '/v1'; did you mean http://c:1?"),
    ("url: http://c:1?x=1", f"5: candidates[0].url: {URL}, without '?x=1'; did you mean http://c:1?"),
    ("url: http://u:pw@c:1", f"5: candidates[0].url: {URL}, without user and password; give credentials in "
     "headers.set.Authorization"),
    ("url: http://c:0", f"5: candidates[0].url: {URL}, there was 'http://c:0'"),
    ("url: http://c:x", f"5: candidates[0].url: {URL}, there was 'http://c:x'"),
    ("url: http://", f"5: candidates[0].url: {URL}, there was 'http://'"),
    ("name: twin", "5: candidates[0].name: expected a name other than twin and production, which are reserved"),
    ("name: v 2", "5: candidates[0].name: expected a name of 1–64 letters, digits and . _ - between them, "
     "there was 'v 2'"),
    ("sample: 1", "5: candidates[0].sample: expected a share, there was 1: write 1% or 100%"),
    ("sample: 110%", "5: candidates[0].sample: expected a share of at most 100%, there was 110%"),
    ("sample_key: ip", "5: candidates[0].sample_key: expected id, header:NAME, cookie:NAME, json:$.path, "
     "there was 'ip'"),
    ("sample_key: 'id:'", "5: candidates[0].sample_key: expected id, header:NAME, cookie:NAME, json:$.path, "
     "there was 'id:'"),
    ("timeout: none", "5: candidates[0].timeout: expected auto, or a duration such as 250ms, 5s, 2m or 7d, "
     "there was 'none'"),
    ("stop: {after: 0s}", "5: candidates[0].stop.after: expected never, or a duration above 0, there was '0s'"),
    ("stop: {on: [FAILED]}",
     "5: candidates[0].stop.on[0]: expected PASS or FAIL, there was 'FAILED'; did you mean FAIL?"),
    ("gated: 2", "5: candidates[0].gated: expected true or false, there was '2'"),
    ("host: a b", "5: candidates[0].host: expected preserve, upstream or a host name, there was 'a b'"),
    ("headers: {set: {Host: x}}", "5: candidates[0].headers.set.Host: expected a header that does not frame the "
     "message, there was Host; set the key host instead"),
    ("headers: {remove: [Content-Length]}", "5: candidates[0].headers.remove[0]: expected a header that does not "
     "frame the message, there was Content-Length"),
    ("headers: {set: {X: \"s3cret\\r\\n\"}}", "5: candidates[0].headers.set.X: expected a header's value: printable "
     "ASCII without line breaks or spaces around it"),
    ("headers: {set: {X: a}, remove: [x]}",
     "5: candidates[0].headers.set.X: expected a header that headers.remove does not name"),
    ("headers: {set: {X: a, x: b}}", "5: candidates[0].headers.set.x: expected each header once, whatever its case"),
    ("json: {set: {model: a}}", "5: candidates[0].json.set.model: expected a JSONPath such as $.items[*].label, "
     "there was 'model'; did you mean $.model?"),
    ("json: {set: {$: a}}", "5: candidates[0].json.set.$: expected a JSONPath to one place inside the body, of names "
     "and indexes, there was '$'"),
    ("json: {set: {\"$['a.b']\": 1}}", "5: candidates[0].json.set.$['a.b']: expected a JSONPath whose names have no "
     "dots, brackets or quotes, there was \"$['a.b']\""),
    ("sample_key: 'json:$.a[*]'", "5: candidates[0].sample_key: expected a JSONPath to one place inside the body, of "
     "names and indexes, there was '$.a[*]'"),
    ("path: {replace: /a}", "5: candidates[0].path: expected both replace and with, there was one of them"),
    ("path: {replace: a, with: /b}",
     "5: candidates[0].path.replace: expected a path that begins with / in printable ASCII, there was 'a'"),
    ("tls: {ca: /none/ca.pem}", "5: candidates[0].tls.ca: expected a file, there is none at /none/ca.pem"),
    ("breaker: {failures: 0}",
     "5: candidates[0].breaker.failures: expected a whole number in 1–1000000000, there was '0'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), CANDIDATE_ROWS, ids=[row[0][:60] for row in CANDIDATE_ROWS])
def test_a_candidate_s_fault_is_told_once_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    key = text.partition(":")[0]
    kept = "".join(line + "\n" for line in CANDIDATE.splitlines() if f"{key}: " not in line)
    if not kept.splitlines()[1].startswith("-"):
        kept = kept.replace("  url", "- url", 1)
    written = kept + f"  {text}\n"
    line = len((BASE + written).splitlines())
    expected = message.replace("5:", f"{line}:", 1)
    assert faults(tmp_path / "f.yaml", BASE + written) == [f"f.yaml:{expected}"]


PRODUCTION = "expected a value, this key is required (the model whose answers clients get)"
PRODUCTION_ROWS = [
    ("", "1: production: expected production.url, the model whose answers clients get (or --production URL)"),
    ("production:",
     "1: production: expected production.url, the model whose answers clients get (or --production URL)"),
    ("- a\n", "1: expected a mapping, there was a list"),
    ("production: {name: v1}", f"1: production.url: {PRODUCTION}"),
    ("production: {url: }", f"1: production.url: {PRODUCTION}"),
    ("production: http://p:1", "1: production: expected a mapping, there was 'http://p:1'"),
    ("production: {urls: []}", "1: production.urls: expected at least one item, the list is empty"),
    ("production: {url: 'http://p:1', urls: ['http://p:2']}",
     "1: production.urls: expected either url or urls, there were both"),
    ("production: {urls: ['http://p:2', 'http://p:2']}",
     "1: production.urls[1]: expected each URL once, http://p:2 is there twice"),
    ("production: {url: 'http://p:1', name: twin}",
     "1: production.name: expected a name other than twin, which is reserved"),
    ("production: {url: 'http://p:1', tls: {certificate: f.yaml}}",
     "1: production.tls: expected both certificate and key, there was one of them"),
    ("production: {url: 'http://p:1', name: v1}\ncandidates: [{name: v1, url: 'http://c:1'}]",
     "2: candidates[0].name: expected a name of its own, 'v1' is production's"),
    ("production: {url: 'http://p:1'}\ncandidates: [{name: a, url: 'http://c:1'}, {name: a, url: 'http://c:2'}]",
     "2: candidates[1].name: expected a name of its own, 'a' is also candidates[0]'s"),
    ("production: {url: 'http://p:1'}\ncandidates: [{name: svm, url: 'http://c:1'}]\nroutes: [{candidates: [smv]}]",
     "3: routes[0].candidates[0]: expected the name of a candidate (svm), there was 'smv'; did you mean svm?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), PRODUCTION_ROWS, ids=[row[0][:60] for row in PRODUCTION_ROWS])
def test_a_fault_of_the_whole_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert faults(tmp_path / "f.yaml", text) == [f"f.yaml:{message}"]


FLAG_ROWS = [
    (Overrides(), "production: expected production.url, the model whose answers clients get (or --production URL)"),
    (Overrides(production="p:1"), f"--production: {URL}, there was 'p:1'; did you mean http://p:1?"),
    (Overrides(production="http://p:1", candidates=("v2",)),
     "--candidate v2: expected NAME=URL as in v2=http://127.0.0.1:9002"),
    (Overrides(production="http://p:1", candidates=("v2=http://c:1", "v2=http://c:2")),
     "--candidate v2=http://c:2: expected each name once, v2 is given twice"),
    (Overrides(production="http://p:1", candidates=("v2=c:1",)),
     f"--candidate v2=c:1: {URL}, there was 'c:1'; did you mean http://c:1?"),
    (Overrides(production="http://p:1", candidates=("twin=http://c:1",)),
     "--candidate twin=http://c:1: expected a name other than twin and production, which are reserved"),
    (Overrides(production="http://p:1", sample="1"), "--sample: expected a share, there was 1: write 1% or 100%"),
    (Overrides(production="http://p:1", expect="sam"),
     "--expect: expected same, similar or different, there was 'sam'; did you mean same?"),
    (Overrides(production="http://p:1", twin="x"), f"--twin: expected production, or {URL[9:]}, there was 'x'"),
    (Overrides(production="http://p:1", admin="nowhere"),
     "--admin: expected off, or HOST:PORT, there was 'nowhere'"),
    (Overrides(production="http://p:1", admin="0.0.0.0:1"),
     "--admin: expected a token, because admin.listen is 0.0.0.0:1, which others can reach"),
    (Overrides(production="http://p:1", listen="8080"), "--listen: expected HOST:PORT, there was '8080'"),
    (Overrides(production="http://p:1", workers="x"),
     "--workers: expected auto, or a whole number in 1–1024, there was 'x'"),
    (Overrides(production="http://p:1", pairs=""), "--pairs: expected the path of a file or directory"),
    (Overrides(production="http://p:1", log_format="xml"), "--log-format: expected console or json, there was 'xml'"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "message"), FLAG_ROWS)
def test_a_flag_s_fault_names_the_flag(overrides: Overrides, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, overrides, environment={})
    assert str(caught.value) == message


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
listen: 80
production: {url: x, url: 'http://p:1/y'}
candidates:
- {name: a, url: 'http://a:1', tiemout: 5s}
admin: {listen: ':1'}
via: ${NONE}
statistics: {bucket: 5}
"""
    told = faults(tmp_path / "f.yaml", text, Overrides(sample="2"))
    assert told == [
        "f.yaml:1: listen: expected HOST:PORT, there was '80'",
        "f.yaml:2: production.url: expected each key once, this one is also on line 2",
        "f.yaml:4: candidates[0].tiemout: unknown key; did you mean timeout?",
        "f.yaml:5: admin.token: expected a token, because admin.listen is 0.0.0.0:1, which others can reach",
        "f.yaml:6: via: expected the environment variable NONE, it is not set; ${NONE:-} would allow it to be empty",
        "f.yaml:7: statistics.bucket: expected a duration with its unit, there was 5; did you mean 5s?",
        "--sample: expected a share, there was 2: write 2%",
    ]


SECRETS = [
    "admin: {token: 'x ${SECRET}'}",
    "notify: [{url: 'ftp://h/${SECRET}'}]",
    "candidates: [{name: a, url: 'http://a:1', headers: {set: {X: ' ${SECRET}'}}}]",
    "candidates: [{name: a, url: 'http://u:${SECRET}@h:1'}]",
    "pairs: {redact: {key: '${SECRET} '}}",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_not_repeated_in_the_sentence_about_it(tmp_path: Path, text: str) -> None:
    told = faults(tmp_path / "f.yaml", BASE + text + "\n")
    assert told
    assert "s3cret" not in "".join(told)


def test_toml_and_json_get_the_same_sentences(tmp_path: Path) -> None:
    toml = '[production]\nurl = "http://p:1"\n[[candidates]]\nname = "a"\nurl = "http://a:1"\nsample = 1\nversion = 3\n'
    assert faults(tmp_path / "f.toml", toml) == [
        "f.toml:6: candidates[0].sample: expected a share, there was 1: write 1% or 100%",
        "f.toml:7: candidates[0].version: expected text, there was 3; write it in quotes",
    ]
    tree = {"production": {"url": "http://p:1"}, "workers": 1.5, "limits": {"drain": True}}
    assert faults(tmp_path / "f.json", json.dumps(tree, indent=1)) == [
        "f.json:5: workers: expected auto, or a whole number in 1–1024, there was 1.5",
        "f.json:7: limits.drain: expected text, there was true; write it in quotes",
    ]
