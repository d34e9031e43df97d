"""The desk in a real Chromium: a short course of it always, every page in every look in the long suite."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from schemas import codec
from schemas.records import ReviewDecided
from streams.services.review import cases
from tests.servers import skip_or_fail
from tests.streams.case_flow import requested_reviews
from tests.streams.flow import Flow, upsert
from tests.streams.web import desk_world, keyboard, screens
from tests.streams.web.browsing import WITHIN_MS, NoBrowser, Tab, chromium, opened
from tests.streams.web.desk_world import TENANT, DeskWorld

SHIFT_MAX = 0.1  # of what moves while a page loads: what Web Vitals call good
WEIGHT_BYTES_MAX = 150_000  # of the first page without pictures, as it comes over the wire
SHIFTED = """() => new Promise((resolve) => {
  let sum = 0;
  const add = (each) => { if (!each.hadRecentInput) sum += each.value; };
  new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 300);
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as opened_one:
            yield opened_one
    except NoBrowser as missing:
        skip_or_fail(str(missing))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    with desk_world.running(tmp_path_factory.mktemp("desk")) as running:
        yield running


def violations(tab: Tab) -> list[str]:
    """What axe-core finds wrong on the page."""
    found = Axe().run(tab.page).response["violations"]
    return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]


def check_page(tab: Tab, address: str, *, broker: bool) -> None:
    tab.complaints.clear()
    page = tab.go(address)
    assert violations(tab) == [], address
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} is wider than the screen"
    assert page.evaluate(SHIFTED) <= SHIFT_MAX, address
    complaints = tab.complaints if broker else [each for each in tab.complaints if "503" not in each]
    assert complaints == [], address


def test_somebody_signs_in_and_finds_a_product(browser: Browser, world: DeskWorld) -> None:
    link = world.link("reviewer")
    tab = opened(browser, link)
    page = tab.page
    assert "#" not in page.url
    page.get_by_role("link", name="Products").click()
    page.get_by_label("SKU or title").fill("stoneware")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Hand-thrown Stoneware Mug").click()
    page.wait_for_selector("h1:has-text('Stoneware')")
    picture = page.locator(".asset img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert picture.evaluate("each => each.naturalWidth") > 0
    assert tab.hosts == {world.base_url.split("/")[2]}
    assert tab.complaints == []
    assert violations(tab) == []
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    used = browser.new_context().new_page()
    used.goto(link)
    used.wait_for_selector("[role=alert]")
    used.context.close()
    tab.context.close()


def test_the_first_page_is_light(browser: Browser, world: DeskWorld) -> None:
    tab = opened(browser, world.link())
    weights: dict[str, int] = {}

    def weigh(response: Any) -> None:
        if response.request.resource_type not in ("image", "other"):
            weights[response.url] = len(response.body())

    tab.page.on("response", weigh)
    tab.go(f"{world.base_url}/desk/{TENANT}/try")
    assert len(weights) >= 3, "the page, its style and its scripts"
    assert sum(weights.values()) <= WEIGHT_BYTES_MAX
    tab.context.close()


@pytest.mark.long
@pytest.mark.parametrize("theme", screens.THEMES)
def test_every_page_in_every_theme(theme: str, browser: Browser, world: DeskWorld) -> None:
    tab = opened(browser, world.link(), **screens.THEMES[theme])
    for page in screens.pages(world).values():
        check_page(tab, f"{world.base_url}/desk/{TENANT}/{page}", broker=False)
    assert tab.hosts == {world.base_url.split("/")[2]}
    tab.context.close()


@pytest.mark.long
def test_a_screenshot_is_made_of_every_page(browser: Browser, world: DeskWorld, tmp_path: Path) -> None:
    taken = screens.take(browser, world, "light", tmp_path)
    assert len(taken) == len(screens.pages(world))
    assert min(file.stat().st_size for file in taken) > 5000


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN_MS / 1000
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def check_settled_by_keyboard(browser: Browser, folder: Path, count: int) -> None:
    """Every case is shown once, and decided once, whatever was pressed in between."""
    with desk_world.running(folder, doubtful=count) as world:
        settled = keyboard.settle(browser, world)
        assert len(set(settled.cases)) == len(settled.cases) == count
        wait_until(lambda: len({each.sku for each in decided(world)}) == count)
        world.carry_out()
        assert cases.page(world.database, cases.Wanted(tenant=TENANT)).items == []
        approved = {each.sku: each.approved for each in decided(world)}
        rejected = sum("r" in keyboard.KEYS[number % len(keyboard.KEYS)] for number in range(count))
        assert sum(not each for each in approved.values()) == rejected


def test_a_reviewer_settles_cases_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    check_settled_by_keyboard(browser, tmp_path, 9)


@pytest.mark.long
def test_a_reviewer_settles_a_hundred_cases(browser: Browser, tmp_path: Path) -> None:
    check_settled_by_keyboard(browser, tmp_path, 100)


def test_what_was_decided_is_undone_before_anybody_hears_of_it(browser: Browser, tmp_path: Path) -> None:
    with desk_world.running(tmp_path, doubtful=2) as world:
        tab = opened(browser, world.link("reviewer"))
        page = tab.go(f"{world.base_url}/desk/{TENANT}/review")
        page.wait_for_selector("#review[data-case]")
        first = page.get_attribute("#review", "data-case")
        page.keyboard.press("a")
        page.wait_for_selector(f"#review:not([data-case='{first}'])")
        page.keyboard.press("u")
        page.wait_for_selector(f"#review[data-case='{first}']")
        page.keyboard.press("?")
        page.wait_for_selector("#legend[open]")
        page.keyboard.press("Escape")
        page.goto("about:blank")
        assert decided(world) == []
        tab.context.close()


def test_a_decision_on_its_way_is_not_lost_with_its_page(browser: Browser, tmp_path: Path) -> None:
    """A request that its page's end takes with it would be lost: the browser has to keep each alive."""
    with desk_world.running(tmp_path, doubtful=1) as world:
        tab = opened(browser, world.link("reviewer"))
        tab.page.add_init_script(
            "const send = window.fetch; window.sent = [];"
            "window.fetch = (at, how) => { window.sent.push([at, how?.keepalive]); return send(at, how); };"
        )
        page = tab.go(f"{world.base_url}/desk/{TENANT}/review")
        with page.expect_request("**/review/decide"):  # sent by its own timer, while the page is there
            page.keyboard.press("a")
        kept = [alive for address, alive in page.evaluate("window.sent") if address.endswith("/decide")]
        assert kept == [True]
        wait_until(lambda: len(decided(world)) == 1)
        tab.context.close()


def decided(world: DeskWorld) -> list[Any]:
    """What was decided, as the flow gets to hear of it."""
    events = [codec.decode(each.value) for each in world.recorder.records]
    return [each for each in events if isinstance(each, ReviewDecided)]


def test_who_is_not_a_reviewer_only_looks(browser: Browser, world: DeskWorld) -> None:
    tab = opened(browser, world.link("viewer"))
    page = tab.go(f"{world.base_url}/desk/{TENANT}/review")
    assert page.locator("#approve").count() == 0
    page.goto(f"{world.base_url}/desk/{TENANT}/product?sku={screens.SKU}")
    assert page.get_by_text("Take down").count() == 0
    assert decided(world) == []
    tab.context.close()


def test_what_changes_is_told_while_somebody_looks(browser: Browser, tmp_path: Path) -> None:
    with desk_world.running(tmp_path, doubtful=1) as world:
        tab = opened(browser, world.link("reviewer"))
        streams: list[str] = []
        tab.page.on("request", lambda each: streams.append(each.url) if each.resource_type == "eventsource" else None)
        page = tab.go(f"{world.base_url}/desk/{TENANT}/flow")
        assert "?parts=lanes,letters" in streams[0]
        tile = page.locator(".tile", has_text="to review").locator("b")
        before = tile.inner_text()
        requested_reviews(Flow(world.database), upsert(sku="NEW"))
        page.wait_for_function("before => document.querySelectorAll('.tile b')[2].textContent !== before", arg=before)
        assert violations(tab) == []
        page = tab.go(f"{world.base_url}/desk/{TENANT}/review")
        assert page.inner_text("#count") == "2 waiting"
        requested_reviews(Flow(world.database), upsert(sku="NEWER"))
        page.wait_for_selector("#count:has-text('3 waiting')")
        assert [each for each in tab.complaints if "Failed to load resource" not in each] == [], "but for pictures"
        tab.context.close()


PAGES = ("flow", "quality", "agreement", "model", "shelf", "products", "review", "assessments", "costs", "library")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_for_everybody(name: str, browser: Browser, world: DeskWorld) -> None:
    tab = opened(browser, world.link(), **screens.THEMES["dark"])
    check_page(tab, f"{world.base_url}/desk/{TENANT}/{name}", broker=False)
    tab.context.close()
