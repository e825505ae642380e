"""A proxy that is steered, promoted and rolled back under load: no request fails, and the counts balance."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.core.sampling import point
from tests.support.api import Api, wait_for_pass
from tests.support.client import Client, get, post
from tests.support.load import Load, reaches, returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, response

TRIES = 3  # of what is limited by the clock
TURNS = 4  # of reload, promotion and rollback; the campaign takes 34, which are 102 changes


class Models:
    def __init__(self, stack: ExitStack) -> None:
        self.v1, self.v2 = (stack.enter_context(Upstream(returns_the_body, keep=100_000)) for _ in range(2))
        self.last_of_v2 = 0.0  # when v2 had its last request

    def take_their_time(self) -> None:
        """Models need some; it also keeps logs small enough to be judged quickly."""
        pause = threading.Event()

        def slow(connection: Connection, request: Request) -> None:
            pause.wait(0.02)
            returns_the_body(connection, request)

        self.v1.handler = self.v2.handler = slow

    def watch_v2(self) -> None:
        def timed(connection: Connection, request: Request) -> None:
            self.last_of_v2 = time.time()
            returns_the_body(connection, request)

        self.v2.handler = timed

    def config(self, **more: Any) -> dict[str, Any]:
        return {
            "production": {"name": "v1", "url": self.v1.url},
            "candidates": [{"name": "v2", "url": self.v2.url, "max_in_flight": 1000}],
            **more,
        }


@pytest.fixture
def models() -> Iterator[Models]:
    with ExitStack() as stack:
        yield Models(stack)


def api(proxy: Proxy) -> Api:
    return Api(proxy.admin_url.removeprefix("http://"))


def answers(proxy: Proxy) -> str:
    name: str = api(proxy).get("/api/v1/status")["production"]["name"]
    return name


def change_again_and_again(folder: Path, models: Models, turns: int) -> Load:
    """The load that went on meanwhile."""
    with Proxy(folder, models.config(workers=2), steered=True) as proxy:
        load = Load(proxy.address)
        to = api(proxy)
        until(reaches(load, 200), 30, "200 answers")
        for turn in range(turns):
            if turn % 2:
                proxy.signal(signal.SIGHUP)
            to.did("/api/v1/reload")
            to.did("/api/v1/promote", {"candidate": "v2", "force": "a test"})
            at = load.count
            until(reaches(load, at + 50), 30, "answers of v2")
            to.did("/api/v1/rollback")
            at = load.count
            until(reaches(load, at + 50), 30, "answers of v1")
        load.stop()
        load.wait()
        history = to.get("/api/v1/history?limit=1000")
        assert [one["action"] for one in history["items"]] == ["rolled_back", "promoted"] * turns
        log = proxy.stop()
    by = {pair["answered_by"] for pair in log.pairs}
    assert by == {"v1", "v2"}
    trials = {(pair["trial"], pair["production"]["upstream"], pair["shadow"]["upstream"]) for pair in log.pairs}
    assert len({trial for trial, _, _ in trials}) == len(trials)  # no trial mixes who was compared with whom
    # A worker that lags sheds copies, so that a trial of a moment may have no pair; none has been made up.
    assert turns < len(trials) <= 2 * turns + 1
    return load


def test_reloads_promotions_and_rollbacks_under_load_lose_no_request(tmp_path: Path, models: Models) -> None:
    load = change_again_and_again(tmp_path, models, TURNS)
    assert (load.lost, load.refused) == ([], 0)


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_hundred_reloads_promotions_and_rollbacks_lose_no_request(tmp_path: Path, models: Models) -> None:
    load = change_again_and_again(tmp_path, models, 34)
    assert (load.lost, load.refused) == ([], 0)


def pause_takes_s(proxy: Proxy, models: Models, load: Load) -> float:
    """From the pause to the last copy that v2 had, while a recorder hangs and answers go on."""
    recorder = proxy.pids("recorder")[0]
    os.kill(recorder, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            since, at = time.time(), load.count
            pausing = pool.submit(api(proxy).did, "/api/v1/pause")
            until(reaches(load, at + 500), 60, "answers all the same")
            quiet_s = 1.5
            until(lambda: time.time() - max(models.last_of_v2, since) > quiet_s, 30, "the end of copies", 0.05)
            os.kill(recorder, signal.SIGCONT)
            pausing.result(60)
    finally:
        os.kill(recorder, signal.SIGCONT)
    return models.last_of_v2 - since


def copies_go_on(models: Models) -> None:
    count = len(models.v2.requests)
    until(lambda: len(models.v2.requests) > count, 30, "copies again")


@pytest.mark.timeout(300)
def test_the_kill_switch_is_in_force_in_every_worker_within_a_second(tmp_path: Path, models: Models) -> None:
    """Also while a recorder hangs, which keeps the configuration from being changed everywhere."""
    models.watch_v2()
    with Proxy(tmp_path, models.config(workers=2), steered=True) as proxy:
        load = Load(proxy.address)
        until(lambda: len(models.v2.requests) > 200, 30, "copies")
        took_s = [pause_takes_s(proxy, models, load)]
        while took_s[-1] >= 1.0 and len(took_s) < TRIES:  # the machine had something else to do
            api(proxy).did("/api/v1/resume")
            copies_go_on(models)
            took_s.append(pause_takes_s(proxy, models, load))
        assert took_s[-1] < 1.0, took_s
        count, at = len(models.v2.requests), load.count
        until(reaches(load, at + 300), 30, "answers after the pause")
        assert len(models.v2.requests) == count
        assert [one["paused"] for one in api(proxy).get("/api/v1/candidates")["items"]] == [True]
        api(proxy).did("/api/v1/resume")
        copies_go_on(models)
        load.stop()
        load.wait()
        assert load.lost == []
        log = proxy.stop()
    assert log.reasons("v2", "excluded")["paused"] > 0


RAMP = {"steps": ["20%", "100%"], "hold": "500ms"}
GATED = {"statistics": {"bucket": "250ms", "at_least": {"pairs": 20}}, "gates": ["error_rate_increase<=20pp"]}


@pytest.mark.timeout(300)
def test_a_ramp_promotes_a_good_model_and_no_user_notices(tmp_path: Path, models: Models) -> None:
    models.take_their_time()
    with Proxy(tmp_path, models.config(workers=2, **GATED), steered=True) as proxy:
        load = Load(proxy.address, clients=2)
        to = api(proxy)
        wait_for_pass(to, "v2")
        to.did("/api/v1/promote", {"candidate": "v2", "ramp": RAMP})
        shares = set()

        def is_promoted() -> bool:
            status = to.get("/api/v1/status")
            shares.add(status["ramp"]["share"] if status["ramp"] else None)
            return bool(status["production"]["name"] == "v2")

        until(is_promoted, 120, "the promotion at the end of the ramp", 0.1)
        at = load.count
        until(reaches(load, at + 100), 30, "answers of v2 alone")
        load.stop()
        load.wait()
        assert load.lost == []
        history = to.get("/api/v1/history")["items"]
        assert [one["action"] for one in reversed(history)] == ["ramp_began", "ramp_raised", "promoted"]
        assert {(one["from"], one["to"], one["verdict"], one["forced"]) for one in history} == {
            ("v1", "v2", "PASS", None)
        }
        assert history[0]["by"] == "ramp"
        log = proxy.stop()
    assert shares == {0.2, 1.0, None}
    of_v2 = [pair for pair in log.pairs if pair["candidate"] == "v2"]
    assert len({pair["trial"] for pair in of_v2}) == 1  # the ramp goes on with the trial that was there
    for pair in of_v2:
        assert (pair["production"]["upstream"], pair["shadow"]["upstream"]) == ("v1", "v2")
        assert (pair["production"]["outcome"], pair["shadow"]["outcome"]) == ("complete", "complete")
        assert pair["comparison"]["result"] == "same"
        assert pair["shadow"]["timing_ms"]["total"] > 0
    by_v2 = [point(pair["id"].encode()) for pair in of_v2 if pair["answered_by"] == "v2"]
    assert min(by_v2) < 0.2 < max(by_v2)
    copies = {request.head.get(b"x-shadow-candidate") for request in models.v1.requests}
    assert copies == {None, b"v1"}  # the incumbent's copies are marked as such


@pytest.mark.timeout(180)
def test_users_stay_where_they_are_while_a_ramp_stands(tmp_path: Path, models: Models) -> None:
    """A key is answered by one side only, and a rollback brings everybody back without a lost request."""
    candidates = [{"name": "v2", "url": models.v2.url, "max_in_flight": 1000, "sample_key": "header:X-Request-ID"}]
    with Proxy(tmp_path, models.config(workers=2, candidates=candidates), steered=True) as proxy:
        load = Load(proxy.address, clients=2)
        to = api(proxy)
        ramp = {"steps": ["30%", "100%"], "hold": "10m"}
        to.did("/api/v1/promote", {"candidate": "v2", "force": "a test", "ramp": ramp})
        began = time.time()
        at = load.count
        until(reaches(load, at + 300), 60, "answers within the ramp")
        ended = time.time()
        assert to.post("/api/v1/promote", {"candidate": "v2", "force": "x", "ramp": ramp}).status == 409
        to.did("/api/v1/rollback", {"reason": "enough"})
        back = time.time()
        at = load.count
        until(reaches(load, at + 100), 30, "answers after it")
        load.stop()
        load.wait()
        assert load.lost == []
        log = proxy.stop()
    seen = {"v1": 0, "v2": 0}
    for pair in log.pairs:
        sent = load.sent[int(pair["id"].removeprefix("load-"))]
        is_low = point(pair["id"].encode()) < 0.3
        if began < sent < ended:
            assert pair["answered_by"] == ("v2" if is_low else "v1")
            seen[pair["answered_by"]] += 1
        elif sent > back:
            assert pair["answered_by"] == "v1"
    assert min(seen.values()) > 20


REWRITTEN: dict[str, Any] = {
    "headers": {"set": {"X-Model": "v2"}},
    "json": {"set": {"$.model": "m2"}},
    "path": {"replace": "/a", "with": "/b"},
    "host": "v2.internal",
}
BODIES = [
    post("/a/x?q=/a", b'{"model": "m1", "n": 1}'),
    get("/a/x?q=/a", "Transfer-Encoding: chunked", method="POST")
    + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (b'{"mod', b'el": "m1"', b', "n": 1}', b"")),
]


def test_a_promoted_model_is_spoken_to_as_it_was_while_it_was_tested(tmp_path: Path, models: Models) -> None:
    """Path, header, host and body reach it rewritten, also from a canary's users, and the former production as sent."""
    config = models.config(candidates=[{"name": "v2", "url": models.v2.url, **REWRITTEN}])
    with Proxy(tmp_path, config, steered=True) as proxy:
        to = api(proxy)

        def speak() -> None:
            with Client(proxy.address) as client:
                for request in BODIES:
                    answer = client.ask(request)
                    assert (answer.status, answer.data) == (200, b'{"model": "m2", "n": 1}')

        ramp = {"steps": ["100%"], "hold": "10m"}
        to.did("/api/v1/promote", {"candidate": "v2", "force": "a test", "ramp": ramp})
        speak()
        to.did("/api/v1/promote", {"candidate": "v2", "force": "a test"})
        speak()
        models.v1.wait_requests(4)
        log = proxy.stop()
    for request in models.v2.requests:
        assert request.target == b"/b/x?q=/a"
        assert (request.head.get(b"x-model"), request.head.get(b"host")) == (b"v2", b"v2.internal")
        assert request.body.data == b'{"model": "m2", "n": 1}'
    for request in models.v1.requests:
        assert (request.target, request.body.data) == (b"/a/x?q=/a", b'{"model": "m1", "n": 1}')
        assert request.head.get(b"x-model") is None
    assert {pair["request"]["body"] for pair in log.pairs} == {'{"model": "m1", "n": 1}'}


@pytest.mark.timeout(360)
def test_a_ramp_rolls_a_bad_model_back_by_itself(tmp_path: Path, models: Models) -> None:
    """v2, which had passed, begins to fail while a fifth of the users is answered by it, and nobody has to look."""
    models.take_their_time()

    def fails(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(response(b"{}", "Content-Type: application/json", status="500 Internal Server Error"))

    with Proxy(tmp_path, models.config(workers=2, **GATED), steered=True) as proxy:
        load = Load(proxy.address, clients=2)
        to = api(proxy)
        wait_for_pass(to, "v2")
        to.did("/api/v1/promote", {"candidate": "v2", "ramp": {"steps": ["20%", "100%"], "hold": "10m"}})
        models.v2.handler = fails
        until(lambda: to.get("/api/v1/status")["ramp"] is None, 180, "the end of the ramp", 0.2)
        time_of_end = time.time()
        at = load.count
        until(reaches(load, at + 200), 60, "answers of v1")
        load.stop()
        load.wait()
        ended, began = to.get("/api/v1/history")["items"]
        assert (ended["action"], ended["by"]) == ("ramp_ended", "ramp")
        assert ended["verdict"] in ("FAIL", "INCONCLUSIVE")  # the latter: `drift`
        assert (began["action"], began["share"], began["verdict"], began["forced"]) == ("ramp_began", 0.2, "PASS", None)
        assert answers(proxy) == "v1"
        log = proxy.stop()
    failed = [pair for pair in log.pairs if pair["answered_by"] == "v2" and pair["shadow"]["status"] == 500]
    assert failed
    assert {pair["production"]["status"] for pair in failed} == {200}  # production got the copy, and answered it
    assert all(point(pair["id"].encode()) < 0.2 for pair in failed)
    assert len(load.lost) == len(failed)
    after = [number for number, sent in load.sent.items() if sent > time_of_end + 1]
    assert after
    assert set(after) <= set(load.answered)  # from then on nobody meets v2
