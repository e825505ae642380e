"""A mirror pauses itself once for each cause, and an operator who resumes it is obeyed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowproxy.admin.asking import Asker
from shadowproxy.admin.reading import Reading
from shadowproxy.admin.stopping import Stopping
from shadowproxy.settings.snapshot import Candidate
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, record, status

START = 1772373600.123456  # when `record()` says that the first pair arrived
DAY = 86400.0


class Supervisor:
    def __init__(self, ok: bool = True) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.ok = ok
        self.asker = Asker(self._send)

    def _send(self, ask: Ask) -> None:
        self.asked.append((ask.verb, ask.body))
        self.asker.answered(Answer(ask.id, self.ok, {} if self.ok else {"kind": "conflict", "problems": ["no"]}))


def reading(at: float, verdict: dict[str, Any] | None = None, **candidate: Any) -> Reading:
    one = Candidate(**{"name": "v2", "url": "http://x:1", "trial": "v2-now", **candidate})
    snapshot = msgspec.structs.replace(SNAPSHOT, candidates=(one,))
    return Reading(snapshot, status(), {"v2": verdict} if verdict else {}, {}, at)


PAUSE = ("pause", {"candidate": "v2", "by": "stop"})


async def test_the_verdict_stops_it_once_also_over_restarts(tmp_path: Path) -> None:
    supervisor = Supervisor()
    stopping = Stopping(str(tmp_path), supervisor.asker)
    await stopping.look(reading(START, record(verdict="INCONCLUSIVE"), stop_on=("FAIL",)))
    assert supervisor.asked == []
    await stopping.look(reading(START + 1, record(), stop_on=("FAIL",)))
    assert supervisor.asked == [PAUSE]
    [told] = stopping.take()
    assert (told["to"], told["why"], told["verdict"]) == ("v2", "its verdict is FAIL", "FAIL")
    assert stopping.take() == []
    # resumed by an operator, here and in the process's next life
    for one in (stopping, Stopping(str(tmp_path), supervisor.asker)):
        await one.look(reading(START + 2, record(), stop_on=("FAIL",)))
    assert supervisor.asked == [PAUSE]


async def test_its_time_counts_from_the_trial_s_first_pair(tmp_path: Path) -> None:
    supervisor = Supervisor()
    stopping = Stopping(str(tmp_path), supervisor.asker)
    verdict = record(verdict=None)
    await stopping.look(reading(START + 7 * DAY - 1, verdict))
    assert supervisor.asked == []
    await stopping.look(reading(START + 7 * DAY, verdict))
    assert supervisor.asked == [PAUSE]
    assert stopping.take()[0]["why"] == "it has run for 7d"


async def test_without_a_pair_it_counts_from_when_it_was_first_seen(tmp_path: Path) -> None:
    supervisor = Supervisor()
    await Stopping(str(tmp_path), supervisor.asker).look(reading(START, stop_after=60.0))
    later = Stopping(str(tmp_path), supervisor.asker)
    await later.look(reading(START + 59, stop_after=60.0))
    assert supervisor.asked == []
    await later.look(reading(START + 60, stop_after=60.0))
    assert supervisor.asked == [PAUSE]


async def test_a_twin_s_time_counts_from_when_it_was_first_seen(tmp_path: Path) -> None:
    supervisor = Supervisor()
    twin = Candidate(name="twin", url="http://x:2", trial="its", stop_after=60.0)
    for at in (START, START + 59, START + 60, START + 61):
        snapshot = msgspec.structs.replace(SNAPSHOT, candidates=(), twin=twin)
        await Stopping(str(tmp_path), supervisor.asker).look(Reading(snapshot, status(), {}, {}, at))
    assert supervisor.asked == [("pause", {"candidate": "twin", "by": "stop"})]


async def test_a_new_trial_may_be_stopped_again(tmp_path: Path) -> None:
    supervisor = Supervisor()
    stopping = Stopping(str(tmp_path), supervisor.asker)
    await stopping.look(reading(START, record(), stop_on=("FAIL",)))
    await stopping.look(reading(START, record(trial="v2-next"), stop_on=("FAIL",), trial="v2-next"))
    assert supervisor.asked == [PAUSE, PAUSE]


async def test_never_and_what_is_paused_already_are_left_alone(tmp_path: Path) -> None:
    supervisor = Supervisor()
    stopping = Stopping(str(tmp_path), supervisor.asker)
    await stopping.look(reading(START + 1000 * DAY, record(), stop_after=None))
    await stopping.look(reading(START, record(), stop_on=("FAIL",), paused=True))
    assert supervisor.asked == []


async def test_what_was_refused_is_asked_for_again(tmp_path: Path) -> None:
    supervisor = Supervisor(ok=False)
    stopping = Stopping(str(tmp_path), supervisor.asker)
    for seconds in (0, 1, 29, 31):
        await stopping.look(reading(START + seconds, record(), stop_on=("FAIL",)))
    assert supervisor.asked == [PAUSE, PAUSE]
    assert stopping.take() == []


async def test_without_a_state_directory_nothing_is_written_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    supervisor = Supervisor()
    await Stopping("", supervisor.asker).look(reading(START, record(), stop_on=("FAIL",)))
    assert supervisor.asked == [PAUSE]
    assert os.listdir(tmp_path) == []
