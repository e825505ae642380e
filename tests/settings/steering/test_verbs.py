"""What each verb changes, and what it refuses."""

from __future__ import annotations

import msgspec
import pytest

from shadowproxy.settings.snapshot import Match, Route
from shadowproxy.settings.steering.changes import Changes, decode, encode
from shadowproxy.settings.steering.drift import drift
from shadowproxy.settings.steering.verbs import MAX_CANDIDATES, Conflict
from tests.settings.steering.wishes import FILE, V2, V3, file, named, under, wish


def test_no_change_is_the_file_itself() -> None:
    assert under(Changes()) == file()


@pytest.mark.parametrize(("key", "value"), [("sample", 0.1), ("gated", False), ("paused", True)])
def test_an_edit_changes_one_key_of_one_candidate_and_keeps_the_trial(key: str, value: object) -> None:
    snapshot = under(wish("edit", candidate="v2", **{key: value}))
    assert named(snapshot, "v2") == msgspec.structs.replace(named(file(), "v2"), **{key: value})
    assert named(snapshot, "v3") == named(file(), "v3")


def test_an_edit_back_to_what_the_file_says_is_no_change() -> None:
    changes = wish("edit", wish("edit", candidate="v2", sample=0.1), candidate="v2", sample=0.5)
    assert changes.edits == {}


def test_pause_and_resume_are_for_one_or_for_all() -> None:
    one = wish("pause", candidate="v2")
    assert [c.paused for c in under(one).candidates] == [True, False]
    everything = wish("pause", one)
    assert [c.paused for c in under(everything).candidates] == [True, True]
    assert [c.paused for c in under(wish("resume", everything, candidate="v3")).candidates] == [True, False]
    assert under(wish("resume", everything)) == file()


def test_the_twin_is_paused_by_its_name_and_resumed_by_it_or_with_all() -> None:
    """Not paused with all: it follows the candidates, and must not stay behind when one of them is resumed."""
    paused = wish("pause", candidate="twin")
    twin = under(paused).twin
    assert twin is not None
    assert twin.paused
    assert [c.paused for c in under(paused).candidates] == [False, False]
    [told] = drift(file(), paused)
    assert (told["key"], told["file"], told["running"]) == ("twin.paused", False, True)
    assert under(wish("resume", paused, candidate="twin")) == under(wish("resume", paused)) == file()
    everything = under(wish("pause"))
    assert everything.twin == file().twin


def test_a_restart_begins_the_trial_anew_each_time() -> None:
    once = wish("restart", candidate="v2")
    twice = wish("restart", once, candidate="v2")
    trials = {named(under(changes), "v2").trial for changes in (Changes(), once, twice)}
    assert len(trials) == 3
    assert named(under(twice), "v3").trial == named(file(), "v3").trial


def test_a_candidate_that_is_added_is_there_with_a_trial_and_goes_again() -> None:
    definition = msgspec.to_builtins(msgspec.structs.replace(V3, name="v4", url="http://127.0.0.1:5"))
    added = wish("add", definition=definition)
    made = named(under(added), "v4")
    assert (made.url, made.trial.startswith("v4-")) == ("http://127.0.0.1:5", True)
    gone = wish("remove", added, candidate="v4")
    assert under(gone) == file()
    again = wish("add", gone, definition=definition)
    assert named(under(again), "v4").trial != made.trial  # what was removed and came back is other evidence


def test_a_candidate_of_the_file_that_is_removed_comes_back_by_being_added() -> None:
    gone = wish("remove", candidate="v2")
    assert [c.name for c in under(gone).candidates] == ["v3"]
    back = wish("add", gone, definition=msgspec.to_builtins(V3) | {"name": "v2"})
    assert named(under(back), "v2").url == V3.url


def test_what_belongs_to_the_upstream_moves_with_it_and_what_belongs_to_the_role_stays() -> None:
    snapshot = under(wish("promote", candidate="v2"))
    production, former = snapshot.production, named(snapshot, "v1")
    moved = ("version", "host", "tls", "headers_set", "json_set", "path_replace", "path_with")
    assert {key: getattr(production, key) for key in moved} == {key: getattr(V2, key) for key in moved}
    assert (production.name, production.urls, production.connections) == ("v2", (V2.url,), 9)
    assert {key: getattr(former, key) for key in moved} == {key: getattr(FILE.production, key) for key in moved}
    kept = ("sample", "timeout", "max_in_flight", "mirror_up_to", "breaker", "credentials", "expect", "gates")
    assert {key: getattr(former, key) for key in kept} == {key: getattr(V2, key) for key in kept}
    assert (former.url, former.gated, former.paused) == ("http://127.0.0.1:1", False, False)
    assert snapshot.twin is None
    assert [route.candidates for route in snapshot.routes] == [("v1",), None]
    assert [c.name for c in snapshot.candidates] == ["v1", "v3"]  # it takes the seat, so that roles keep their number


def test_a_role_that_changes_begins_every_trial_anew_and_so_does_its_return() -> None:
    promoted = wish("promote", candidate="v2")
    back = wish("rollback", promoted)
    again = wish("promote", back, candidate="v2")
    trials = [named(under(changes), "v3").trial for changes in (Changes(), promoted, back, again)]
    assert len(set(trials)) == 4
    restored, before = under(back), file()
    assert restored.production == before.production
    assert restored.twin is not None
    assert [msgspec.structs.replace(c, trial="") for c in restored.candidates] == [V2, V3]


def test_promotions_stack_and_are_rolled_back_newest_first() -> None:
    both = wish("promote", wish("promote", candidate="v2"), candidate="v3")
    assert under(both).production.name == "v3"
    assert [c.name for c in under(both).candidates] == ["v1", "v2"]
    assert under(wish("rollback", both)).production.name == "v2"
    assert under(wish("rollback", wish("rollback", both))).production.name == "v1"


def test_the_former_production_can_be_steered_too() -> None:
    promoted = wish("promote", wish("edit", candidate="v2", sample=0.25), candidate="v2")
    assert named(under(promoted), "v1").sample == 0.25  # the role's
    assert named(under(wish("edit", promoted, candidate="v1", sample=0.1)), "v1").sample == 0.1
    assert named(under(wish("pause", promoted, candidate="v1")), "v1").paused


RAMP = {"steps": [0.01, 0.5, 1.0], "hold_s": 60.0}


def test_a_ramp_leaves_production_in_its_role_and_climbs_until_it_is_a_promotion() -> None:
    changes = wish("promote", candidate="v2", ramp=RAMP)
    for step, share in enumerate(RAMP["steps"]):  # type: ignore[arg-type]
        snapshot = under(changes)
        assert snapshot.production == file().production
        assert named(snapshot, "v2") == named(file(), "v2")  # its trial goes on
        assert snapshot.ramp is not None
        assert (snapshot.ramp.candidate, snapshot.ramp.share) == ("v2", share)
        assert (snapshot.ramp.challenger.urls, snapshot.ramp.challenger.path_with) == ((V2.url,), "/b")
        assert (snapshot.ramp.incumbent.url, snapshot.ramp.incumbent.credentials) == ("http://127.0.0.1:1", "forward")
        changes = wish("climb", changes, candidate="v2", step=step)
    assert (under(changes).production.name, under(changes).ramp) == ("v2", None)


def test_a_step_is_climbed_once() -> None:
    changes = wish("climb", wish("promote", candidate="v2", ramp=RAMP), candidate="v2", step=0)
    with pytest.raises(Conflict, match="moved on"):
        wish("climb", changes, candidate="v2", step=0)


def test_a_rollback_or_a_pause_ends_a_ramp() -> None:
    ramp = wish("promote", candidate="v2", ramp=RAMP)
    assert under(wish("rollback", ramp)) == file()
    assert under(wish("pause", ramp)).ramp is None
    assert under(wish("edit", ramp, candidate="v2", paused=True)).ramp is None
    assert under(wish("pause", ramp, candidate="v3")).ramp is not None


REFUSED = [
    ("edit", {"candidate": "v9", "sample": 0.1}, "no candidate v9"),
    ("pause", {"candidate": "v1"}, "v1 is production"),
    ("edit", {"candidate": "twin", "sample": 0.1}, "twin is no candidate"),
    ("remove", {"candidate": "twin"}, "twin is no candidate"),
    ("restart", {"candidate": None}, "no candidate None"),
    ("add", {"definition": {"name": "v2", "url": "http://h:1"}}, "v2 is taken"),
    ("add", {"definition": {"name": "v1", "url": "http://h:1"}}, "v1 is taken"),
    ("add", {"definition": {"name": "twin", "url": "http://h:1"}}, "reserved"),
    ("rollback", {}, "nothing to roll back"),
    ("climb", {"candidate": "v2", "step": 0}, "moved on"),
]


@pytest.mark.parametrize(("verb", "body", "why"), REFUSED, ids=[f"{verb} {why}" for verb, _, why in REFUSED])
def test_what_does_not_fit_is_refused(verb: str, body: dict[str, object], why: str) -> None:
    with pytest.raises(Conflict, match=why):
        wish(verb, **body)


def test_what_a_rollback_returns_to_is_not_removed() -> None:
    with pytest.raises(Conflict, match="rollback returns to"):
        wish("remove", wish("promote", candidate="v2"), candidate="v1")
    with pytest.raises(Conflict, match="roll it back first"):
        wish("remove", wish("promote", candidate="v2", ramp=RAMP), candidate="v2")


def test_candidates_are_limited() -> None:
    changes = Changes()
    for number in range(MAX_CANDIDATES - 2):
        changes = wish("add", changes, definition={"name": f"c{number}", "url": "http://h:1"})
    with pytest.raises(Conflict, match="already"):
        wish("add", changes, definition={"name": "one-more", "url": "http://h:1"})


def test_a_ramp_needs_a_split_that_the_head_decides() -> None:
    by_body = file(candidates=(msgspec.structs.replace(V2, sample_key="json:$.user"), V3))
    with pytest.raises(Conflict, match="in the body"):
        wish("promote", None, by_body, candidate="v2", ramp=RAMP)
    by_rule = file(routes=(Route(name="r", match=Match(json=(("$.a", 1),))),))
    with pytest.raises(Conflict, match="request's body"):
        wish("promote", None, by_rule, candidate="v2", ramp=RAMP)
    with pytest.raises(Conflict, match="is paused"):
        wish("promote", wish("pause", candidate="v2"), candidate="v2", ramp=RAMP)


def test_one_ramp_at_a_time() -> None:
    ramp = wish("promote", candidate="v2", ramp=RAMP)
    with pytest.raises(Conflict, match="under way"):
        wish("promote", ramp, candidate="v3")
    at_once = wish("promote", ramp, candidate="v2")
    assert (under(at_once).production.name, under(at_once).ramp) == ("v2", None)


def test_changes_are_read_as_they_were_written() -> None:
    changes = wish("pause", wish("promote", wish("edit", candidate="v3", sample=0.1), candidate="v2"), candidate="v1")
    changes = wish("add", changes, definition={"name": "v9", "url": "http://h:1", "json_set": [["$.a", {"b": [1]}]]})
    assert under(decode(encode(changes))) == under(changes)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"v":2}', b'{"v":1,"unknown":1}'])
def test_what_nobody_wrote_is_not_guessed_at(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        decode(data)
