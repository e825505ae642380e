"""The API's description is true: every path is in it, and requests made from it are answered as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS

from shadowproxy.admin.app import build
from shadowproxy.admin.asking import Asker
from shadowproxy.admin.openapi.document import document
from shadowproxy.admin.openapi.paths import PATHS
from shadowproxy.admin.view import View
from shadowproxy.settings.snapshot import Admin
from tests.admin.status import SNAPSHOT
from tests.support.api import Api
from tests.support.pairs import PairLog
from tests.support.supervised import Supervised

TOKEN = "correct-horse"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
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
    admin = Admin(listen="127.0.0.1:0", token=TOKEN)
    with Supervised(folder, real=("admin",), workers=1, state=str(folder / "state"), admin=admin) as running:
        yield running.ready()


QUICK = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# A process for each request, or a stream that has to be waited for.
BODIES: dict[str, Any] = {
    "/api/v1/candidates": {"name": "v9", "url": "http://127.0.0.1:9"},
    "/api/v1/promote": {"candidate": "v2", "force": "a test"},
}
SLOW = ("/api/v1/events", "/api/v1/report", "/api/v1/trials", "/api/v1/pairs/{id}")
STREAM = "/api/v1/events"
# Valid by more than a schema can say: names that are free, files that are there; shares that rise. And as in a file, a
# key of a candidate's section without a value counts as not given, so that null is no fault. A stream's events are
# taken for objects by schemathesis, while OpenAPI 3.1 describes the text that they are written in.
LEFT_OUT = {
    "POST /api/v1/candidates": {"positive_data_acceptance", "negative_data_rejection"},
    "POST /api/v1/promote": {"positive_data_acceptance"},
    f"GET {STREAM}": {"response_schema_conformance"},
}
NOT_ASKED = {"missing_required_header"}  # none is required

# Where a token is set, as here, it is not optional: each operation is asked without it and with a wrong one, too.
SCHEMA = schemathesis.openapi.from_dict({**document(), "security": [{"token": []}]})


def checks_of(case: schemathesis.Case) -> list[Any]:
    left_out = NOT_ASKED | LEFT_OUT.get(f"{case.method} {case.path}", set())
    if "If-Match" in (case.headers or {}):
        # Whatever revision is made up, it is not the one in force: 412, whatever else is right or wrong.
        left_out |= {"positive_data_acceptance", "negative_data_rejection"}
    return [check for check in CHECKS.get_all() if check.__name__ not in left_out]


def is_described(case: schemathesis.Case, status: int) -> bool:
    """A method that a path has not is 405, everything else in the operation's own list."""
    operation = PATHS[case.path].get(case.method.lower())
    return status == 405 if operation is None else str(status) in operation["responses"]


def address(proxy: Supervised) -> str:
    return "http://" + str(proxy.event("proxy.ready")["admin"])


@SCHEMA.exclude(path=list(SLOW)).parametrize()
@settings(QUICK, max_examples=12)
def test_requests_are_answered_as_the_description_says(case: schemathesis.Case, proxy: Supervised) -> None:
    response = case.call_and_validate(base_url=address(proxy), headers=BEARER, checks=checks_of(case), timeout=60)
    assert is_described(case, response.status_code), (case.method, case.path, response.status_code)


@SCHEMA.include(path=[path for path in SLOW if path != STREAM]).parametrize()
@settings(QUICK, max_examples=2)
def test_what_reads_the_log_answers_as_the_description_says(case: schemathesis.Case, proxy: Supervised) -> None:
    response = case.call_and_validate(base_url=address(proxy), headers=BEARER, checks=checks_of(case), timeout=60)
    assert is_described(case, response.status_code), (case.method, case.path, response.status_code)


@SCHEMA.include(path=STREAM).parametrize()
@settings(QUICK, max_examples=1)
def test_the_stream_begins_as_the_description_says(case: schemathesis.Case, proxy: Supervised) -> None:
    """It has no end: what comes within some seconds is the body that the checks see."""
    response = case.call(base_url=address(proxy), headers=BEARER, stream=True)
    case.validate_response(response, checks=checks_of(case))
    if response.status_code == 200:
        assert response.headers["content-type"] == ["text/event-stream"]


@pytest.mark.parametrize(("path", "method"), [(p, m) for p, operations in PATHS.items() for m in operations])
def test_a_revision_that_is_none_or_is_over_changes_nothing(path: str, method: str, proxy: Supervised) -> None:
    """If-Match of every operation that has one, which schemathesis cannot know: 400 and 412, each a problem."""
    operation = document()["paths"][path][method]
    if not any(one["name"] == "If-Match" for one in operation.get("parameters", ())):
        assert method == "get"
        return
    to = Api(proxy.event("proxy.ready")["admin"], TOKEN)
    before = to.ask("GET", "/api/v1/config").etag
    body = BODIES.get(path)
    for given, status in (('"0"', 412), ("0", 400), ('"0-1"', 412), ('W/"0-1"', 412)):
        said = to.ask(method.upper(), path.replace("{name}", "v2"), body, If_Match=given)
        assert (said.status, said.body["status"]) == (status, status), (given, said)
        assert str(status) in operation["responses"]
    assert to.ask("GET", "/api/v1/config").etag == before
