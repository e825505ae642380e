"""What `check` prints: everything that takes effect, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.settings import checks
from shadowproxy.settings.effective import as_yaml, effective
from shadowproxy.settings.load import SettingsError, load
from shadowproxy.settings.unbuild import unbuild

SECRET = "s3cret-value"
TEXT = """
production: {url: 'http://p:1'}
admin: {token: '${S}'}
candidates:
- name: a
  url: http://a:1
  headers: {set: {Authorization: 'Bearer ${S}', X-Plain: s3cret-value}}
  json:
    set: {$.model: m2, $.from_environment: '${S}', $.api_key: s3cret-value, $.auth.token: s3cret-value, $.n: null}
twin: {url: production, headers: {set: {Cookie: s3cret-value}}, stop: {after: never}, timeout: 2s}
pairs: {redact: {key: s3cret-value}}
notify: [{url: 'https://hooks.example/services/s3cret-value?x=s3cret-value'}]
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").write_text(TEXT)
    return load("f.yaml", None, {"S": SECRET})


def test_no_secret_is_printed(loaded) -> None:  # type: ignore[no-untyped-def]
    assert SECRET not in loaded.text()
    assert SECRET in loaded.text(masked=False)
    tree = loaded.effective()
    assert tree["admin"]["token"] == "***"
    assert tree["notify"][0]["url"] == "https://hooks.example/***"
    assert tree["candidates"][0]["json"]["set"] == {
        "$.model": "m2",
        "$.from_environment": "***",
        "$.api_key": "***",
        "$.auth.token": "***",
        "$.n": None,
    }


def test_what_is_empty_is_not_shown_as_a_secret(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("production: {url: 'http://p:1'}\n")
    assert load(str(tmp_path / "f.yaml"), None, {}).effective()["admin"]["token"] == ""


def test_the_unmasked_text_loads_as_the_same_configuration(loaded, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "again.yaml").write_text(loaded.text(masked=False))
    again = load("again.yaml", None, {})
    assert again.snapshot == loaded.snapshot
    assert again.text(masked=False) == loaded.text(masked=False)


def test_values_are_printed_as_people_write_them(loaded, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tree = loaded.effective()
    assert tree["twin"]["stop"] == {"after": "never", "on": []}
    assert (tree["twin"]["timeout"], tree["candidates"][0]["timeout"]) == ("2s", "auto")
    assert (tree["limits"]["body"], tree["statistics"]["coverage"]) == ("100MiB", "95%")
    assert tree["pairs"]["dir"] == str(tmp_path / "shadow-pairs")
    assert tree["routes"][0]["name"] == "default"
    assert list(tree["candidates"][0])[:2] == ["name", "url"]


SIGNALS = """
production: {url: 'http://p:1'}
candidates: [{name: a, url: 'http://a:1'}]
admin: {link: 'https://shadow.example/'}
metrics: {every: 2s, statsd: {to: 'statsd:8125', tags: off}, graphite: {to: 'carbon:2003', buffer: 2MiB}}
logs: {profile: ecs, ship: {to: 'logstash:5044', what: [events, pairs]}}
flags: {to: 'flagd:8013', follow: [{candidate: a, pause: key}]}
otel: {to: 'http://collector:4318/base/', headers: {X-Collector: s3cret-value}, traces: 5%}
"""


def test_what_the_proxy_tells_others_is_printed_without_secrets_and_can_be_told_from_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "is_installed", lambda module: True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").write_text(SIGNALS)
    loaded = load("f.yaml", None, {})
    assert SECRET not in loaded.text()
    assert loaded.effective()["otel"]["headers"] == {"X-Collector": "***"}
    (tmp_path / "again.yaml").write_text(loaded.text(masked=False))
    assert load("again.yaml", None, {}).snapshot == loaded.snapshot
    (tmp_path / "back.yaml").write_text(as_yaml(effective(unbuild(loaded.snapshot), masked=False)))
    assert load("back.yaml", None, {}).snapshot == loaded.snapshot


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("otel: {to: 'http://me:pw@collector'}",
         "expected a URL without user and password; give credentials in otel.headers"),
        ("flags: {to: 'f:1', follow: [{candidate: a}]}", "expected the key of a flag in sample, pause or both"),
        ("flags: {to: 'f:1', follow: [{candidate: a, pause: k}, {candidate: a, sample: k}]}",
         "expected each candidate once, a is there twice"),
    ],
)  # fmt: skip
def test_what_they_may_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    monkeypatch.setattr(checks, "is_installed", lambda module: True)
    (tmp_path / "f.yaml").write_text(SIGNALS.split("admin:")[0] + text)
    with pytest.raises(SettingsError) as caught:
        load(str(tmp_path / "f.yaml"), None, {})
    assert [one.message for one in caught.value.problems] == [problem]


@pytest.mark.parametrize("section", ["flags", "otel"])
def test_an_extra_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str) -> None:
    monkeypatch.setattr(checks, "is_installed", lambda module: False)
    (tmp_path / "f.yaml").write_text(SIGNALS)
    with pytest.raises(SettingsError) as caught:
        load(str(tmp_path / "f.yaml"), None, {})
    expected = f"expected the extra {section} to be installed: pip install 'shadowproxy[{section}]'"
    assert expected in [one.message for one in caught.value.problems if one.key == section]
