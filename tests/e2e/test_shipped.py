"""A running proxy sends its events and pairs to a real rsyslogd, in the Elastic Common Schema, and waits for nobody."""

from __future__ import annotations

from pathlib import Path

from tests.support.client import ask, post
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.rsyslog import Rsyslog
from tests.support.until import until
from tests.support.upstream import Upstream


def test_events_and_pairs_reach_rsyslog_also_after_it_was_away(tmp_path: Path) -> None:
    server = Rsyslog(tmp_path / "rsyslog")
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as v2:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": v2.url}],
            "pairs": {"redact": {"json": ["$.secret"]}},
            "logs": {"profile": "ecs", "ship": {"to": f"127.0.0.1:{server.port}", "what": ["events", "pairs"]}},
        }
        with Proxy(tmp_path / "proxy", config) as proxy:
            for number in range(20):
                body = b'{"secret": "hush", "n": %d}' % number
                assert ask(proxy.address, post("/predict", body)).status == 200
            proxy.wait_pairs(20)
            with server:
                until(lambda: len(pairs(server)) == 20, 20, "the pairs of when nobody was there", step_s=0.05)
                proxy.kill_one("recorder")
                until(lambda: "recorder.ended" in actions(server), 10, "an event of the supervisor", step_s=0.05)
                until(lambda: proxy.pids("recorder"), 10, "the recorder's successor")
                ask(proxy.address, post("/predict", b'{"n": 20}'))
                until(lambda: len(pairs(server)) == 21, 20, "a pair of the successor", step_s=0.05)
                log = proxy.stop()
                until(lambda: "drain.done" in actions(server), 10, "the last event", step_s=0.05)
            shipped = pairs(server)
            assert sorted(pair["pair_id"] for pair in shipped) == sorted(pair["pair_id"] for pair in log.pairs)
            assert shipped == sorted(log.pairs, key=lambda pair: [p["pair_id"] for p in shipped].index(pair["pair_id"]))
            assert not [pair for pair in shipped if "hush" in str(pair)]
            first = server.lines()[0]
            assert first["ecs"]["version"] == "8.11.0"
            plain = [event for event in proxy.events() if event.get("message") == "proxy.ready"]
            assert plain[0]["service"]["name"] == "shadowproxy"


def pairs(server: Rsyslog) -> list[dict[str, object]]:
    return [line["shadowproxy"]["pair"] for line in server.lines() if line["event"]["dataset"] == "shadowproxy.pair"]


def actions(server: Rsyslog) -> set[str]:
    return {line["event"]["action"] for line in server.lines() if line["event"]["dataset"] == "shadowproxy.log"}
