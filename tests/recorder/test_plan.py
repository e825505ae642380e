"""Configurations as the recorder uses them: which one decides what, and what cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.recorder.plan import compile_plan
from shadowproxy.recorder.plans import Plans
from shadowproxy.settings import snapshot as settings
from tests.support import frames as f

KEY = b"k" * 32


def snapshot(generation: int = 1, **pairs: Any) -> settings.Snapshot:
    return f.snapshot("log", generation=generation, pairs=pairs)


class Events:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def emit(self, level: str, event: str, **fields: object) -> None:
        self.seen.append(event)


def test_what_may_be_stored_is_what_is_in_force_now() -> None:
    old = snapshot(bodies="all", store_up_to=1000, headers=("A",))
    now = snapshot(bodies="none", store_up_to=10, headers=("B", "Authorization"))
    plan = compile_plan(old, now.pairs, KEY)
    assert (plan.bodies, plan.store_up_to, plan.headers) == ("none", 10, frozenset({"b"}))


def test_redaction_is_that_of_both() -> None:
    old = snapshot(redact=settings.Redact(json=("$.a",), query=("x",)))
    now = snapshot(redact=settings.Redact(json=("$.b",), query=("y",)))
    redactor = compile_plan(old, now.pairs, KEY).redactor
    shown = redactor.document({"a": 1, "b": 1, "c": 1})
    assert (shown["a"], shown["c"]) == (shown["b"], 1)
    assert redactor.target("/?x=1&y=1&z=1").count("redacted:") == 2


def test_decompression_stops_at_the_largest_of_what_anybody_needs() -> None:
    routes = (settings.Route(compare=settings.Compare(up_to=5000)), settings.Route(compare=settings.Compare(up_to=300)))
    old = f.snapshot("log", routes=routes, pairs={"store_up_to": 100})
    assert compile_plan(old, old.pairs, KEY).decode_up_to == 5001


@pytest.mark.parametrize(
    "changes",
    [
        {"routes": (settings.Route(key="cookie:x"),)},
        {"routes": (settings.Route(slices=(("s", "json:no path"),)),)},
        {"routes": (settings.Route(protocol="nonsense"),)},
        {"routes": (settings.Route(compare=settings.Compare(ignore=("a",))),)},
        {"pairs": {"redact": settings.Redact(json=("secret",))}},
    ],
)
def test_what_cannot_be_used_is_a_sentence(changes: dict[str, Any]) -> None:
    broken = f.snapshot("log", **changes)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        Plans(broken, Events().emit)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        Plans(snapshot(), Events().emit).check(broken)


def test_a_configuration_is_compiled_once() -> None:
    plans = Plans(snapshot(), Events().emit)
    encoded = settings.encode(snapshot())
    plan = plans.of(encoded)
    assert plans.of(bytes(bytearray(encoded))) is plan
    assert plans.current(plan) is plan


def test_a_commit_changes_what_earlier_generations_may_store() -> None:
    plans = Plans(snapshot(headers=("A",)), Events().emit)
    plan = plans.of(settings.encode(snapshot(headers=("A",))))
    plans.commit(snapshot(2, headers=("B",), redact=settings.Redact(json=("$.new",))))
    renewed = plans.current(plan)
    assert renewed.snapshot is plan.snapshot
    assert renewed.headers == frozenset({"b"})
    assert renewed.redactor.covers_bodies
    assert plans.current(plan) is renewed, "compiled once"


def test_what_is_remembered_is_bounded() -> None:
    plans = Plans(snapshot(), Events().emit)
    for generation in range(200):
        plans.of(settings.encode(snapshot(generation)))
    assert len(plans._by_bytes) <= 64


def test_a_key_that_cannot_be_kept_is_told_once() -> None:
    events = Events()
    plans = Plans(snapshot(), events.emit)
    one = plans.of(settings.encode(snapshot())).redactor.token("x")
    plans.commit(snapshot(2))
    other = plans.of(settings.encode(snapshot(2))).redactor.token("x")
    assert one == other, "or equal would not stay equal over a reload"
    assert events.seen == ["redaction.key_not_kept"]


def test_a_configuration_with_a_key_of_its_own_changes_it() -> None:
    events = Events()
    plans = Plans(snapshot(redact=settings.Redact(key="one key of many")), events.emit)
    before = plans.of(settings.encode(snapshot())).redactor.token("x")
    plans.commit(snapshot(2, redact=settings.Redact(key="another key")))
    assert plans.of(settings.encode(snapshot())).redactor.token("x") != before
    assert events.seen == []
