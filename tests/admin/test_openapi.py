"""The API's description is true: every path is in it, and requests made from it are answered as it says."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS

from shadowproxy.admin.app import build
from shadowproxy.admin.asking import Asker
from shadowproxy.admin.openapi import PATHS, document
from shadowproxy.admin.view import View
from tests.admin.status import SNAPSHOT
from tests.support.pairs import PairLog
from tests.support.supervised import Supervised

PAGES = ("/", "/assets/{name}")


def served() -> set[tuple[str, str]]:
    app: web.Application = build(View(SNAPSHOT, Asker(lambda ask: None)))
    found = {(route.resource.canonical, route.method.lower()) for route in app.router.routes() if route.resource}
    return {(path, method) for path, method in found if path not in PAGES and method != "head"}


def test_what_is_served_is_described_and_what_is_described_is_served() -> None:
    assert served() == {(path, method) for path, operations in PATHS.items() for method in operations}


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    names = set(re.findall(r"'#/components/schemas/([^']+)'", repr(whole)))
    assert names <= set(whole["components"]["schemas"])
    assert len(names) > 15


# Each operation that changes something changes a real supervisor's state, with real children beside fake workers.
@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    folder = tmp_path_factory.mktemp("openapi")
    log = PairLog(folder / "pairs")
    log.pair(times=5)
    log.ledger(requests=5, eligible=5, sent=5, finished={"complete": 5}, logged=5)
    log.write("20260301T140000Z-0-1-000001")
    with Supervised(folder, real=("admin",), workers=1, state=str(folder / "state")) as running:
        yield running.ready()


def without_if_match() -> dict[str, Any]:
    """schemathesis makes `If-Match: 0` of a pattern that excludes it; the header has a test in test_steering.py."""
    whole: dict[str, Any] = copy.deepcopy(document())
    for operations in whole["paths"].values():
        for operation in operations.values():
            kept = [one for one in operation.get("parameters", ()) if one["name"] != "If-Match"]
            operation["parameters"] = kept
    return whole


SCHEMA = schemathesis.openapi.from_dict(without_if_match())
# A stream has no end, and a process for each request would take minutes: the two have tests of their own.
SLOW = ("/api/v1/events", "/api/v1/report", "/api/v1/trials", "/api/v1/pairs/{id}")
# Valid by more than a schema can say: names that are free, files that are there; shares that rise. And as in a file, a
# key of a candidate's section without a value counts as not given, so that null is no fault.
LEFT_OUT = {
    "POST /api/v1/candidates": {"positive_data_acceptance", "negative_data_rejection"},
    "POST /api/v1/promote": {"positive_data_acceptance"},
}
NOT_ASKED = {
    "ignored_auth",  # there is no token here; tests/admin/test_app.py asks each path without one
    "missing_required_header",  # none is required
}


@SCHEMA.exclude(path=list(SLOW)).parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_requests_are_answered_as_the_description_says(case: schemathesis.Case, proxy: Supervised) -> None:
    url = "http://" + proxy.event("proxy.ready")["admin"]
    response = case.call(base_url=url)
    left_out = NOT_ASKED | LEFT_OUT.get(f"{case.method} {case.path}", set())
    checks = [check for name, check in ((c.__name__, c) for c in CHECKS.get_all()) if name not in left_out]
    case.validate_response(response, checks=checks)


def test_the_process_answers_after_all_that(proxy: Supervised, tmp_path: Path) -> None:
    assert len(proxy.said("admin", "began")) == 0  # it is the real one, and was not restarted
    assert [event for event in proxy.events if event["event"] == "admin.ended"] == []
