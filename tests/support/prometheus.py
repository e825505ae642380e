"""A real Prometheus in a folder of its own: what it scrapes, and what its queries return."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.support.proxy import reserve
from tests.support.tools import require
from tests.support.until import until


class Prometheus:
    """Scrapes `targets` (HOST:PORT) four times a second."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        program = require("prometheus", "prometheus")
        folder.mkdir()
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
            "scrape_configs": [{"job_name": "shadowproxy", "static_configs": [{"targets": targets}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._held = reserve()
        self._port: int = self._held.getsockname()[1]
        self._out = (folder / "out").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=warn",
            ],
            stdout=self._out,
            stderr=subprocess.STDOUT,
            env={"GOMAXPROCS": "1"},
        )

    def __enter__(self) -> Prometheus:
        until(lambda: self._get("/-/ready") is not None, 20, "prometheus", step_s=0.05)
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.wait(10)
        self._out.close()
        self._held.close()

    def _get(self, path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as e:
            return None if e.code == 503 else e.read()
        except OSError:
            return None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector of an expression, without NaN; AssertionError with Prometheus' words for one that is none."""
        body = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        told = json.loads(body or b"{}")
        assert told.get("status") == "success", f"{expression}: {told.get('error')}"
        assert told["data"]["resultType"] == "vector", expression
        found: list[dict[str, Any]] = told["data"]["result"]
        return [one for one in found if one["value"][1] != "NaN"]
