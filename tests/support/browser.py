"""A real headless Chromium that notices what a page should never do: complain, or ask another origin."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PATIENCE_MS = 60_000  # of every wait, on a busy machine too
expect.set_options(timeout=PATIENCE_MS)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@dataclass(slots=True)
class Opened:
    """A page with what it said on its console, what it threw, and whom it asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def hear(self, kind: str, text: str) -> None:
        if "status of 503" not in text:  # where the supervisor is late, the page shows what it had
            self.complaints.append(f"{kind}: {text}")

    def foreign(self, home: str) -> list[str]:
        return [url for url in self.asked if not url.startswith((home, "data:"))]


@asynccontextmanager
async def opened(**context: Any) -> AsyncIterator[Opened]:
    """`context` as for playwright: viewport, color_scheme, extra_http_headers …"""
    async with async_playwright() as playwright:
        # Root inside a container has no namespaces for the sandbox; what is opened here is ours.
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = await (await browser.new_context(**context)).new_page()
            page.set_default_timeout(PATIENCE_MS)
            seen = Opened(page)
            page.on("console", lambda message: seen.hear(message.type, message.text))
            page.on("pageerror", lambda error: seen.complaints.append(f"thrown: {error}"))
            page.on("request", lambda request: seen.asked.append(request.url))
            yield seen
        finally:
            await browser.close()


async def too_wide(page: Page) -> list[str]:
    """What sticks out to the right although nothing lets it be scrolled there."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('body *')]
             .filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)
             .map(e => e.outerHTML.slice(0, 80))"""
    )
    return found
