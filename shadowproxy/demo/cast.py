"""Who plays what: the four model servers, and the configuration of the proxy in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shadowproxy.demo.training import LOGISTIC, SVM

PRODUCTION: Final = "logistic"
TWIN: Final = "twin"
BETTER: Final = "svm"
BROKEN: Final = "broken"


@dataclass(frozen=True, slots=True)
class Part:
    """One model server. `kind` and `slower` as `shadowproxy.demo.server` takes them, `file` as training writes it."""

    name: str
    kind: str
    file: str
    version: str
    slower: float = 1.0

    def arguments(self, models: Path, seed: int) -> list[str]:
        return [
            *("--model", str(models / self.file), "--kind", self.kind, "--version", self.version),
            *("--slower", str(self.slower), "--seed", str(seed), "--until-stdin-ends"),
        ]


CAST: Final = (
    Part(PRODUCTION, kind="logistic", file=LOGISTIC, version="1"),
    Part(TWIN, kind="logistic", file=LOGISTIC, version="1"),
    Part(BETTER, kind="svm", file=SVM, version="2"),
    Part(BROKEN, kind="broken", file=LOGISTIC, version="3", slower=1.3),
)


def configuration(ports: Mapping[str, int], folder: Path, listen: str) -> dict[str, Any]:
    """What `shadowproxy run -c` reads, with the pair log and the state in `folder`."""
    server = {part.name: {"url": f"http://127.0.0.1:{ports[part.name]}", "version": part.version} for part in CAST}
    return {
        "listen": listen,
        "admin": {"listen": "127.0.0.1:0"},
        "state": str(folder / "state"),
        "production": {"name": PRODUCTION, **server[PRODUCTION]},
        "twin": server[TWIN],
        "candidates": [
            {"name": BETTER, **server[BETTER], "expect": "similar"},
            {"name": BROKEN, **server[BROKEN], "expect": "same"},
        ],
        "limits": {"drain_delay": "0s"},
        # Short, because the demo is: a real trial keeps the defaults.
        "statistics": {"bucket": "1s", "warmup": "1s"},
        "pairs": {"dir": str(folder / "pairs")},
    }
