"""Steering through the admin API: the real supervisor and the real admin process, beside fake workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.settings.snapshot import Candidate, Production
from tests.support.api import Api
from tests.support.supervised import Supervised
from tests.support.until import until

V3 = Candidate(name="v3", url="http://127.0.0.1:3")


def supervised(folder: Path, **more: Any) -> Supervised:
    return Supervised(folder, real=("admin",), workers=2, state=str(folder / "state"), **more)


def api(proxy: Supervised) -> Api:
    return Api(proxy.event("proxy.ready")["admin"])


def candidate(to: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in to.get("/api/v1/candidates")["items"] if one["name"] == name)
    return found


def test_what_was_changed_is_in_force_everywhere_shows_as_drift_and_survives_a_restart(tmp_path: Path) -> None:
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        assert candidate(to, "v2")["sample"] == 0.1
        before = to.ask("GET", "/api/v1/config").etag
        said = to.ask("PATCH", "/api/v1/candidates/v2", {"sample": "25%", "gated": False}, X_Shadowproxy_Actor="ana")
        assert (said.status, said.body["sample"], said.body["gated"]) == (200, 0.25, False)
        assert said.etag != before
        until(lambda: len(proxy.said("worker", "commit 2")) == 2, 5)
        to.did("/api/v1/candidates", {"name": "v9", "url": "http://127.0.0.1:9"})
        to.did("/api/v1/candidates/v2/restart")
        to.did("/api/v1/pause", {"candidate": "v9"})
        drift = {one["key"]: (one["file"], one["running"]) for one in to.get("/api/v1/config")["drift"]}
        assert drift == {
            "candidates[v2].sample": ("10%", "25%"),
            "candidates[v2].gated": (True, False),
            "candidates[v9]": (None, "http://127.0.0.1:9"),
            "candidates[v9].paused": (False, True),
        }
        trial = candidate(to, "v2")["trial"]
        audit = proxy.event("audit", what="edit")
        assert audit["by"] == "ana (127.0.0.1)"
        assert {"key": "candidates[v2].sample", "before": 0.1, "after": 0.25} in audit["changed"]
        proxy.signal(signal.SIGKILL)
        proxy.wait()
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        assert len(to.get("/api/v1/status")["drift"]) == 4
        assert candidate(to, "v2") | {"trial": trial, "sample": 0.25, "gated": False} == candidate(to, "v2")
        assert candidate(to, "v9")["paused"]


def test_a_reload_keeps_what_was_changed_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    v2 = Candidate(name="v2", url="http://127.0.0.1:2", sample=0.1)
    with supervised(tmp_path, candidates=(v2, V3)) as proxy:
        to = api(proxy.ready())
        to.did("/api/v1/candidates/v2", {"sample": 0.5}, method="PATCH")
        to.did("/api/v1/candidates/v3", {"sample": 0.5}, method="PATCH")
        changed = Candidate(name="v3", url="http://127.0.0.1:3", sample=0.2)
        state = str(tmp_path / "state")
        proxy.configure(workers=2, state=state, candidates=(v2, changed))
        assert to.did("/api/v1/reload")["settled"] == ["candidates[v3].sample"]
        assert [candidate(to, name)["sample"] for name in ("v2", "v3")] == [0.5, 0.2]
        proxy.signal(signal.SIGHUP)
        proxy.event("audit", by="SIGHUP")
        assert candidate(to, "v2")["sample"] == 0.5
        to.did("/api/v1/reload", {"reset": True})
        assert (candidate(to, "v2")["sample"], to.get("/api/v1/config")["drift"]) == (0.1, [])


def test_a_change_is_made_only_over_what_was_looked_at(tmp_path: Path) -> None:
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        seen = to.ask("GET", "/api/v1/config").etag
        assert to.ask("GET", "/api/v1/config", If_None_Match=seen).status == 304
        assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.3}, If_Match=seen).status == 200
        said = to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.4}, If_Match=seen)
        assert (said.status, "no longer" in said.body["detail"]) == (412, True)
        for unlike in ('"another"', '""', f"W/{seen}", f'{seen}, "another"'):
            assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.4}, If_Match=unlike).status == 412, unlike
        for faulty in ("0", seen.strip('"'), f"{seen} {seen}", ""):
            assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.4}, If_Match=faulty).status == 400, faulty
        now = to.ask("GET", "/api/v1/candidates/v2")
        assert (now.body["sample"], to.ask("GET", "/api/v1/candidates/v2", If_None_Match=now.etag).status) == (0.3, 304)
        listed = f'"another", {now.etag}'
        assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.3, "paused": True}, If_Match=listed).status == 200
        assert to.ask("PATCH", "/api/v1/candidates/v2", {"gated": True}, If_Match="*").status == 200
        assert candidate(to, "v2")["sample"] == 0.3


REFUSALS = [
    ("PATCH", "/api/v1/candidates/v9", {"sample": 0.1}, 404, "no candidate v9"),
    ("PATCH", "/api/v1/candidates/v2", {"sample": 1}, 422, "write 1% or 100%"),
    ("PATCH", "/api/v1/candidates/v2", {"smaple": 0.1}, 422, "unknown field"),
    ("PATCH", "/api/v1/candidates/v2", [], 422, "Expected"),
    ("GET", "/api/v1/candidates/v9", None, 404, "no candidate v9"),
    ("GET", "/api/v1/candidates/a%2Fb", None, 404, "no candidate a/b"),
    ("DELETE", "/api/v1/candidates/v9", None, 404, "no candidate v9"),
    ("POST", "/api/v1/candidates", {"name": "v2", "url": "http://h:1"}, 409, "v2 is taken"),
    ("POST", "/api/v1/candidates", {"name": "x", "url": "h:1", "smaple": 1}, 422, "did you mean sample?"),
    ("POST", "/api/v1/pause", {"candidate": "v1"}, 404, "v1 is production"),
    ("POST", "/api/v1/rollback", None, 409, "nothing to roll back"),
    ("POST", "/api/v1/promote", {"candidate": "v2"}, 409, "not known yet, not PASS"),
    ("POST", "/api/v1/promote", {"candidate": "v9"}, 404, "no candidate v9"),
    ("POST", "/api/v1/promote", {}, 422, "candidate"),
    ("POST", "/api/v1/promote", {"candidate": "v2", "ramp": {"steps": ["50%", "10%"], "hold": "1m"}}, 422, "rise"),
    ("POST", "/api/v1/promote", {"candidate": "v2", "ramp": {"steps": ["50%"], "hold": "0s"}}, 422, "ramp.hold"),
    ("POST", "/api/v1/promote", {"candidate": "v2", "force": " \n"}, 422, "$.force"),
    ("POST", "/api/v1/rollback", {"reason": " "}, 422, "$.reason"),
    ("GET", "/api/v1/config?x=1", None, 400, "no query parameter 'x'"),
    ("GET", "/api/v1/pairs?route=", None, 400, "1 to 200"),
    ("GET", "/api/v1/pairs?route=%C3%A9t%C3%A9", None, 400, "ASCII"),
    ("GET", "/api/v1/trials?candidate=v+2", None, 400, "ASCII"),
    ("GET", "/api/v1/pairs?limit=0", None, 400, "1–500"),
    ("GET", "/api/v1/pairs?cursor=nonsense", None, 400, "earlier page"),
]


def test_what_cannot_be_done_is_a_problem_and_changes_nothing(tmp_path: Path) -> None:
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        before = to.ask("GET", "/api/v1/config")
        for method, path, body, status, detail in REFUSALS:
            said = to.ask(method, path, body)
            assert (said.status, detail in said.body["detail"]) == (status, True), (method, path, said)
            assert said.headers["content-type"] == "application/problem+json"
        assert to.post("/api/v1/pause", {}, Content_Type="text/plain").status == 415
        assert to.post("/api/v1/pause", {}, Content_Encoding="gzip").status == 400
        assert to.post("/api/v1/pause", {}, Origin="http://evil.example").status == 403
        assert to.post("/api/v1/pause", {}, Origin=f"http://{to.address}").status == 200
        to.did("/api/v1/resume")
        assert to.ask("GET", "/api/v1/config").body["config"] == before.body["config"]


def test_a_promotion_needs_a_reason_or_a_verdict_and_is_undone_and_remembered(tmp_path: Path) -> None:
    production = Production(name="v1", urls=("http://127.0.0.1:1",), connections=7)
    with supervised(tmp_path, production=production) as proxy:
        to = api(proxy.ready())
        to.did("/api/v1/promote", {"candidate": "v2", "force": "the old one leaks"}, X_Shadowproxy_Actor="ana")
        status = to.get("/api/v1/status")
        assert status["production"]["name"] == "v2"
        assert [(one["name"], one["gated"]) for one in status["candidates"]] == [("v1", False)]
        proxy.configure(workers=2, state=str(tmp_path / "state"), production=production, candidates=(V3,))
        said = to.post("/api/v1/reload")
        assert (said.status, "v2 was promoted" in said.body["detail"]) == (409, True)
        to.did("/api/v1/rollback", {"reason": "it leaks too"})
        assert to.get("/api/v1/status")["production"]["name"] == "v1"
        history = to.get("/api/v1/history")
        back, there = history["items"]
        assert (there["action"], there["from"], there["to"], there["forced"]) == (
            "promoted",
            "v1",
            "v2",
            "the old one leaks",
        )
        assert (there["verdict"], there["by"], there["rolled_back"]) == (None, "ana (127.0.0.1)", back["at"])
        assert (back["action"], back["from"], back["to"], back["reason"]) == ("rolled_back", "v2", "v1", "it leaks too")
        assert (history["deployments_per_month"], history["share_rolled_back"]) == (1.0, 1.0)
        lines = (tmp_path / "state" / "history.jsonl").read_text().splitlines()
        assert [json.loads(line)["action"] for line in lines] == ["promoted", "rolled_back"]


@pytest.mark.parametrize("behaviour", ["dies in prepare", "refuses"])
def test_a_change_that_one_process_cannot_make_is_made_in_none(tmp_path: Path, behaviour: str) -> None:
    with supervised(tmp_path, behave={"recorder": behaviour}) as proxy:
        to = api(proxy.ready())
        assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.3}).status == 409
        assert candidate(to, "v2")["sample"] == 0.1
        assert to.get("/api/v1/config")["drift"] == []
        assert not (tmp_path / "state" / "changes.json").exists()


def test_the_kill_switch_waits_for_nobody(tmp_path: Path) -> None:
    """A recorder that does not answer keeps the configuration from changing, not the copies from stopping."""
    with supervised(tmp_path, behave={"recorder": "silent in prepare"}, patience={"prepare": 1.0}) as proxy:
        to = api(proxy.ready())
        told = to.did("/api/v1/pause")
        assert told["pending"] == ["recorder did not prepare within 1 s"]
        hushed = [pid for pid in proxy.said("worker", "hush v2") if pid in proxy.pids("worker")]
        assert len(set(hushed)) == 2
        os.kill(proxy.pids("worker")[0], signal.SIGKILL)
        until(lambda: len({*proxy.said("worker", "hush v2")}) == 3, 10)  # its successor is told too
        proxy.behave(recorder="well")
        os.kill(proxy.pids("recorder")[0], signal.SIGKILL)
        until(lambda: candidate(to, "v2")["paused"], 15)  # and what was pending is settled by itself
        to.did("/api/v1/resume")
        assert not candidate(to, "v2")["paused"]


PAUSE = {"paused": True}
REFUSED_PAUSES = [
    ("POST", "/api/v1/pause", {"candidate": "v2"}, 412),
    ("POST", "/api/v1/pause", None, 412),
    ("PATCH", "/api/v1/candidates/v2", PAUSE, 412),
]


def test_a_pause_that_is_refused_silences_nobody(tmp_path: Path) -> None:
    """Nothing was changed, the answer says: the copies must not stop either."""
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        for method, path, body, status in REFUSED_PAUSES:
            assert to.ask(method, path, body, If_Match='"1-1"').status == status
            assert not silenced(proxy), (method, path, body)
        seen, number = to.ask("GET", "/api/v1/config").etag, 8
        with ThreadPoolExecutor(number) as pool:  # the later ones wait for the first, and find another revision then
            said = list(pool.map(lambda _: to.post("/api/v1/pause", {"candidate": "v2"}, If_Match=seen), range(number)))
        assert sorted(one.status for one in said) == [200] + [412] * (number - 1)
        to.did("/api/v1/resume")
        until(lambda: not silenced(proxy), 5, "every worker to send copies")


def silenced(proxy: Supervised) -> dict[int, str]:
    """Whom the kill switch keeps quiet, by worker, as each was told last."""
    told = {pid: text.removeprefix("hush").strip() for _, _, pid, text in proxy.entries() if text.startswith("hush")}
    return {pid: names for pid, names in told.items() if names}


def test_the_kill_switch_works_on_a_full_disk_and_says_what_that_means(tmp_path: Path) -> None:
    with supervised(tmp_path) as proxy:
        to = api(proxy.ready())
        state = tmp_path / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.write_text("no directory")
        assert to.ask("PATCH", "/api/v1/candidates/v2", {"sample": 0.3}).status == 409
        told = to.did("/api/v1/pause", {"candidate": "v2"})
        assert "ends with this proxy" in told["pending"][0]
        assert candidate(to, "v2")["paused"]
        state.unlink()
        to.did("/api/v1/candidates/v2", {"sample": 0.3}, method="PATCH")
        assert list(json.loads((state / "changes.json").read_text())["paused"]) == ["v2"]


def test_a_state_that_nobody_understands_keeps_the_proxy_from_starting(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "changes.json").write_text("{")
    with supervised(tmp_path) as proxy:
        assert "changes.json" in proxy.event("start.failed")["why"]
        assert proxy.wait() == 4
