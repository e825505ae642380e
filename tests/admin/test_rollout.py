"""A ramp's driver, with a supervisor that notes what it is asked and a verdict that stands as scripted."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shadowproxy.admin.asking import Asker
from shadowproxy.admin.decisions import Decisions
from shadowproxy.admin.rollout import Rollout, is_due
from shadowproxy.admin.view import View
from shadowproxy.settings.steering.roles import ramped
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, status


class World:
    def __init__(
        self, verdict: str | None, judged: bool = True, held_s: float = 100.0, forced: str | None = None
    ) -> None:
        self.asked: list[tuple[str, Any]] = []
        ramp = {
            "candidate": "v2",
            "step": 1,
            "since_ms": (time.time() - held_s) * 1000,
            "hold_s": 60.0,
            "began": "2026-03-01T14:00:00.000Z",
            "forced": forced,
        }
        self.told = status(ramp=ramp)
        self.view = View(ramped(msgspec.structs.replace(SNAPSHOT), "v2", 0.5), Asker(self._send))
        self.record: dict[str, Any] = {"trial": "v2-now", "verdict": verdict, "headline": "a headline", "pairs": 7}
        self.lately = {**self.record, "verdict": None, "pairs": 3, "summary": "a summary"}
        self.judged = judged

    def _send(self, ask: Ask) -> None:
        if ask.verb != "status":
            self.asked.append((ask.verb, ask.body))
        self.view.asker.answered(Answer(ask.id, True, self.told))

    async def look(self) -> list[tuple[str, Any]]:
        rollout = Rollout(self.view)
        await rollout.look()  # nobody has judged anything yet
        assert self.asked == []
        if self.judged:
            await self.view.verdicts.put({"candidates": {"v2": self.record}})
        if self.judged and rollout.since is not None:
            await rollout.since.put({"candidates": {"v2": self.lately}})
        await rollout.look()
        await rollout.close()
        return self.asked


async def test_a_fail_rolls_back_at_once_however_short_the_share_was_held() -> None:
    [(verb, body)] = await World("FAIL", held_s=0.0).look()
    assert (verb, body["candidate"], body["by"], body["reason"]) == ("rollback", "v2", "ramp", "a headline")
    assert body["evidence"]["verdict"] == "FAIL"


@pytest.mark.parametrize(
    ("reason", "low", "turned"),
    [("drift", 0.3, True), ("drift", 0.1, False), ("drift", None, False), ("too_few_pairs", 0.3, False)],
)
async def test_a_model_that_was_well_and_no_longer_is_is_rolled_back(
    reason: str, low: float | None, turned: bool
) -> None:
    world = World("INCONCLUSIVE", held_s=0.0)
    world.record["gates"] = [{"reason": reason, "low": low, "limit": 0.2}]
    assert [verb for verb, _ in await world.look()] == (["rollback"] if turned else [])


async def test_a_long_good_past_hides_nothing_that_came_since_the_ramp_began() -> None:
    world = World("PASS", held_s=100.0)
    world.lately["verdict"] = "FAIL"
    [(verb, body)] = await world.look()
    assert (verb, body["reason"]) == ("rollback", "Since the ramp began: a summary")
    assert (body["evidence"]["trial"], body["evidence"]["verdict"], body["evidence"]["pairs"]) == ("v2-now", "FAIL", 3)


async def test_what_came_since_another_ramp_began_is_let_go() -> None:
    world = World("INCONCLUSIVE")
    rollout = Rollout(world.view)
    await rollout.look()
    before = rollout.since
    await rollout.look()
    assert rollout.since is before is not None
    world.told["ramp"]["began"] = "2026-03-01T15:00:00.000Z"
    await rollout.look()
    assert rollout.since not in (None, before)
    world.told["ramp"] = None
    await rollout.look()
    assert rollout.since is None


@pytest.mark.parametrize("verdict", ["PASS", "INCONCLUSIVE", None])
async def test_a_share_that_was_held_and_did_not_fail_is_raised_from_where_it_was_seen(verdict: str | None) -> None:
    [(verb, body)] = await World(verdict, forced="because").look()
    assert (verb, body["candidate"], body["step"], body["force"]) == ("climb", "v2", 1, "because")


async def test_nothing_rises_before_its_time_or_unjudged() -> None:
    assert await World("PASS", held_s=10.0).look() == []
    assert await World("PASS", judged=False).look() == []


async def test_a_ramp_that_somebody_ended_is_left_alone() -> None:
    world = World("FAIL")
    world.told["ramp"] = None
    assert await world.look() == []


@pytest.mark.parametrize(
    ("judged_at", "now", "due"),
    [
        (1001.0, 61_000.0, True),
        (1000.0, 61_000.0, False),  # the judgement is as old as the share: it has not seen it
        (1001.0, 60_999.0, False),
        (0.0, 99_000.0, False),
    ],
)
def test_when_a_share_has_been_held(judged_at: float, now: float, due: bool) -> None:
    assert is_due({"since_ms": 1000, "hold_s": 60.0}, judged_at, now) is due


def test_a_decision_is_timed_when_it_is_seen_to_be_made() -> None:
    decisions = Decisions()
    decisions.note({}, {"v2": {"trial": "a", "verdict": "PASS"}, "v3": {"trial": "b", "verdict": "INCONCLUSIVE"}})
    assert decisions.of("a") is None  # it stood already when we came
    before = time.time() * 1000
    decisions.note({}, {"v2": {"trial": "a", "verdict": "PASS"}, "v3": {"trial": "b", "verdict": "FAIL"}})
    made = decisions.of("b")
    assert made is not None
    assert before - 1 <= made <= time.time() * 1000 + 1  # whole ms
    decisions.note({}, {"v3": {"trial": "b", "verdict": "PASS"}})
    assert decisions.of("b") == made


@pytest.mark.parametrize("age_s", [-60.0, 60.0])
def test_a_verdict_seen_at_the_first_look_is_timed_where_its_trial_is_younger_than_we(age_s: float) -> None:
    decisions = Decisions()
    first = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    decisions.note({}, {"v2": {"trial": "a", "verdict": "PASS", "window": {"from": first}}})
    assert (decisions.of("a") is not None) is (age_s < 0)
