"""A screenshot of every page: `make screens`, light and dark, on a desk and on a tablet, or in some of these looks."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_type_hints

from litestar import Response
from playwright.sync_api import Browser

from streams.services.review import cases
from streams.web.routes import ROUTES
from tests.streams.web import desk_world
from tests.streams.web.browsing import DESKTOP, TABLET, chromium, opened
from tests.streams.web.desk_world import CAMPAIGN, DeskWorld

SKU = "MUG-STONE-350"
TENANT_PATH = "/desk/{tenant:str}/"


def names() -> list[str]:
    """Every page that the desk has, by its routes: what answers HTML and is no part of another page."""
    found = []
    for handler in ROUTES:
        returned = get_type_hints(handler.fn).get("return")
        for path in handler.paths:
            name = path.removeprefix(TENANT_PATH)
            if "GET" in handler.http_methods and returned == Response[str] and path != name and "/" not in name:
                found.append(name)
    return found


def pages(world: DeskWorld) -> dict[str, str]:
    """The address of every page, by name; of a page about one thing, that of the first that there is."""
    first, *_ = cases.page(world.database, cases.Wanted(tenant=desk_world.TENANT)).items
    about = {
        "product": f"sku={SKU}",
        "campaign": f"name={CAMPAIGN}",
        "mend": f"case={first.case_id}",
        "recipe": "name=marketplace",
    }
    return {name: f"{name}?{about[name]}" if name in about else name for name in names()}


THEMES = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "tablet": {"viewport": TABLET, "color_scheme": "light"},
    "tablet-dark": {"viewport": TABLET, "color_scheme": "dark"},
}


def take(browser: Browser, world: DeskWorld, theme: str, folder: Path) -> list[Path]:
    """Screenshots of all pages in one look."""
    tab = opened(browser, world.link(), **THEMES[theme])
    taken = []
    for name, page in pages(world).items():
        tab.go(f"{world.base_url}/desk/{desk_world.TENANT}/{page}")
        taken.append(folder / f"{name}-{theme}.png")
        tab.page.screenshot(path=str(taken[-1]), full_page=True)
    tab.context.close()
    return taken


def main(folder: Path, themes: Sequence[str]) -> None:
    """Takes them in these looks."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, desk_world.running(Path(data)) as world, chromium() as browser:
        for theme in themes:
            for file in take(browser, world, theme, folder):
                print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(THEMES))
