"""A new file under old changes."""

from __future__ import annotations

import msgspec
import pytest

from shadowproxy.settings.snapshot import Production
from shadowproxy.settings.steering.audit import changed
from shadowproxy.settings.steering.changes import Changes
from shadowproxy.settings.steering.drift import drift
from shadowproxy.settings.steering.rebase import rebase, reset
from shadowproxy.settings.steering.verbs import Conflict
from tests.settings.steering.wishes import FILE, V2, V3, file, named, under, wish


def test_a_file_that_says_the_same_keeps_every_change() -> None:
    changes = wish("pause", wish("edit", wish("remove", candidate="v3"), candidate="v2", sample=0.1), candidate="v2")
    changes = wish("add", changes, definition={"name": "v9", "url": "http://h:1"})
    changes = wish("promote", changes, candidate="v9")
    assert rebase(changes, file(via="another")) == (changes, [])


def test_a_key_that_the_file_changed_is_the_files_again_and_others_stay() -> None:
    changes = wish("edit", candidate="v2", sample=0.1, gated=False)
    new = file(candidates=(msgspec.structs.replace(V2, sample=0.9), V3))
    kept, settled = rebase(changes, new)
    assert settled == ["candidates[v2].sample"]
    assert (named(under(kept, new), "v2").sample, named(under(kept, new), "v2").gated) == (0.9, False)


def test_a_pause_outlives_whatever_the_file_says_of_the_candidate() -> None:
    new = file(candidates=(msgspec.structs.replace(V2, sample=0.9, url="http://127.0.0.1:22"), V3))
    kept, settled = rebase(wish("pause", candidate="v2"), new)
    assert (named(under(kept, new), "v2").paused, settled) == (True, [])


def test_a_removed_candidate_stays_away_until_the_file_says_something_new_of_it() -> None:
    changes = wish("remove", candidate="v3")
    assert rebase(changes, file()) == (changes, [])
    new = file(candidates=(V2, msgspec.structs.replace(V3, url="http://127.0.0.1:33")))
    kept, settled = rebase(changes, new)
    assert settled == ["candidates[v3]"]
    assert named(under(kept, new), "v3").url == "http://127.0.0.1:33"


def test_a_candidate_that_the_file_now_has_is_the_files() -> None:
    changes = wish("add", candidate=None, definition={"name": "v9", "url": "http://h:1"})
    new = file(candidates=(V2, V3, msgspec.structs.replace(V3, name="v9", url="http://file:1")))
    kept, settled = rebase(changes, new)
    assert (named(under(kept, new), "v9").url, settled) == ("http://file:1", ["candidates[v9]"])


def test_a_promotion_lasts_while_the_file_knows_both_names() -> None:
    changes = wish("promote", candidate="v2")
    new = file(candidates=(msgspec.structs.replace(V2, url="http://127.0.0.1:22"),))
    kept, settled = rebase(changes, new)
    assert (under(kept, new).production.urls, settled) == (("http://127.0.0.1:22",), [])


def test_what_was_changed_of_the_promoted_holds_for_its_seat_until_the_file_changes_it() -> None:
    changes = wish("promote", wish("edit", candidate="v2", sample=0.02), candidate="v2")
    kept, settled = rebase(changes, file())
    assert (kept, settled) == (changes, [])
    assert named(under(kept), "v1").sample == 0.02
    assert named(under(wish("rollback", kept)), "v2").sample == 0.02
    _, settled = rebase(changes, file(candidates=(msgspec.structs.replace(V2, sample=0.6), V3)))
    assert settled == ["candidates[v2].sample"]


def test_a_file_that_names_the_promoted_as_production_has_caught_up_and_trials_go_on() -> None:
    changes = wish("promote", candidate="v2")
    running = under(changes)
    caught_up = file(
        production=running.production,
        candidates=tuple(msgspec.structs.replace(c, trial="") for c in running.candidates),
        twin=None,
        routes=running.routes,
    )
    kept, settled = rebase(changes, caught_up)
    assert (kept.swaps, settled) == ((), ["production"])
    assert under(kept, caught_up) == running


def test_a_file_that_drops_the_promoted_name_is_refused() -> None:
    with pytest.raises(Conflict, match="v2 was promoted"):
        rebase(wish("promote", candidate="v2"), file(candidates=(V3,)))
    ramp = wish("promote", candidate="v2", ramp={"steps": [0.1], "hold_s": 1.0})
    with pytest.raises(Conflict, match="answers users in a ramp"):
        rebase(ramp, file(candidates=(V3,)))


def test_a_file_with_another_production_is_obeyed() -> None:
    new = file(production=Production(name="v0", urls=("http://127.0.0.1:9",)))
    kept, settled = rebase(wish("promote", candidate="v2"), new)
    assert (under(kept, new).production.name, settled) == ("v0", ["production"])


def test_of_two_promotions_the_older_may_be_settled() -> None:
    changes = wish("promote", wish("promote", candidate="v2"), candidate="v3")
    new = file(
        production=Production(name="v2", urls=(V2.url,)), candidates=(V3, msgspec.structs.replace(V2, name="v1"))
    )
    kept, settled = rebase(changes, new)
    assert [swap.name for swap in kept.swaps] == ["v3"]
    assert (under(kept, new).production.name, settled) == ("v3", ["production"])


def test_a_reset_is_the_file_but_for_who_answers() -> None:
    changes = wish("restart", wish("pause", wish("edit", candidate="v2", sample=0.1)), candidate="v2")
    clean = reset(changes)
    assert drift(file(), clean) == []
    assert named(under(clean), "v2").trial == named(under(changes), "v2").trial
    with pytest.raises(Conflict, match="roll it back"):
        reset(wish("promote", candidate="v2"))
    with pytest.raises(Conflict, match="roll it back"):
        reset(wish("promote", candidate="v2", ramp={"steps": [0.1], "hold_s": 1.0}))


def test_drift_names_each_key_with_both_values_and_who() -> None:
    changes = wish("edit", candidate="v2", sample=0.05)
    changes = wish("pause", wish("remove", changes, candidate="v3"), candidate="v2")
    changes = wish("promote", wish("add", changes, definition={"name": "v9", "url": "http://h:1"}), candidate="v9")
    found = {one["key"]: (one["file"], one["running"]) for one in drift(file(), changes)}
    assert found == {
        "production": ("v1", "v9"),
        "candidates[v9]": (None, "http://h:1"),
        "candidates[v3]": (V3.url, None),
        "candidates[v2].sample": ("50%", "5%"),
        "candidates[v2].paused": (False, True),
    }
    assert {one["by"] for one in drift(file(), changes)} == {"ana"}
    assert drift(file(), Changes()) == []


def test_the_audit_says_what_was_before_and_after() -> None:
    found = changed(file(), under(wish("edit", candidate="v2", sample=0.1)))
    assert found == [{"key": "candidates[v2].sample", "before": 0.5, "after": 0.1}]
    swapped = {
        one["key"]: (one["before"], one["after"]) for one in changed(file(), under(wish("promote", candidate="v2")))
    }
    assert swapped["production"] == ("v1", "v2")
    assert swapped["candidates[v1].gated"] == (None, False)
    assert not any("X-Key" in str(one) for one in changed(FILE, under(wish("remove", candidate="v2"))))
