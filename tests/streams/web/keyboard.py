"""A reviewer who settles cases by keyboard alone."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import Browser

from tests.streams.web.browsing import Tab, opened
from tests.streams.web.desk_world import TENANT, DeskWorld

KEYS = ("a", "a", "r2", "v+a", "a", "s.a", "]r1", "3a")  # what is pressed for each case, in turn
SHOWN = "performance.getEntriesByName('packshot.case').map((each) => each.duration)"


@dataclass(frozen=True)
class Settled:
    """The cases in the order in which they were shown, and how long each took to be there, in ms."""

    cases: Sequence[str]
    shown_ms: Sequence[float]

    @property
    def p95_ms(self) -> float:
        """The 95th percentile, of those behind the first."""
        return statistics.quantiles(self.shown_ms[1:], n=20)[-1]


def settle(browser: Browser, world: DeskWorld, looks_for_ms: float = 0) -> Settled:
    """Settles every case that there is; a person looks at each for a while."""
    tab = opened(browser, world.link("reviewer"))
    page = tab.page
    page.goto(f"{world.base_url}/desk/{TENANT}/review")
    seen: list[str] = []
    while (shown := _next(tab, seen[-1] if seen else "")) is not None:
        page.wait_for_timeout(looks_for_ms)
        for key in KEYS[len(seen) % len(KEYS)]:
            page.keyboard.press(key)
        seen.append(shown)
    times = page.evaluate(SHOWN)
    assert tab.complaints == []
    page.goto("about:blank")  # what waits for its moment to be undone is sent as the page goes, and behind it
    return Settled(seen, times)


def _next(tab: Tab, before: str) -> str | None:
    """The case that is shown once it is another; None when nothing waits."""
    tab.page.wait_for_selector(
        f"#review[data-case]:not([data-case='{before}']) #bench:not([hidden]), #nothing:not([hidden])"
    )
    if tab.page.is_visible("#nothing"):
        return None
    return tab.page.get_attribute("#review", "data-case")
