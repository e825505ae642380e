"""The notifier remembers what it told, over restarts and whatever becomes of deliveries."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowproxy.admin.notices.notifier import Notifier
from shadowproxy.admin.notices.webhooks import Courier
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Notify, Snapshot
from tests.admin.notices.receiver import receiving
from tests.admin.status import SNAPSHOT, record, status

ALL = ("verdict", "breaker", "coverage", "promoted", "rolled_back", "stopped")


def reading(*webhooks: Notify, at: float = 0.0, **verdicts: Any) -> Reading:
    snapshot: Snapshot = msgspec.structs.replace(SNAPSHOT, notify=webhooks)
    told = status(children=[], ledger={"boots": [], "rows": []})
    return Reading(snapshot, told, verdicts, {}, at or time.time())


def notifier(state: Path) -> Notifier:
    return Notifier(str(state), Courier(timeout_s=60.0, pauses_s=(0.0, 0.0)))


def pending(state: Path) -> list[Any]:
    found: list[Any] = json.loads((state / "notices.json").read_bytes())["pending"]
    return found


async def test_every_webhook_gets_the_events_that_it_asked_for_in_its_form(tmp_path: Path) -> None:
    async with receiving() as plain, receiving() as slack, receiving() as other:
        hooks = (
            Notify(url=plain.url, on=ALL),
            Notify(url=slack.url, on=("verdict",), format="slack"),
            Notify(url=other.url, on=("breaker",)),
        )
        one = notifier(tmp_path)
        await one.look(reading(*hooks, v2=record()))
        [body] = await plain.until(len)
        [text] = await slack.until(len)
        await one.close(5)
        assert (body["event"], body["facts"]["verdict"]) == ("verdict", "FAIL")
        assert text["text"].startswith("*v2 instead of v1: FAIL*\nDo not promote v2.")
        assert other.bodies == []
    assert pending(tmp_path) == []


async def test_a_restart_repeats_nothing(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hook = Notify(url=receiver.url, on=ALL)
        for _ in range(2):
            one = notifier(tmp_path)
            for _ in range(3):
                await one.look(reading(hook, v2=record()))
            await one.close(5)
        assert len(receiver.bodies) == 1


async def test_what_a_crash_kept_back_is_sent_by_the_next_life_with_the_same_id(tmp_path: Path) -> None:
    async with receiving(0, 200) as receiver:
        hook = Notify(url=receiver.url, on=ALL)
        one = notifier(tmp_path)
        await one.look(reading(hook, v2=record()))
        [owed] = pending(tmp_path)
        assert receiver.url not in (tmp_path / "notices.json").read_text()
        await receiver.until(len)
        await one.close(0.01)
        other = notifier(tmp_path)
        await other.look(reading(hook, v2=record()))
        bodies = await receiver.until(lambda bodies: len(bodies) == 2)
        await other.close(5)
        assert [body["id"] for body in bodies] == [owed["notice"]["id"]] * 2
    assert pending(tmp_path) == []


async def test_what_is_owed_for_long_or_to_nobody_is_let_go(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hook = Notify(url=receiver.url, on=ALL)
        one = notifier(tmp_path)
        await one.look(reading(hook, Notify(url="http://127.0.0.1:9/", on=ALL), at=1.0, v2=record()))
        await one.close()
        assert len(pending(tmp_path)) == 2
        receiver.bodies.clear()
        other = notifier(tmp_path)
        await other.look(reading(hook))
        await other.close(5)
        assert receiver.bodies == []


async def test_a_receiver_that_never_answers_holds_up_nobody(tmp_path: Path) -> None:
    async with receiving(0) as deaf, receiving() as good:
        hooks = (Notify(url=deaf.url, on=ALL), Notify(url=good.url, on=ALL))
        one = notifier(tmp_path)
        for number, verdict in enumerate(("PASS", "INCONCLUSIVE", "FAIL"), start=1):
            async with asyncio.timeout(20):  # a third of what the deaf one is waited for
                await one.look(reading(*hooks, v2=record(verdict=verdict)))
            bodies = await good.until(lambda bodies, number=number: len(bodies) == number)  # type: ignore[misc]
            assert bodies[-1]["facts"]["verdict"] == verdict
        await one.close()


async def test_only_what_is_new_in_the_history_is_told(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    line = '{"action":"promoted","from":"v1","to":"%s","verdict":"PASS"}\n'
    history.write_text(line % "old")
    async with receiving() as receiver:
        hook = Notify(url=receiver.url, on=ALL)
        one = notifier(tmp_path)
        await one.look(reading(hook))
        with history.open("a") as file:
            file.write(line % "new")
        await one.look(reading(hook))
        await receiver.until(len)
        await one.close(5)
        with history.open("a") as file:
            file.write(line % "newer")
        other = notifier(tmp_path)
        await other.look(reading(hook))
        await receiver.until(lambda bodies: len(bodies) == 2)
        await other.close(5)
        assert [body["candidate"] for body in receiver.bodies] == ["new", "newer"]


async def test_a_state_directory_that_cannot_be_written_stops_no_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with receiving() as receiver:
        one = notifier(tmp_path / "file")
        await one.look(reading(Notify(url=receiver.url, on=ALL), v2=record()))
        [body] = await receiver.until(len)
        await one.close(5)
    assert (body["event"], body["facts"]["verdict"]) == ("verdict", "FAIL")
    assert os.listdir(tmp_path) == ["file"]


async def test_without_a_state_directory_nothing_is_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with receiving() as receiver:
        one = Notifier("", Courier())
        await one.look(reading(Notify(url=receiver.url, on=ALL), v2=record()))
        await receiver.until(len)
        await one.close(5)
    assert os.listdir(tmp_path) == []
