"""The dashboard over the real proxy, in a real browser: figures follow the traffic, and buttons do what they say."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.async_api import Locator, expect

from tests.support.browser import PATIENCE_MS, needs_chromium, opened
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.upstream import Connection, Request, Upstream, response


def decides_otherwise_now_and_then(connection: Connection, request: Request) -> None:
    """The body is `{"n": …}`; every fifth comes back as another."""
    asked = json.loads(connection.read_body(request))
    asked["n"] += asked["n"] % 5 == 0
    connection.send(response(json.dumps(asked).encode(), "Content-Type: application/json"))


@contextmanager
def running(folder: Path) -> Iterator[tuple[Proxy, Upstream]]:
    with Upstream(returns_the_body, keep=64) as v1, Upstream(decides_otherwise_now_and_then, keep=64) as v2:
        config = {
            "state": str(folder / "state"),
            "production": {"name": "v1", "url": v1.url},
            "candidates": [{"name": "v2", "url": v2.url}],
            "routes": [{"name": "count", "prediction": {"at": "$.n", "is": "label"}}],
            "statistics": {"bucket": "1s"},
        }
        with Proxy(folder, config, steered=True) as proxy:
            yield proxy, v2


async def grows(figure: Locator) -> None:
    """Waits until the number has become another, larger one."""
    before = await number(figure)
    for _ in range(PATIENCE_MS // 100):
        if await number(figure) > before:
            return
        await figure.page.wait_for_timeout(100)
    raise AssertionError(f"{before} stays {before}")


async def number(figure: Locator) -> int:
    return int((await figure.inner_text()).replace(",", "") or 0)


class Trickle:
    """Some fifty requests a second from one client, which leaves the machine to the browser; keeps each status."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._stop = threading.Event()
        self.statuses: list[int] = []
        self._thread = threading.Thread(target=self._run, name="trickle", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        with closing(connection):
            while not self._stop.wait(0.02):
                body = json.dumps({"n": len(self.statuses)})
                connection.request("POST", "/count", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


@needs_chromium
async def test_figures_follow_the_traffic_and_buttons_do_what_they_say(tmp_path: Path) -> None:
    with running(tmp_path) as (proxy, v2):
        clients = Trickle(proxy.address)
        try:
            async with opened(viewport={"width": 1280, "height": 1000}) as seen:
                page = seen.page
                await page.goto(proxy.admin_url)
                card = page.locator("#candidate-v2")
                logged = card.locator(".live dd").nth(4)

                await grows(page.locator("#requests"))
                await grows(logged)
                await expect(card.locator("h2")).to_contain_text("v2 instead of v1")
                await expect(card.locator(".figures")).to_contain_text("Decides differently")
                judged = await card.locator(".scale").inner_text()
                await expect(card.locator(".scale")).not_to_have_text(judged)  # a newer verdict has come by itself

                pair = card.locator("button.pair").first
                await pair.click()
                await expect(card.locator(".beside mark").first).to_be_visible()
                await expect(pair).to_have_attribute("aria-expanded", "true")

                await card.get_by_role("button", name="pause v2").click()
                await expect(page.locator("#banners")).to_contain_text("v2 is paused: no copies are sent to it.")
                await expect(card.locator(".live dd").first).to_have_text("paused")
                await expect(card.locator(".live dd").nth(5)).to_have_text("0")  # in flight
                copies = len(v2.requests)
                await grows(page.locator("#requests"))
                assert len(v2.requests) == copies
                await card.get_by_role("button", name="resume v2").click()
                await expect(page.locator("#banners")).not_to_contain_text("paused")
                await grows(logged)

                await card.get_by_label("sample of v2").fill("25")
                await card.get_by_role("button", name="Set").click()
                await expect(card.locator(".live dd").first).to_have_text("25 %")
                assert next(one["sample"] for one in proxy.status()["candidates"]) == 0.25

                await card.get_by_role("button", name="Promote …").click()
                dialog = page.locator("#dialog")
                yes = dialog.get_by_role("button", name="Promote all the same")
                await expect(yes).to_be_disabled()  # its verdict is not PASS: only with a reason
                await dialog.get_by_role("button", name="Cancel").click()
                await expect(dialog).to_be_hidden()
                await card.get_by_role("button", name="Promote …").click()
                await dialog.get_by_label("Reason").fill("to see it done")
                await yes.click()
                await expect(page.locator("#proxy")).to_contain_text("v2")
                await expect(page.locator("#history")).to_contain_text("forced: to see it done")

                await page.get_by_role("button", name="Roll back …").click()
                await dialog.get_by_role("button", name="Roll back").click()
                await expect(page.locator("#history tbody tr").first).to_contain_text("rolled back")
                await expect(page.locator("#candidate-v2")).to_be_visible()

                await page.get_by_role("button", name="Pause all").click()
                await expect(page.locator("#banners")).to_contain_text("All candidates are paused")
                assert seen.complaints == []
                assert seen.foreign(proxy.admin_url) == []
        finally:
            clients.stop()
        assert set(clients.statuses) == {200}
