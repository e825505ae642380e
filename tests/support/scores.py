"""A package with scores of its own, as somebody else would install it."""

from __future__ import annotations

from pathlib import Path

import pytest


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, *points: str) -> None:
    """Its entry points are in force; in a name of its own, so that no test imports another's."""
    monkeypatch.syspath_prepend(folder)
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    info = folder / f"{module.replace('.', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('.', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[shadowproxy.scores]", *points]) + "\n")
