"""A running proxy follows a flagd file: share, pause, and doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import ask, post
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream

pytest.importorskip("openfeature.contrib.provider.flagd", reason="the extra flags is not installed")


def test_a_flag_pauses_a_candidate_and_lets_it_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGD_OFFLINE_POLL_MS", "50")
    file = tmp_path / "flags.json"

    def write(share: str, paused: bool) -> None:
        values: dict[str, Any] = {"share": share, "paused": paused}
        flags = {k: {"state": "ENABLED", "variants": {"v": v}, "defaultVariant": "v"} for k, v in values.items()}
        file.with_suffix(".new").write_text(json.dumps({"flags": flags}))
        file.with_suffix(".new").replace(file)

    write("100%", True)
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as v2:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": v2.url}],
            "flags": {
                "file": str(file),
                "every": "200ms",
                "follow": [{"candidate": "v2", "sample": "share", "pause": "paused"}],
            },
        }
        with Proxy(tmp_path / "proxy", config) as proxy:

            def now() -> tuple[bool, float]:
                (candidate,) = proxy.status()["candidates"]
                return candidate["paused"], candidate["sample"]

            until(lambda: now() == (True, 1.0), 15, "the pause", step_s=0.05)
            ask(proxy.address, post("/", b"1"))
            write("50%", False)
            until(lambda: now() == (False, 0.5), 15, "half of the requests", step_s=0.05)
            for number in range(40):
                ask(proxy.address, post("/", b"%d" % number))
            file.unlink()
            until(lambda: now()[0], 15, "doubt", step_s=0.05)
            ask(proxy.address, post("/", b"2"))
            log = proxy.stop()
    assert log.reasons("v2", "excluded") == {"paused": 2}
    assert 0 < log.total("v2", "sent") < 40
    assert log.total("v2", "sent") == len(v2.requests)
