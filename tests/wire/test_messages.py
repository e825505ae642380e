"""Messages between the supervisor and its children: round trips, cuts, nonsense, and sums of totals."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.wire import messages as m

TO_CHILD: list[m.ToChild] = [
    m.Configure(b'{"production":{}}'),
    m.Prepare(2, b"\0\xff"),
    m.Commit(2),
    m.Abort(3),
    m.Drain(0.5, 20.0),
    m.Stop(),
    m.Answer(4, True, {"items": [1, None, "x"]}),
]
STATS = m.Stats(
    counters={'requests_total{route="r",code="200"}': 3.0},
    gauges={"connections": 2.0},
    histograms={"overhead_seconds": ([0.1, 1.0], [1, 2, 3], 4.5)},
    ledger=[{"trial": "t", "dropped": {"in_flight": 1}, "route": None}],
)
TO_SUPERVISOR: list[m.ToSupervisor] = [
    m.Ready(pid=17, role="worker", slot=1, boot=1_772_373_600_000),
    m.Prepared(2, "no such path"),
    m.Heartbeat(STATS, healthy=False, note="the disk is full"),
    m.Drained(),
    m.Failed("one sentence"),
    m.Ask(1, "status"),
]

SIDES: list[tuple[type[Any], list[Any]]] = [(m.ChildInbox, TO_CHILD), (m.SupervisorInbox, TO_SUPERVISOR)]


@pytest.mark.parametrize(("inbox", "sent"), SIDES)
@pytest.mark.parametrize("cut", ["whole", "byte by byte", "with a tail"])
def test_messages_come_out_as_they_went_in(inbox: type[Any], sent: list[Any], cut: str) -> None:
    data = b"".join(map(m.pack, sent))
    chunks = {
        "whole": [data],
        "byte by byte": [data[at : at + 1] for at in range(len(data))],
        "with a tail": [data[:-3], data[-3:]],
    }[cut]
    box = inbox()
    got = [box.feed(chunk) for chunk in chunks]
    assert [message for messages in got for message in messages] == sent
    if cut == "with a tail":
        assert [len(messages) for messages in got] == [len(sent) - 1, 1]


@pytest.mark.parametrize(("inbox", "theirs"), [(m.ChildInbox, m.Drained()), (m.SupervisorInbox, m.Stop())])
def test_a_message_of_the_other_direction_is_refused(inbox: type[Any], theirs: Any) -> None:
    with pytest.raises(m.MessageError):
        inbox().feed(m.pack(theirs))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81\xa4type\xa7Nothing", b"hello"])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(m.MessageError):
        m.ChildInbox().feed(len(body).to_bytes(4, "little") + body)


def test_a_length_beyond_every_message_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(m.MessageError, match=f"a message of {m.MAX_MESSAGE + 1} bytes"):
        m.SupervisorInbox().feed((m.MAX_MESSAGE + 1).to_bytes(4, "little"))


def test_totals_of_two_lives_add_up_and_gauges_end_with_theirs() -> None:
    into = m.Stats(counters={"a": 1.0}, gauges={"g": 5.0}, histograms={"h": ([1.0], [1, 2], 3.0)})
    m.merge_stats(
        into, m.Stats(counters={"a": 2.0, "b": 1.0}, gauges={"g": 7.0}, histograms={"h": ([1.0], [3, 4], 1.5)})
    )
    assert into == m.Stats(counters={"a": 3.0, "b": 1.0}, gauges={"g": 5.0}, histograms={"h": ([1.0], [4, 6], 4.5)})


def test_a_histogram_with_other_bounds_replaces_what_it_cannot_be_added_to() -> None:
    into = m.Stats(histograms={"h": ([1.0], [1, 2], 3.0)})
    m.merge_stats(into, m.Stats(histograms={"h": ([2.0], [5, 6], 7.0)}))
    assert into.histograms == {"h": ([2.0], [5, 6], 7.0)}
