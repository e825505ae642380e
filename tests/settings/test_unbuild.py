"""What runs, said as a file would say it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shadowproxy.settings.effective import as_yaml, effective
from shadowproxy.settings.load import SettingsError, load, load_candidate
from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.settings.unbuild import unbuild
from tests.settings.reference import FULL, switched_on


def again(snapshot: Snapshot, folder: Path) -> Snapshot:
    """Through a file of its own."""
    path = folder / "again.yaml"
    path.write_text(as_yaml(effective(unbuild(snapshot), masked=False)))
    return load(str(path), None, {}).snapshot


@pytest.mark.parametrize("text", ["production: {url: 'http://h:1'}\n", FULL.read_text()], ids=["least", "full"])
def test_it_loads_again_as_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").write_text(text)
    snapshot = load("f.yaml", None, {}).snapshot
    assert again(snapshot, tmp_path) == snapshot


def test_everything_that_a_file_can_say_is_said_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cert.pem", "key.pem", "clients.pem", "ca.pem", "client.pem", "client-key.pem", "flags.json"):
        (tmp_path / name).touch()
    text = switched_on(FULL.read_text()).replace("\n  url: http://127.0.0.1:9001", "\n")
    text = text.replace("\n  to: 127.0.0.1:8013", "\n")
    (tmp_path / "on.yaml").write_text(text)
    snapshot = load("on.yaml", None, {"SLACK_WEBHOOK": "https://hooks.example/x"}).snapshot
    assert len(snapshot.production.urls) == 2
    assert again(snapshot, tmp_path) == snapshot


def test_a_candidate_by_itself_is_as_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "production: {url: 'http://h:1', name: v1}\ngates: ['disagreement<=1%']\n"
        "candidates: [{name: v2, url: 'http://h:2', sample: 5%, gates: ['slower_share{by=50%}<=10pp']}]\n"
    )
    snapshot = load(str(tmp_path / "f.yaml"), None, {}).snapshot
    tree = {"name": "v2", "url": "http://h:2", "sample": "5%", "gates": ["slower_share{by=50%}<=10pp"]}
    made = load_candidate(tree, snapshot)
    assert msgspec.structs.replace(made, trial="") == msgspec.structs.replace(snapshot.candidates[0], trial="")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"name": "v2"}, "url: expected a value"),
        ({"name": "v2", "url": "http://h:2", "smaple": "5%"}, "smaple: unknown key; did you mean sample?"),
        ({"name": "v2", "url": "http://h:2", "sample": 1}, "sample: expected a share, there was 1: write 1%"),
        ({"name": "v1", "url": "http://h:2"}, "name: expected a name of its own"),
        ({"name": "v2", "url": "http://h:2", "headers": {"set": {"Host": "x"}}}, "headers.set.Host: expected"),
        ([], "expected"),
        ("v2", "expected"),
        (None, "expected"),
    ],
)
def test_what_is_no_candidate_is_refused_key_by_key(tmp_path: Path, tree: object, said: str) -> None:
    (tmp_path / "f.yaml").write_text("production: {url: 'http://h:1', name: v1}\n")
    with pytest.raises(SettingsError) as caught:
        load_candidate(tree, load(str(tmp_path / "f.yaml"), None, {}).snapshot)
    assert said in str(caught.value)


def test_variables_are_not_filled_in(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("production: {url: 'http://h:1'}\n")
    snapshot = load(str(tmp_path / "f.yaml"), None, {}).snapshot
    made = load_candidate({"name": "v2", "url": "http://h:2", "version": "${HOME}"}, snapshot)
    assert made.version == "${HOME}"
