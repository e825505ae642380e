"""Each change is told once, in words, and what flickers is not told at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shadowproxy.admin.notices.changes import SETTLED, Watcher
from shadowproxy.admin.notices.memory import Memory
from shadowproxy.admin.notices.notice import Notice
from shadowproxy.admin.notices.notifier import _maker
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Admin
from tests.admin.status import ROWS, SNAPSHOT, child, record, row, status


class World:
    """A watcher and its memory, and readings with what a test is about."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.watcher = Watcher()
        self.snapshot = SNAPSHOT

    def look(
        self,
        *,
        verdicts: Mapping[str, Any] | None = None,
        open_breakers: tuple[float, ...] = (),
        rows: list[dict[str, Any]] | None = None,
        history: Iterable[Mapping[str, Any]] = (),
    ) -> list[Notice]:
        children = [
            child("worker", slot, gauges={'breaker_open{candidate="v2"}': is_open})
            for slot, is_open in enumerate(open_breakers)
        ]
        told = status(children=children, ledger={"boots": [], "rows": rows or []})
        reading = Reading(self.snapshot, told, verdicts or {}, {}, 1772373600.0)
        return self.watcher.changes(reading, history, self.memory, _maker(reading))

    def again(self) -> World:
        """After a restart: what was written down is all that is left."""
        return World(msgspec.json.decode(msgspec.json.encode(self.memory), type=Memory))


def test_a_verdict_is_told_once_with_its_headline_and_a_link() -> None:
    world = World()
    [notice] = world.look(verdicts={"v2": record()})
    assert (notice.event, notice.candidate, notice.production) == ("verdict", "v2", "v1")
    assert notice.title == "v2 instead of v1: FAIL"
    assert notice.headline.startswith("Do not promote v2. It fails on 1.2 %")
    assert notice.link == "http://127.0.0.1:9900/#candidate-v2"
    assert notice.at == "2026-03-01T14:00:00.000Z"
    assert notice.facts == {"verdict": "FAIL", "before": "INCONCLUSIVE", "trial": "v2-now", "pairs": 41203}
    assert world.look(verdicts={"v2": record()}) == []
    assert world.again().look(verdicts={"v2": record()}) == []


def test_a_verdict_that_is_left_again_is_told_and_an_undecided_one_is_not() -> None:
    world = World()
    assert world.look(verdicts={"v2": record(verdict="INCONCLUSIVE"), "v3": record(verdict=None)}) == []
    [passed] = world.look(verdicts={"v2": record(verdict="PASS")})
    [left] = world.look(verdicts={"v2": record(verdict="INCONCLUSIVE")})
    assert [n.facts["verdict"] for n in (passed, left)] == ["PASS", "INCONCLUSIVE"]
    assert left.facts["before"] == "PASS"


def test_a_new_trial_begins_undecided() -> None:
    world = World()
    world.look(verdicts={"v2": record()})
    assert world.look(verdicts={"v2": record(trial="v2-next", verdict="INCONCLUSIVE")}) == []
    [notice] = world.look(verdicts={"v2": record(trial="v2-next")})
    assert notice.facts["trial"] == "v2-next"


def test_a_breaker_is_told_when_it_has_stayed_open_and_when_all_workers_send_again() -> None:
    world = World()
    for _ in range(SETTLED - 1):
        assert world.look(open_breakers=(0.0, 1.0)) == []
    [opened] = world.look(open_breakers=(0.0, 1.0))
    assert opened.headline == "Copies to v2 have been stopped in 1 of 2 workers: 20 copies failed within 10 s."
    assert world.look(open_breakers=(1.0, 1.0)) == []
    later = world.again()
    closings = [later.look(open_breakers=(0.0, 0.0)) for _ in range(SETTLED + 2)]
    assert [len(notices) for notices in closings] == [0] * (SETTLED - 1) + [1, 0, 0]
    assert closings[SETTLED - 1][0].facts["open"] is False


def test_a_breaker_that_flickers_is_not_told() -> None:
    world = World()
    assert [n for k in range(12) for n in world.look(open_breakers=(float(k % 2),))] == []


def test_coverage_is_told_with_what_was_lost_and_when_it_is_enough_again() -> None:
    world = World()
    low = [world.look(rows=ROWS) for _ in range(SETTLED)][-1]  # v2: 40 of 50
    [notice] = low
    assert notice.event == "coverage"
    assert notice.headline == (
        "Only 80.0% of the pairs that v2 should have had are in the log; below 95% no gate can PASS."
        " Most were lost to in_flight (6)."
    )
    good = [row("v2", "v2-now", "predict", eligible=1000, sampled_out=0, logged=990)]
    [back] = [world.look(rows=good) for _ in range(SETTLED)][-1]
    assert back.facts["below"] is False


def test_coverage_counts_no_copies_that_are_under_way_and_waits_for_twenty() -> None:
    under_way = [row("v2", "v2-now", "predict", eligible=1000, sampled_out=0, logged=100, in_flight=900)]
    few = [row("v2", "v2-now", "predict", eligible=19, sampled_out=0, logged=0)]
    world = World()
    assert [n for rows in (under_way, few) for _ in range(SETTLED + 1) for n in world.look(rows=rows)] == []


def test_promotions_and_rollbacks_come_from_the_history() -> None:
    history = [
        {"v": 1, "at": "t", "action": "promoted", "from": "v1", "to": "v2", "verdict": "PASS", "by": "me"},
        {"v": 1, "at": "t", "action": "ramp_began", "from": "v1", "to": "v2"},
        {"v": 1, "at": "t", "action": "rolled_back", "from": "v2", "to": "v1", "reason": "FAIL"},
    ]
    promoted, rolled_back = World().look(history=history)
    assert promoted.headline == "v2 answers in place of v1 (verdict PASS)."
    assert (promoted.event, promoted.facts["by"]) == ("promoted", "me")
    assert rolled_back.headline == "v1 answers again in place of v2: FAIL."
    assert (rolled_back.event, rolled_back.candidate) == ("rolled_back", "v2")


def test_a_ramp_that_ended_is_told_as_a_rollback_for_users_had_the_candidate_s_answers() -> None:
    line = {"v": 1, "at": "t", "action": "ramp_ended", "from": "v1", "to": "v2", "by": "ramp", "reason": "It fails."}
    [notice] = World().look(history=[line])
    assert (notice.event, notice.candidate, notice.title) == ("rolled_back", "v2", "v2 rolled back")
    assert notice.headline == "v1 answers all users again, v2's ramp has ended: It fails."
    assert (notice.facts["by"], notice.facts["reason"]) == ("ramp", "It fails.")


def test_a_mirror_that_stopped_itself_says_why() -> None:
    line = {"action": "stopped", "to": "v2", "why": "its verdict is FAIL", "verdict": "FAIL", "headline": "Do not."}
    [notice] = World().look(history=[line])
    assert (notice.event, notice.headline) == ("stopped", "No more copies go to v2: its verdict is FAIL. Do not.")
    assert notice.facts == {"why": "its verdict is FAIL", "verdict": "FAIL", "trial": None}


def test_the_link_is_the_configured_address() -> None:
    world = World()
    world.snapshot = msgspec.structs.replace(SNAPSHOT, admin=Admin(link="https://shadow.internal/x"))
    assert world.look(verdicts={"v2": record()})[0].link == "https://shadow.internal/x/#candidate-v2"


def test_who_is_gone_is_forgotten() -> None:
    world = World()
    world.look(verdicts={"v2": record()})
    world.snapshot = msgspec.structs.replace(SNAPSHOT, candidates=(), twin=None)
    world.look()
    assert world.memory.verdicts == {}
