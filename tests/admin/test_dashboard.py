"""The dashboard's files and their policy, and the page in a real browser over a scripted proxy."""

from __future__ import annotations

import json
import re
from contextlib import AbstractAsyncContextManager
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import Page, expect

from shadowproxy.admin.dashboard import ASSETS, PATHS, POLICY
from shadowproxy.admin.view import VIEW
from shadowproxy.pages import assets
from shadowproxy.wire.messages import Answer
from tests.admin.status import status
from tests.admin.test_app import TOKEN, is_problem, serving
from tests.support.browser import Opened, needs_chromium, opened, too_wide
from tests.support.judged import gate, undecided, with_gates
from tests.support.pairs import PairLog, answer, differing, differs, noisy
from tests.support.reports import report_on

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>`\u202e\x1b[2J"
FOLDER = resources.files("shadowproxy.admin").joinpath("static")


async def test_the_page_and_its_files_need_no_token_and_carry_their_policy() -> None:
    async with serving(TOKEN) as client:
        for path in sorted(PATHS):
            response = await client.get(path)
            assert response.status == 200, path
            assert response.headers["Content-Security-Policy"] == POLICY
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        await is_problem(await client.get("/api/v1/status"), 401)
        await is_problem(await client.get("/assets/dashboard.html"), 401)
    async with serving() as client:
        await is_problem(await client.get("/assets/dashboard.py"), 404)


def test_the_policy_lets_nothing_inline_run_and_nothing_elsewhere_be_asked() -> None:
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert {rules[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert "unsafe" not in POLICY


def test_every_file_is_served_and_every_file_that_is_named_is_there() -> None:
    there = {file.name for file in FOLDER.iterdir()} - {"dashboard.html"}
    assert there == {name for name, asset in ASSETS.items() if not asset.shared}
    page = FOLDER.joinpath("dashboard.html").read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="(?!#)([^"]+)"', page)) <= {f"assets/{name}" for name in ASSETS}
    for file in FOLDER.iterdir():
        if file.name.endswith(".js"):
            named = re.findall(r'from "\./([^"]+)"', file.read_text(encoding="utf-8"))
            assert set(named) <= set(ASSETS), file.name


def test_no_file_is_inline_makes_markup_from_strings_or_knows_another_origin() -> None:
    page = FOLDER.joinpath("dashboard.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\(|new Function|document\.write|insertAdjacentHTML", text), file.name
        assert not re.search(r"\.(?:inner|outer)HTML\s*=[^=]", text), file.name


def test_the_shared_files_are_those_of_the_report() -> None:
    assert {asset.shared for asset in ASSETS.values() if asset.shared} == {
        assets.BASE_CSS,
        assets.FIGURES_CSS,
        assets.UPLOT_CSS,
        assets.UPLOT_JS,
    }


# -- in a browser ------------------------------------------------------------------------------------------------------


def judged(folder: Path) -> dict[str, Any]:
    """A report on v2 whose log a stranger filled; its log lies where the proxy of `status()` has it."""
    log = PairLog(folder / "pairs", production="v1")
    more = {"trial": "v2-now", "route": NASTY}
    log.pair(times=60, twin=answer(body=NASTY), noise=noisy(NASTY), **more)
    apart = differing(NASTY, "b", differences=[differs("$.label", "value", "a", NASTY)])
    log.pair(times=5, twin=answer(), shadow=answer(body=json.dumps({"label": NASTY})), comparison=apart, **more)
    made = report_on(log.write("20260301T140000Z-0-1-000001"))
    found = with_gates(made, gate(about=NASTY, title=NASTY), undecided(explanation=NASTY), banners=[NASTY])
    screen = found.candidates["v2"].screen
    assert screen is not None
    screen = msgspec.structs.replace(screen, summary=NASTY, verdict="FAIL")
    candidate = msgspec.structs.replace(found.candidates["v2"], screen=screen)
    whole = msgspec.structs.replace(found, candidates={"v2": candidate})
    return msgspec.json.decode(msgspec.json.encode(whole), type=dict[str, Any])


def proxy(
    token: str = "", history: tuple[dict[str, Any], ...] = (), **more: Any
) -> AbstractAsyncContextManager[TestClient[Any, Any]]:
    """The API over a supervisor that tells `status(**more)` and a history."""
    told = status(**more)
    answers = {"readiness": told["readiness"], "history": {"items": [*history]}}
    return serving(token, supervisor=lambda ask: Answer(ask.id, True, answers.get(ask.verb, told)))


async def shown(client: TestClient[Any, Any], seen: Opened) -> Page:
    await seen.page.goto(str(client.make_url("/")))
    return seen.page


def home(client: TestClient[Any, Any]) -> str:
    return str(client.make_url("/"))


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
async def test_a_stranger_s_text_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, scheme: str
) -> None:
    monkeypatch.chdir(tmp_path)
    report = judged(tmp_path)
    async with proxy() as client, opened(viewport={"width": width, "height": 900}, color_scheme=scheme) as seen:
        assert client.app is not None
        await client.app[VIEW].verdicts.put(report)
        page = await shown(client, seen)
        await expect(page.locator("#candidate-v2 .figures tbody tr").first).to_be_visible()
        assert "alert(1)" in await page.inner_text("#candidate-v2 .summary")
        await expect(page.locator("#candidate-v2 svg.interval")).to_have_count(2)
        await expect(page.locator("#candidate-v2 .u-wrap").first).to_be_visible()
        pair = page.locator("#candidate-v2 button.pair").first
        await expect(pair).to_be_visible()
        await pair.press("Enter")  # by keyboard
        await expect(page.locator("#candidate-v2 .beside mark").first).to_be_visible()
        assert await page.locator("main script, main img").count() == 0
        assert await too_wide(page) == []
        assert seen.complaints == []
        assert seen.foreign(home(client)) == []


@needs_chromium
async def test_what_was_said_of_a_trial_that_is_over_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = judged(tmp_path)
    async with proxy() as client, opened() as seen:
        assert client.app is not None
        view = client.app[VIEW]
        await view.verdicts.put(report)
        page = await shown(client, seen)
        card = page.locator("#candidate-v2")
        await expect(card.locator(".figures tbody tr").first).to_be_visible()
        await expect(card.locator("button.pair").first).to_be_visible()
        await expect(card.locator(".u-wrap").first).to_be_visible()
        await expect(page.locator("#contents")).to_contain_text("FAIL")
        v2, *others = view.snapshot.candidates
        anew = msgspec.structs.replace(v2, trial="v2-anew")
        view.snapshot = msgspec.structs.replace(view.snapshot, candidates=(anew, *others))
        await expect(card.locator(".summary")).to_have_text("v2 has not been judged yet.")
        await expect(card.locator(".figures, svg.interval, .u-wrap:visible, button.pair")).to_have_count(0)
        await expect(page.locator("#contents")).not_to_contain_text("FAIL")
        assert "alert(1)" not in await card.inner_text()
        assert seen.complaints == []


@needs_chromium
async def test_banners_stand_above_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = {
        "readiness": {"ready": False, "reasons": ["no worker is ready"]},
        "children": [child for child in status()["children"] if child["role"] != "recorder"],
    }
    report = judged(tmp_path)
    async with proxy(**told) as client, opened() as seen:
        assert client.app is not None
        await client.app[VIEW].verdicts.put(report)
        page = await shown(client, seen)
        banners = page.locator("#banners")
        await expect(banners).to_contain_text("The recorder is down")
        await expect(banners).to_contain_text("Not ready: no worker is ready.")
        await expect(banners).to_contain_text("v3 is paused: no copies are sent to it.")
        await expect(banners).to_contain_text("No pair of v2 for")  # its log ends long ago
        top = await banners.bounding_box()
        first = await page.locator("#candidate-v2").bounding_box()
        assert top is not None
        assert first is not None
        assert top["y"] < first["y"]
        assert seen.complaints == []


@needs_chromium
async def test_a_token_is_asked_for_once_and_kept_by_the_tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with proxy(TOKEN) as client, opened() as seen:
        page = await shown(client, seen)
        await expect(page.locator("#entry")).to_be_visible()
        await expect(page.locator("#candidate-v2")).to_have_count(0)
        await expect(page.locator("#pause-all")).to_be_hidden()  # it could pause nothing
        await page.fill("#token", "wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#entry-said")).to_contain_text("Expected")
        await page.fill("#token", TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.locator("#candidate-v2")).to_be_visible()
        await expect(page.locator("#entry")).to_be_hidden()
        await expect(page.locator("#pause-all")).to_be_visible()
        await page.reload()
        await expect(page.locator("#candidate-v2")).to_be_visible()
        assert TOKEN not in page.url
        assert [text for text in seen.complaints if "401" not in text] == []  # a browser tells of each refusal


@needs_chromium
async def test_a_lost_connection_is_said_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with proxy() as client, opened() as seen:
        page = await shown(client, seen)
        await expect(page.locator("#candidate-v2")).to_be_visible()
        await page.route("**/api/v1/events", lambda route: route.abort())
        await page.reload()
        await expect(page.locator("#banners")).to_contain_text("No connection to the proxy")
        await page.unroute("**/api/v1/events")
        await expect(page.locator("#candidate-v2")).to_be_visible()
        await expect(page.locator("#banners")).not_to_contain_text("No connection to the proxy")


@needs_chromium
async def test_a_notice_s_link_leads_to_its_candidate() -> None:
    async with proxy() as client, opened(viewport={"width": 800, "height": 200}) as seen:
        await seen.page.goto(str(client.make_url("/#candidate-v3")))
        await expect(seen.page.locator("#candidate-v3 h2")).to_be_in_viewport()
        assert await seen.page.evaluate("window.scrollY") > 0


def deployment(at: str, action: str, **more: Any) -> dict[str, Any]:
    known = dict.fromkeys(("trial", "verdict", "pairs", "to_verdict_s", "to_promotion_s", "forced", "reason", "share"))
    return {"v": 1, "at": f"2026-03-02T{at}.000Z", "action": action, "by": "ana", **known, **more}


@needs_chromium
async def test_trials_say_their_days_and_history_its_remarks_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    log = PairLog(tmp_path / "pairs")
    log.pair(trial="v2-long", at=0)
    log.pair(trial="v2-long", at=3 * 86400)
    log.pair(trial="v2-short", at=4 * 86400)
    log.pair(trial="v2-short", at=4 * 86400 + 60)
    log.write()
    forth = {"from": "v1", "to": "v2"}
    history = (
        deployment("10:00:00", "ramp_began", share=0.1, forced="it leaks", **forth),
        deployment("11:00:00", "promoted", forced="it leaks", **forth),
        deployment("12:00:00", "rolled_back", reason="users complain", **{"from": "v2", "to": "v1"}),
    )
    async with proxy(history=history) as client, opened() as seen:
        page = await shown(client, seen)
        rows = page.locator("#trials tbody tr")
        await expect(rows.filter(has_text="v2-long")).to_contain_text(re.compile(r"(2026-\d\d-\d\d).* – (?!\1)2026-"))
        await expect(rows.filter(has_text="v2-short")).to_contain_text(re.compile(r"2026-.* – \d\d:\d\d:\d\d"))
        remarks = await page.locator("#history tbody tr td:last-child").all_inner_texts()
        assert remarks == [
            "users complain",
            "forced: it leaks · rolled back 2026-03-02 12:00:00",
            "forced: it leaks · 10 % of users",
        ]
        assert seen.complaints == []
