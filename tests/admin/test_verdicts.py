"""The live verdict, with a judge that answers as scripted, and once with the real one in its own process."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import uvloop

from shadowproxy.admin import verdicts
from shadowproxy.admin.asked import AskedError
from shadowproxy.admin.asked import ask as asked_for
from shadowproxy.admin.verdicts import Verdicts, ask
from shadowproxy.report.assemble import report
from shadowproxy.report.engine import opened
from shadowproxy.report.scope import Scope
from shadowproxy.report.source import find
from shadowproxy.report.views import load_views
from shadowproxy.report.wishes import Wishes
from shadowproxy.settings.snapshot import Candidate, Pairs, Production, Snapshot, Statistics
from tests.support.pairs import START, TRIAL, PairLog, answer, differing


def snapshot_of(folder: Path, trial: str = TRIAL) -> Snapshot:
    return Snapshot(
        production=Production(name="v1", urls=("http://127.0.0.1:9",)),
        candidates=(Candidate(name="v2", url="http://127.0.0.1:9", trial=trial),),
        statistics=Statistics(bucket=0.1),
        pairs=Pairs(dir=str(folder)),
    )


def told(verdict: str | None, **more: Any) -> dict[str, Any]:
    return {"candidates": {"v2": {"trial": TRIAL, "verdict": verdict, **more}}}


def filled(folder: Path) -> PairLog:
    log = PairLog(folder)
    log.pair(times=40, twin=answer())
    log.pair(times=2, twin=answer(), comparison=differing())
    log.ledger(requests=42, eligible=42, sent=42, finished={"complete": 42}, logged=42)
    log.write()
    return log


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_S", "SETTLE_S", "AFTER_FAILURE_S"):
        monkeypatch.setattr(verdicts, name, 0.01)


async def test_nothing_is_told_before_anything_was_judged(tmp_path: Path) -> None:
    one = Verdicts(lambda: snapshot_of(tmp_path))
    assert await one.of("v2") is None
    assert await one.all() == {}


async def test_who_follows_gets_every_change(tmp_path: Path) -> None:
    one = Verdicts(lambda: snapshot_of(tmp_path))
    heard: list[tuple[object, object]] = []
    one.subscribe(lambda before, after: heard.append((before.get("v2"), after.get("v2"))))
    waiting = asyncio.create_task(one.changed(0))
    await one.put(told("INCONCLUSIVE"))
    assert await waiting == 1
    await one.put(told("PASS"))
    record = await one.of("v2")
    assert record is not None
    assert record["verdict"] == "PASS"
    assert [tuple(side and side["verdict"] for side in pair) for pair in heard] == [  # type: ignore[index]
        (None, "INCONCLUSIVE"),
        ("INCONCLUSIVE", "PASS"),
    ]


async def test_a_listener_that_raises_stops_nobody(tmp_path: Path) -> None:
    one = Verdicts(lambda: snapshot_of(tmp_path))
    heard = []

    def broken(before: object, after: object) -> None:
        raise RuntimeError("no")

    one.subscribe(broken)
    one.subscribe(lambda before, after: heard.append(1))
    await one.put(told("PASS"))
    assert heard == [1]


async def test_the_record_of_a_trial_that_is_over_is_not_told(tmp_path: Path) -> None:
    trial = TRIAL
    one = Verdicts(lambda: snapshot_of(tmp_path, trial))
    await one.put(told("PASS"))
    assert await one.of("v2") is not None
    trial = "v2-another"
    assert await one.of("v2") is None


async def test_a_log_that_stays_as_it_is_is_not_judged_again(tmp_path: Path) -> None:
    log, asked = filled(tmp_path / "log"), 0

    async def judge(snapshot: Snapshot, deadline_s: int) -> Mapping[str, Any]:
        nonlocal asked
        asked += 1
        return told("PASS")

    one = Verdicts(lambda: snapshot_of(tmp_path / "log"), judge)
    one.start()
    try:
        async with asyncio.timeout(60):
            await one.changed(0)
            one.hurry()
            await asyncio.sleep(0.5)  # buckets of 0.1 s close meanwhile
            assert asked == 1
            log.pair()
            log.write()
            assert await one.changed(1) == 2
    finally:
        await one.close()


async def test_a_judge_that_fails_leaves_the_last_record(tmp_path: Path) -> None:
    log, fails = filled(tmp_path / "log"), False
    failed = asyncio.Event()

    async def judge(snapshot: Snapshot, deadline_s: int) -> Mapping[str, Any]:
        if fails:
            failed.set()
            raise AskedError("no")
        return told("PASS")

    one = Verdicts(lambda: snapshot_of(tmp_path / "log"), judge)
    one.start()
    try:
        async with asyncio.timeout(60):
            await one.changed(0)
            fails = True
            log.pair()
            log.write()
            await failed.wait()
            assert await one.of("v2") is not None
            fails = False
            log.pair()
            log.write()
            await one.changed(1)
    finally:
        await one.close()


async def test_who_only_waited_for_the_processor_rests_no_longer_than_it_waited(tmp_path: Path) -> None:
    async def judge(snapshot: Snapshot, deadline_s: int) -> Mapping[str, Any]:
        await asyncio.sleep(0.2)
        return told("PASS")

    began_s = time.monotonic()
    rest_s = await Verdicts(lambda: snapshot_of(tmp_path), judge)._once(snapshot_of(tmp_path))
    assert 0.2 <= rest_s <= time.monotonic() - began_s


def test_what_the_judge_s_process_used_is_a_fifth_of_a_core_at_most(tmp_path: Path) -> None:
    """On the loop that serves the admin port, for it is the loop that reaps the process."""
    snapshot = snapshot_of(filled(tmp_path).root)

    async def judged() -> tuple[float, float, float]:
        began_s, used_s = time.monotonic(), verdicts._children_used_s()
        rest_s = await Verdicts(lambda: snapshot)._once(snapshot)
        return verdicts._children_used_s() - used_s, time.monotonic() - began_s, rest_s

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        used_s, took_s, rest_s = runner.run(judged())
    assert used_s > 0.1
    assert used_s <= verdicts.SHARE * (took_s + rest_s) + 0.01


async def test_live_is_offline_to_the_letter(tmp_path: Path) -> None:
    """Law 8: one query, one judge."""
    folder = filled(tmp_path / "log").root
    snapshot = snapshot_of(folder)
    live = await ask(snapshot, 60)
    source = find([str(folder)])
    with opened() as con:
        offline = report(con, source, load_views(con, source), Wishes(Scope(), snapshot))
    assert live == orjson.loads(msgspec.json.encode(offline))


async def test_what_came_since_a_time_is_judged_by_itself(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(times=40, at=0)
    log.pair(times=7, at=100)
    log.write()
    since = (START + timedelta(seconds=50)).isoformat()
    lately = await ask(snapshot_of(tmp_path), 60, since=since)
    whole = await ask(snapshot_of(tmp_path), 60)
    assert [one["candidates"]["v2"]["pairs"] for one in (lately, whole)] == [7, 47]


def test_the_process_is_started_from_the_loop_that_serves_the_admin_port(tmp_path: Path) -> None:
    """uvloop takes fewer arguments for a process than asyncio's own loop, on which the other tests run."""
    folder = filled(tmp_path).write()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        live = runner.run(ask(snapshot_of(folder), 60))
        asked = orjson.loads(runner.run(asked_for({"paths": [str(folder)], "what": "report"}, 60)))
    assert live["candidates"]["v2"]["pairs"] == asked["candidates"]["v2"]["pairs"] > 0


async def test_the_deadline_kills(tmp_path: Path) -> None:
    folder = filled(tmp_path / "log").root
    started = time.monotonic()
    with pytest.raises(AskedError, match="within 0 s"):
        await ask(snapshot_of(folder), 0)
    assert time.monotonic() - started < 30  # and not the 60 that others are given


async def test_a_process_that_was_killed_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's own directory for what does not fit into memory, which it makes at once."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    folder = filled(tmp_path / "log").root
    os.mkfifo(folder / "pairs-20260101T000000Z-0-1-000009.jsonl")  # reading it never ends
    asking = asyncio.create_task(ask(snapshot_of(folder), 60))
    while not list(scratch.glob("*/shadowproxy-spill-*")):
        assert not asking.done()
        await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert list(scratch.iterdir()) == []


async def test_trouble_is_told_as_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AskedError, match="no such file or directory"):
        await ask(snapshot_of(tmp_path / "none"), 60)
