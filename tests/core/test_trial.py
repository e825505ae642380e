from __future__ import annotations

import re
from typing import Any

import pytest

from shadowproxy.core.trial import trial_id
from shadowproxy.settings.snapshot import Breaker, Candidate

CANDIDATE = Candidate(name="v2", url="http://b.test", version="2")


def made(candidate: Candidate = CANDIDATE, **production: Any) -> str:
    facts = {"name": "v1", "urls": ["http://a.test"], "version": "1", "restarts": 0, **production}
    return trial_id(facts["name"], facts["urls"], facts["version"], candidate, facts["restarts"])


def changed(**settings: Any) -> Candidate:
    return Candidate(**{"name": "v2", "url": "http://b.test", "version": "2", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "v3"},
        {"url": "http://c.test"},
        {"version": "3"},
        {"host": "preserve"},
        {"headers_set": (("X-Model", "b"),)},
        {"headers_remove": ("X-Model",)},
        {"json_set": (("$.model", "m2"),)},
        {"path_replace": "/a", "path_with": "/b"},
        {"credentials": "forward"},
        {"headers_set": (("Authorization", "Bearer a"),)},
    ],
)
def test_another_candidate_or_another_form_of_its_requests_is_another_trial(settings: dict[str, Any]) -> None:
    assert made(changed(**settings)) != made()


@pytest.mark.parametrize(
    "production", [{"name": "v0"}, {"urls": ["http://z.test"]}, {"version": "1.1"}, {"restarts": 1}]
)
def test_another_production_or_a_restart_is_another_trial(production: dict[str, Any]) -> None:
    assert made(**production) != made()


@pytest.mark.parametrize(
    "settings",
    [
        {"sample": 0.1},
        {"sample_key": "header:X"},
        {"paused": True},
        {"timeout": 2.0},
        {"max_in_flight": 7},
        {"mirror_up_to": 5},
        {"answer_up_to": 5},
        {"send": "after_production"},
        {"breaker": Breaker(failures=1)},
        {"stop_after": None},
        {"gates": ()},
        {"gated": False},
        {"expect": "same"},
    ],
)
def test_what_does_not_change_the_evidence_continues_the_trial(settings: dict[str, Any]) -> None:
    assert made(changed(**settings)) == made()


def test_the_order_of_production_s_urls_means_nothing() -> None:
    assert made(urls=["http://a.test", "http://b.test"]) == made(urls=["http://b.test", "http://a.test"])


def test_an_id_begins_with_the_name_and_shows_no_secret() -> None:
    made_id = made(changed(headers_set=(("Authorization", "Bearer s3cret"),)))
    assert re.fullmatch(r"v2-[0-9a-f]{10}", made_id)


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Cookie", "Proxy-Authorization"])
def test_a_credential_that_is_renewed_continues_the_trial(name: str) -> None:
    before, after = (made(changed(headers_set=((name, secret),))) for secret in ("old", "new"))
    assert before == after


def test_an_id_is_the_same_on_every_machine() -> None:
    """Pinned: another value would end every running trial at an upgrade."""
    assert made() == "v2-4c1ab6fde0"
