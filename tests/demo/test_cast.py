"""The configuration that the demo writes is one that the proxy takes."""

from __future__ import annotations

from pathlib import Path

from shadowproxy.demo.cast import CAST, configuration
from shadowproxy.demo.folder import Folder
from shadowproxy.settings.load import load

PORTS = {part.name: 4000 + at for at, part in enumerate(CAST)}


def test_the_settings_accept_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(configuration(PORTS, folder.path, "127.0.0.1:0"))
    snapshot = load(str(folder.configuration)).snapshot
    assert snapshot.production.urls == ("http://127.0.0.1:4000",)
    assert snapshot.twin is not None
    assert (snapshot.twin.url, snapshot.twin.version) == ("http://127.0.0.1:4001", snapshot.production.version)
    assert [(c.name, c.version, c.expect) for c in snapshot.candidates] == [
        ("svm", "2", "different"),
        ("broken", "3", "same"),
    ]
    assert snapshot.statistics.bucket == 1.0
    assert snapshot.pairs.dir == str(tmp_path / "pairs")


def test_the_twin_is_production_and_the_broken_one_has_its_model() -> None:
    parts = {part.name: part for part in CAST}
    production, twin, broken = parts["logistic"], parts["twin"], parts["broken"]
    assert (twin.file, twin.version) == (production.file, production.version)
    assert (broken.file, broken.is_broken, broken.slower) == (production.file, True, 1.3)
