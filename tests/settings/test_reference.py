"""Every key is documented, with the default that it has, and shown in the full example."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.settings import checks
from shadowproxy.settings.complaints import key_paths
from shadowproxy.settings.gates import METRICS
from shadowproxy.settings.load import SettingsError, load
from tests.settings.reference import FULL, PAGE, REPOSITORY, Row, rows, sections, switched_on

ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=[".".join(map(str, row.path)) for row in ROWS])
def test_every_key_has_its_row_in_the_docs(row: Row) -> None:
    assert row.meaning.endswith(".")
    assert f"\n{row}\n" in PAGE.read_text(), "print the rows with: python -m tests.settings.reference"


def test_the_docs_have_no_row_of_a_key_that_there_is_not() -> None:
    known = {str(row) for row in ROWS}
    documented = [line for line in PAGE.read_text().splitlines() if line.count(" | ") == 4 and line.startswith("| `")]
    assert set(documented) == known
    assert len(documented) == len(ROWS) > 100


def test_every_section_has_its_heading_in_the_docs() -> None:
    headings = {line.removeprefix("## ") for line in PAGE.read_text().splitlines() if line.startswith("## ")}
    assert {str(path[0]) for path, _ in sections() if path} <= headings


def test_every_gate_metric_is_in_the_docs() -> None:
    page = PAGE.read_text()
    assert [metric for metric in METRICS if f"| `{metric}` |" not in page] == []


def test_the_full_example_names_every_key() -> None:
    from tests.settings.reference import _examples

    assert sorted(set(key_paths()) - set(_examples())) == []


def test_the_full_example_is_valid_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it needs no file of its surroundings
    snapshot = load(str(FULL), None, {}).snapshot
    assert [candidate.name for candidate in snapshot.candidates] == ["v2"]
    assert [route.name for route in snapshot.routes] == ["predict", "score", "forecast", "search"]


def test_the_full_example_is_valid_with_everything_switched_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "is_installed", lambda module: True)
    for name in ("cert.pem", "key.pem", "clients.pem", "ca.pem", "client.pem", "client-key.pem", "flags.json"):
        (tmp_path / name).touch()
    (tmp_path / "on.yaml").write_text(switched_on(FULL.read_text()))
    with pytest.raises(SettingsError) as caught:
        load("on.yaml", None, {"SLACK_WEBHOOK": "https://hooks.example/x"})
    assert {(problem.key, problem.message) for problem in caught.value.problems} == {
        # the pairs that exclude each other, and nothing else
        ("production.urls", "expected either url or urls, there were both"),
        ("flags", "expected either file or to, there were both"),
    }


# Where the full example shows something more telling than the default.
MORE_TELLING = {
    "trusted_proxies",
    "production.name",
    "production.version",
    "twin.sample",
    "candidates.headers.set",
    "candidates.headers.remove",
    "candidates.json.set",
    "candidates.gates",
    "routes.key",
    "routes.slices",
    "routes.match.methods",
    "routes.match.headers",
    "routes.match.query",
    "routes.match.json",
    "routes.prediction.is",
    "routes.compare.ignore",
    "pairs.redact.json",
    "notify.format",
    "twin.version",
    "admin.token",
    "pairs.redact.key",
    # the same values, spelt differently
    "answer_request_id",
    "metrics.statsd.tags",
    "otel.headers",
    "otel.metrics",
    "flags.follow.sample",
    "flags.follow.pause",
    "metrics.graphite.tags",
    "compare.tolerance.relative",
    "routes.compare.tolerance.relative",
}


def test_the_full_example_shows_defaults_unless_something_is_more_telling() -> None:
    differing = {
        ".".join(map(str, row.path))
        for row in ROWS
        if row.default not in ("–", "required") and row.example != row.default
    }
    assert differing == MORE_TELLING


def test_the_minimal_example_is_valid() -> None:
    snapshot = load(str(REPOSITORY / "config" / "minimal.yaml"), None, {}).snapshot
    assert snapshot.production.urls == ("http://127.0.0.1:9001",)


def test_every_file_in_config_is_loaded_by_a_test() -> None:
    here = {"minimal.yaml", "full.yaml"}
    elsewhere = {
        "prometheus": "e2e/test_prometheus.py",
        "grafana": "e2e/test_prometheus.py",
        "kubernetes": "test_operation.py",
        "systemd": "test_operation.py",
    }
    assert {path.name for path in (REPOSITORY / "config").iterdir()} == here | elsewhere.keys()
    assert [test for test in elsewhere.values() if not (REPOSITORY / "tests" / test).is_file()] == []
