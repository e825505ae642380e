"""A sample is a set of keys: the same in every process, before and after a restart, on whichever worker."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

from shadowproxy.core.sampling import is_sampled
from tests.support.client import Client, post
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream

ROOT = Path(__file__).resolve().parents[2]
SHARES = {"small": 0.05, "middle": 0.3, "large": 0.6}
KEYS = [f"user-{number}" for number in range(400)]

DECIDE = """
import json, sys
from shadowproxy.core.sampling import is_sampled
keys, shares = json.load(sys.stdin)
print(json.dumps({name: [key for key in keys if is_sampled(key.encode(), share)] for name, share in shares.items()}))
"""


def decided_elsewhere(seed: int) -> dict[str, list[str]]:
    """By a process of its own, in which Python's own hashes are different ones."""
    done = subprocess.run(
        [sys.executable, "-c", DECIDE],
        input=json.dumps([KEYS, SHARES]),
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_independent_processes_decide_alike_nested_and_by_share() -> None:
    first, second = decided_elsewhere(1), decided_elsewhere(2)
    assert first == second
    assert set(first["small"]) < set(first["middle"]) < set(first["large"])
    for name, share in SHARES.items():
        sigma = math.sqrt(len(KEYS) * share * (1 - share))
        assert abs(len(first[name]) - len(KEYS) * share) <= 3 * sigma


def test_two_proxies_of_two_workers_send_the_same_users_to_each_candidate(tmp_path: Path) -> None:
    """The second is another machine as far as it knows: nothing is shared but the configuration."""
    with Upstream(returns_the_body) as production:
        chosen = [_users(tmp_path / str(number), production) for number in range(2)]
    assert chosen[0] == chosen[1]
    expected = {name: {key for key in KEYS if is_sampled(key.encode(), share)} for name, share in SHARES.items()}
    assert chosen[0] == expected


def _users(folder: Path, production: Upstream) -> dict[str, set[str]]:
    """Which users' requests came to which candidate."""
    models = {name: Upstream(returns_the_body) for name in SHARES}
    config = {
        "workers": 2,
        "production": {"url": production.url},
        "candidates": [
            {"name": name, "url": model.url, "sample": f"{SHARES[name]:.0%}", "sample_key": "header:X-User"}
            for name, model in models.items()
        ],
    }
    try:
        with Proxy(folder, config) as proxy:
            clients = [Client(proxy.address) for _ in range(8)]  # spread over the workers by the kernel
            for number, key in enumerate(KEYS):
                assert clients[number % len(clients)].ask(post("/", b"{}", f"X-User: {key}")).status == 200
            for client in clients:
                client.close()
            log = proxy.stop()
        for name in SHARES:
            assert log.reasons(name, "dropped") == {}
            assert log.total(name, "requests") == len(KEYS)
        return {
            name: {(request.get(b"x-user") or b"").decode() for request in model.requests}
            for name, model in models.items()
        }
    finally:
        for model in models.values():
            model.close()
