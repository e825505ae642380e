"""A reading holds what the supervisor, the judge and the history say at one moment."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from shadowproxy.admin.asking import Asker
from shadowproxy.admin.reading import Reading, take
from shadowproxy.admin.view import View
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, record, status


async def test_it_holds_what_everybody_knows(tmp_path: Path) -> None:
    def send(ask: Ask) -> None:
        asker.answered(Answer(ask.id, True, status()))

    asker = Asker(send)
    view = View(msgspec.structs.replace(SNAPSHOT, state=str(tmp_path)), asker)
    assert (await take(view)).verdicts == {}
    await view.verdicts.put({"candidates": {"v2": record(), "gone": record(name="gone")}})
    (tmp_path / "history.jsonl").write_text('{"action":"promoted"}\n')
    before = time.time()
    taken = await take(view)
    assert before <= taken.at <= time.time()
    assert list(taken.verdicts) == ["v2"]
    assert taken.deployments == {"promoted": 1, "rolled_back": 0}
    assert taken.status["generation"] == 1


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    reading = Reading(SNAPSHOT, status(), at=1000.0)
    assert [reading.is_within(10.0, since) for since in (991.0, 990.0, 1000.0, 5000.0)] == [True, False, True, False]
