"""A real Chromium: Debian's, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, sync_playwright

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, TABLET = {"width": 1280, "height": 800}, {"width": 834, "height": 1112}
QUIET_MS, STEP_MS = 500, 100  # so long nothing is under way on a page that has all
WITHIN_MS = 120_000.0  # for a machine that has much else to do


class NoBrowser(Exception):
    """No browser can be had here."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, until the block ends. Raises NoBrowser."""
    found = next((path for name in EXECUTABLES if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser("no Chromium on the path (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        yield _launched(driver, found)


def _launched(driver: Playwright, executable: str) -> Browser:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root cannot have
    return driver.chromium.launch(executable_path=executable, args=arguments)


def opened(browser: Browser, link: str, **options: Any) -> "Tab":
    """A tab in a context of its own, signed in by a link."""
    context = browser.new_context(viewport=options.pop("viewport", DESKTOP), **options)
    context.set_default_timeout(WITHIN_MS)
    tab = Tab(context)
    tab.page.goto(link)
    tab.page.wait_for_url("**/try")
    return tab


class Tab:
    """A page, and whatever it complained of: a script that failed, a policy that stopped something, a bad answer."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        self.open: set[Request] = set()
        self.page.on("request", self._begun)
        self.page.on("requestfinished", self._ended)
        self.page.on("requestfailed", self._ended)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, address: str) -> Page:
        """Opens a page and waits until it has all that it asks for; a stream of events has no end."""
        self.page.goto(address)
        quiet_ms = 0
        while quiet_ms < QUIET_MS:
            self.page.wait_for_timeout(STEP_MS)
            quiet_ms = 0 if self.open else quiet_ms + STEP_MS
        return self.page

    def _begun(self, request: Request) -> None:
        self.hosts.add(request.url.split("/")[2])
        if request.resource_type != "eventsource":
            self.open.add(request)

    def _ended(self, request: Request) -> None:
        self.open.discard(request)
