"""What the admin API says of a log: pairs, trials, verdicts, reports, history; and its stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from shadowproxy.admin import asked, events
from shadowproxy.admin.app import build
from shadowproxy.admin.asking import Asker
from shadowproxy.admin.history import figures, folded
from shadowproxy.admin.view import View
from shadowproxy.settings.snapshot import Pairs
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, status
from tests.support.pairs import TRIAL, PairLog, differing, timed_out

Api = TestClient[Any, Any]


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "pairs")
    log.pair(times=20)
    log.pair(comparison=differing("a", "b"))
    log.pair(shadow=timed_out())
    log.ledger(requests=22, eligible=22, sent=22, finished={"complete": 22}, logged=22)
    log.write("20260301T140000Z-0-1-000001")
    return log


@asynccontextmanager
async def serving(folder: Path | str, told: dict[str, Any] | None = None) -> AsyncIterator[tuple[Api, View]]:
    answers = told or status()

    def send(ask: Ask) -> None:
        view.asker.answered(Answer(ask.id, True, answers))

    candidates = (msgspec.structs.replace(SNAPSHOT.candidates[0], trial=TRIAL), *SNAPSHOT.candidates[1:])
    snapshot = msgspec.structs.replace(SNAPSHOT, pairs=Pairs(dir=str(folder)), candidates=candidates)
    view = View(snapshot, Asker(send))
    async with TestClient(TestServer(build(view))) as client:
        yield client, view


async def test_pairs_are_summaries_newest_first_with_filters_and_a_cursor(log: PairLog) -> None:
    async with serving(log.root) as (api, _):
        first = await (await api.get("/api/v1/pairs", params={"limit": 2})).json()
        timeout, different = first["items"]
        assert (timeout["shadow"]["outcome"], timeout["shadow"]["latency_ms"]) == ("timeout", 5000.0)
        assert (different["result"], different["agrees"]) == ("different", False)
        assert (different["production_prediction"], different["shadow_prediction"]) == ('"a"', '"b"')
        assert different["differing_paths"] == ["$.label"]
        assert (different["method"], different["target"], different["answered_by"]) == ("POST", "/predict", "v1")
        assert (different["production"]["status"], different["production"]["upstream"]) == (200, "v1")
        assert "body" not in json.dumps(different)
        rest = await (await api.get("/api/v1/pairs", params={"limit": 50, "cursor": first["next"]})).json()
        assert (len(rest["items"]), rest["next"]) == (20, None)
        for params, count in (({"agrees": "false"}, 1), ({"outcome": "timeout"}, 1), ({"candidate": "v3"}, 0)):
            assert len((await (await api.get("/api/v1/pairs", params=params)).json())["items"]) == count


async def test_a_page_stands_as_requests_came_though_their_answers_came_otherwise(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "pairs")
    for at in (0.0, 3.0, 1.0, 2.0):
        log.pair(at=at)
    log.write("20260301T140000Z-0-1-000001")
    async with serving(log.root) as (api, _):
        page = await (await api.get("/api/v1/pairs")).json()
        came = [pair["ts"] for pair in page["items"]]
        assert came == sorted(came, reverse=True)
        assert len(set(came)) == 4


async def test_one_requests_pairs_come_whole_by_either_id(log: PairLog) -> None:
    async with serving(log.root) as (api, _):
        page = await (await api.get("/api/v1/pairs?agrees=false")).json()
        for wanted in (page["items"][0]["pair_id"], page["items"][0]["id"]):
            found = await (await api.get(f"/api/v1/pairs/{wanted}")).json()
            assert [pair["production"]["body"] for pair in found["items"]] == ['{"label": "a"}']
        missing = await api.get("/api/v1/pairs/nothing")
        assert (missing.status, "no pair" in (await missing.json(content_type=None))["detail"]) == (404, True)


async def test_trials_of_the_log_and_those_without_a_pair_yet(log: PairLog) -> None:
    async with serving(log.root) as (api, view):
        record = {"trial": TRIAL, "verdict": "PASS", "headline": "fine"}
        await view.verdicts.put({"candidates": {"v2": record}})
        items = (await (await api.get("/api/v1/trials")).json())["items"]
        by_trial = {item["trial"]: item for item in items}
        assert (by_trial[TRIAL]["pairs"], by_trial[TRIAL]["verdict"], by_trial[TRIAL]["present"]) == (22, "PASS", True)
        assert by_trial[TRIAL]["first_ts"] == "2026-03-01T14:00:00.000000Z"
        assert (by_trial["v3-now"]["pairs"], by_trial["v3-now"]["verdict"]) == (0, None)
        verdict = await (await api.get("/api/v1/candidates/v2/verdict")).json()
        assert verdict == record
        assert (await (await api.get("/api/v1/candidates/v3/verdict")).json())["verdict"] is None
        assert (await api.get("/api/v1/candidates/v9/verdict")).status == 404


@pytest.mark.parametrize(("form", "media"), [("json", "application/json"), ("text", "text/plain")])
async def test_a_report_is_made_in_a_process_of_its_own(log: PairLog, form: str, media: str) -> None:
    async with serving(log.root) as (api, _):
        response = await api.get("/api/v1/report", params={"format": form, "candidate": "v2"})
        assert (response.status, response.content_type) == (200, media)
        said = await response.text()
        assert "v2" in said
        if form == "json":
            assert json.loads(said)["candidates"]["v2"]["pairs"] == 22
        assert (await api.get("/api/v1/report", params={"candidate": "v9"})).status == 404


async def test_a_log_that_takes_too_long_is_given_up(log: PairLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "WAITING", 0)
    async with serving(log.root) as (api, _):
        response = await api.get("/api/v1/report")
        assert (response.status, "waiting" in (await response.json(content_type=None))["detail"]) == (503, True)
    monkeypatch.setattr(asked, "WAITING", 1)
    with pytest.raises(asked.AskedError, match="within 0 s"):
        await asked.ask({"what": "report", "paths": [str(log.root)]}, 0)


# -- events ------------------------------------------------------------------------------------------------------------


async def told(stream: Any, wanted: Callable[[str, Any], bool]) -> tuple[str, Any]:
    """The next event that is wanted."""
    async with asyncio.timeout(10):
        while True:
            lines = (await stream.readuntil(b"\n\n")).decode().splitlines()
            if lines[0].startswith("event: "):
                event, data = lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))
                if wanted(event, data):
                    return event, data
            elif wanted("comment", lines[0]):
                return "comment", lines[0]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.02)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)


async def test_events_tell_the_state_at_once_and_every_change(quick: None, log: PairLog) -> None:
    now = status()
    async with serving(log.root, now) as (api, view), api.get("/api/v1/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        _, page = await told(response.content, lambda event, _: event == "status")
        assert page["candidates"][0]["name"] == "v2"
        assert page.keys() & {"ledger", "audit", "uptime_s"} == set()
        assert (await told(response.content, lambda event, _: event == "comment"))[1] == ": heartbeat"
        now["totals"]["counters"]['requests_total{route="predict",code="200"}'] = 91.0
        await told(response.content, lambda event, data: event == "status" and data["requests"] == 101)
        await view.verdicts.put({"candidates": {"v2": {"trial": TRIAL, "verdict": "FAIL", "headline": "bad"}}})
        _, verdicts = await told(response.content, lambda event, data: event == "verdicts" and data)
        assert verdicts == {"v2": {"trial": TRIAL, "verdict": "FAIL", "headline": "bad", "pairs": None}}
        now["audit"] = [{"seq": 7, "what": "edit"}]
        _, change = await told(response.content, lambda event, _: event == "change")
        assert change == {"seq": 7, "what": "edit"}


async def test_listeners_are_limited_and_leave_no_work_behind(
    quick: None, log: PairLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "CLIENTS", 1)
    async with serving(log.root) as (api, _):
        async with api.get("/api/v1/events") as first:
            await told(first.content, lambda event, _: event == "status")
            second = await api.get("/api/v1/events")
            assert (second.status, second.headers["Retry-After"]) == (503, "10")
        broadcast = api.app[events.BROADCAST]  # type: ignore[index]
        assert broadcast._task is not None
        await asyncio.wait_for(broadcast._task, 60)
        assert broadcast.listeners == set()


def test_a_slow_listener_gets_the_newest_and_never_more_than_waits() -> None:
    listener = events.Listener()
    for number in range(3 * events.CHANGES):
        listener.put("status", b"%d" % number)
        listener.put("change", b"%d" % number)
    sent = listener.take().decode()
    assert sent.count("event: status") == 1
    assert f"event: status\ndata: {3 * events.CHANGES - 1}\n\n" in sent
    assert sent.count("event: change") == events.CHANGES
    assert listener.take() == b""


# -- history -----------------------------------------------------------------------------------------------------------


def change(action: str, from_: str, to: str, at: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "from": from_, "to": to, "at": at, "to_verdict_s": None, **more}


def test_history_says_which_promotion_was_undone_and_how_often() -> None:
    from datetime import UTC, datetime

    records = [
        change("promoted", "v1", "v2", "2026-01-01T00:00:00Z", to_verdict_s=100.0),
        change("rolled_back", "v2", "v1", "2026-01-02T00:00:00Z"),
        change("promoted", "v1", "v2", "2026-02-01T00:00:00Z", to_verdict_s=300.0),
        change("ramp_began", "v2", "v3", "2026-02-02T00:00:00Z"),
        change("promoted", "v2", "v3", "2026-03-01T00:00:00Z"),
    ]
    newest = folded(records)
    undone = [one["rolled_back"] for one in newest if one["action"] == "promoted"]
    assert undone == [None, None, "2026-01-02T00:00:00Z"]
    told = figures(newest, datetime(2026, 3, 2, tzinfo=UTC))
    assert told["deployments_per_month"] == pytest.approx(3 / 2)  # 60 days are two months of 30
    assert told["median_time_to_verdict_s"] == 200.0
    assert told["share_rolled_back"] == pytest.approx(1 / 3)
    assert figures([], datetime(2026, 3, 2, tzinfo=UTC))["share_rolled_back"] is None
