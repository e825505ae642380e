"""A notice reaches its receiver, or is given up, within its tries; the receiver's trouble is nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from shadowproxy.admin.notices.notice import Notice, as_json, as_slack
from shadowproxy.admin.notices.webhooks import PAUSES_S, TIMEOUT_S, TRIES, Courier, key_of
from shadowproxy.settings.snapshot import Notify
from tests.admin.notices.receiver import receiving

NOTICE = Notice(
    id="n-1",
    at="2026-03-01T14:00:00.000Z",
    event="verdict",
    candidate="v2",
    production="v1",
    title="v2 instead of v1: FAIL",
    headline="Do not promote <v2> & co.",
    link="http://127.0.0.1:9900/#v2",
    facts={"verdict": "FAIL"},
)


def test_it_waits_five_seconds_for_an_answer_and_tries_three_times() -> None:
    assert (TIMEOUT_S, TRIES, len(PAUSES_S)) == (5.0, 3, TRIES - 1)


def test_the_forms() -> None:
    assert as_json(NOTICE)["headline"] == "Do not promote <v2> & co."
    assert as_json(NOTICE)["facts"] == {"verdict": "FAIL"}
    assert as_slack(NOTICE) == {
        "text": "*v2 instead of v1: FAIL*\nDo not promote &lt;v2&gt; &amp; co.\n"
        "<http://127.0.0.1:9900/#v2|Open the dashboard>"
    }


@pytest.mark.parametrize(
    ("statuses", "delivered", "tries"),
    [
        ((200,), True, 1),
        ((204,), True, 1),
        ((500, 503, 200), True, 3),
        ((429, 200), True, 2),
        ((408, 200), True, 2),
        ((0, 200), True, 2),
        ((500,), False, 3),
        ((0,), False, 3),
        ((404,), False, 1),
        ((302,), False, 1),  # a notice goes nowhere but where it was configured to go
    ],
)
async def test_what_is_tried_again_and_what_is_not(statuses: tuple[int, ...], delivered: bool, tries: int) -> None:
    # 0 is no answer at all, which has to be waited for.
    courier = Courier(timeout_s={(0,): 0.2, (0, 200): 2.0}.get(statuses, 60.0), pauses_s=(0.0, 0.0))
    async with receiving(*statuses) as receiver:
        assert await courier.deliver(NOTICE, Notify(url=receiver.url)) is delivered
        assert receiver.bodies == [as_json(NOTICE)] * tries
    await courier.close()


async def test_nobody_there_is_an_event_that_does_not_tell_the_url() -> None:
    courier = Courier(pauses_s=(0.0, 0.0))
    with capture_logs() as events:
        assert not await courier.deliver(NOTICE, Notify(url="http://127.0.0.1:9/secret-path", format="slack"))
    await courier.close()
    [event] = events
    assert (event["event"], event["tries"], event["to"]) == ("notice.undelivered", 3, "127.0.0.1")
    assert "secret-path" not in repr(events)


def test_a_webhook_s_key_tells_nothing_of_its_url() -> None:
    keys: set[Any] = {key_of(Notify(url=f"https://x.example/{path}")) for path in "ab"}
    assert len(keys) == 2
    assert not any("example" in key for key in keys)
