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
    """One model server. `file` as training writes it; a broken one has its faults and takes longer."""

    name: str
    file: str
    version: str
    is_broken: bool = False
    slower: float = 1.0

    def arguments(self, models: Path, seed: int) -> list[str]:
        return [
            *("--model", str(models / self.file), "--version", self.version, "--seed", str(seed)),
            *("--slower", str(self.slower), "--until-stdin-ends"),
            *(["--broken"] if self.is_broken else []),
        ]


CAST: Final = (
    Part(PRODUCTION, file=LOGISTIC, version="1"),
    Part(TWIN, file=LOGISTIC, version="1"),
    Part(BETTER, file=SVM, version="2"),
    Part(BROKEN, file=LOGISTIC, version="3", is_broken=True, slower=1.3),
)


def configuration(ports: Mapping[str, int], folder: Path, listen: str) -> dict[str, Any]:
    """What `shadowproxy run -c` reads, with the pair log and the state in `folder`."""
    server = {part.name: {"url": f"http://127.0.0.1:{ports[part.name]}", "version": part.version} for part in CAST}
    return {
        "listen": listen,
        "admin": {"listen": "127.0.0.1:0", "token": ""},  # on loopback, for minutes
        "state": str(folder / "state"),
        "production": {"name": PRODUCTION, **server[PRODUCTION]},
        "twin": server[TWIN],
        "candidates": [
            {"name": BETTER, **server[BETTER], "expect": "different"},
            {"name": BROKEN, **server[BROKEN], "expect": "same"},
        ],
        "limits": {"drain_delay": "0s"},
        # Short, because the demo is: a real trial keeps the defaults.
        "statistics": {"bucket": "1s", "warmup": "1s"},
        "pairs": {"dir": str(folder / "pairs")},
    }
