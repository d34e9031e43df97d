"""A reviewer who settles cases by keyboard alone; run as a module it tells what waiting for the next case takes."""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from tests.streams.web import desk_world
from tests.streams.web.browsing import Tab, chromium, opened
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


def settle(browser: Browser, world: DeskWorld) -> Settled:
    """Settles every case that there is."""
    tab = opened(browser, world.link("reviewer"))
    page = tab.page
    page.goto(f"{world.base_url}/desk/{TENANT}/review")
    seen: list[str] = []
    while (shown := _next(tab, seen[-1] if seen else "")) is not None:
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


def main(count: int) -> None:
    """Prints what it took."""
    with (
        tempfile.TemporaryDirectory() as data,
        desk_world.running(Path(data), doubtful=count) as world,
        chromium() as browser,
    ):
        settled = settle(browser, world)
    waited_s = sum(settled.shown_ms) / 1000
    median_ms = statistics.median(settled.shown_ms[1:])
    print(f"{len(settled.cases)} cases: the next one shown after {median_ms:.0f} ms, p95 {settled.p95_ms:.0f} ms")
    print(f"waited {waited_s:.1f} s in all, of which {settled.shown_ms[0] / 1000:.1f} s for the first")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
