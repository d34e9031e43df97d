"""A screenshot of every page: `make screens`, light and dark, on a desk and on a tablet."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from streams.services import cases
from tests.streams.web import desk_world
from tests.streams.web.browsing import DESKTOP, TABLET, chromium, opened
from tests.streams.web.desk_world import CAMPAIGN, DeskWorld

SKU = "MUG-STONE-350"
PAGES = {
    "try": "try",
    "review": "review",
    "products": "products",
    "product": f"product?sku={SKU}",
    "campaigns": "campaigns",
    "campaign": f"campaign?name={CAMPAIGN}",
    "flow": "flow",
    "quality": "quality",
    "sample": "sample",
    "agreement": "agreement",
    "library": "library",
    "connectors": "connectors",
    "costs": "costs",
    "keys": "keys",
    "webhooks": "webhooks",
}
MEND = "mend"  # the page of the first case that waits


def pages(world: DeskWorld) -> dict[str, str]:
    """Every page, by name."""
    first, *_ = cases.page(world.database, cases.Wanted(tenant=desk_world.TENANT)).items
    return {**PAGES, MEND: f"mend?case={first.case_id}"}


LOOKS = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "tablet": {"viewport": TABLET, "color_scheme": "light"},
}


def take(browser: Browser, world: DeskWorld, look: str, folder: Path) -> list[Path]:
    """Screenshots of all pages in one look."""
    tab = opened(browser, world.link(), **LOOKS[look])
    taken = []
    for name, page in pages(world).items():
        tab.go(f"{world.base_url}/desk/{desk_world.TENANT}/{page}")
        taken.append(folder / f"{name}-{look}.png")
        tab.page.screenshot(path=str(taken[-1]), full_page=True)
    tab.context.close()
    return taken


def main(folder: Path) -> None:
    """Takes them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, desk_world.running(Path(data)) as world, chromium() as browser:
        for look in LOOKS:
            for file in take(browser, world, look, folder):
                print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
