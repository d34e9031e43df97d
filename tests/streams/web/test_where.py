"""Where a case's picture is in doubt, as the desk shows it."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from streams.runtime.errors import Refused
from streams.services.display.showing import Showing
from streams.services.review import cases
from streams.services.review.where import where
from streams.web.place import Place
from tests.servers import skip_or_fail
from tests.streams.web import desk_world
from tests.streams.web.browsing import NoBrowser, chromium, opened
from tests.streams.web.desk_world import TENANT, DeskWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    with desk_world.running(tmp_path_factory.mktemp("desk"), doubtful=2) as made:
        yield made


@pytest.mark.parametrize("what", [None, "edges", "colour", "text", "shadow"])
def test_each_doubt_is_drawn_over_the_picture(world: DeskWorld, what: str | None) -> None:
    first = cases.page(world.database, cases.Wanted(tenant=TENANT)).items[0]
    blobs = Place(world.settings, world.database, world.recorder, showing(world)).blobs
    drawn = where(world.settings, world.database, blobs, TENANT, first.case_id, first.picture.digest, what)  # type: ignore[arg-type]
    pixels = np.asarray(Image.open(io.BytesIO(drawn.data)).convert("RGB"), int)
    assert max(pixels.shape[:2]) > 500
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    assert (spread > 30).any() or what in ("text", "shadow"), "what is drawn is the only colour"
    assert (spread < 30).mean() > 0.2


def test_a_case_and_its_picture_are_ones_own(world: DeskWorld) -> None:
    first = cases.page(world.database, cases.Wanted(tenant=TENANT)).items[0]
    blobs = showing(world).blobs
    for tenant, digest, code in (
        ("other", first.picture.digest, "unknown_case"),
        (TENANT, "0" * 64, "unknown_picture"),
    ):
        with pytest.raises(Refused) as refused:
            where(world.settings, world.database, blobs, tenant, first.case_id, digest, "edges")
        assert refused.value.code == code


def test_one_key_shows_where(world: DeskWorld) -> None:
    try:
        with chromium() as browser:
            tab = opened(browser, world.link("reviewer"))
            page = tab.go(f"{world.base_url}/desk/{TENANT}/review")
            page.wait_for_selector("#review[data-case]")
            with page.expect_response("**/where?*") as answer:
                page.keyboard.press("w")
            assert answer.value.status == 200
            page.wait_for_selector("figcaption:has-text('Where')")
            assert page.get_attribute("#where", "aria-pressed") == "true"
            for _ in range(4):
                page.keyboard.press("w")
            page.wait_for_selector("#where[aria-pressed='false']")
            assert tab.complaints == []
            page.goto("about:blank")
    except NoBrowser as lacking:
        skip_or_fail(str(lacking))


def showing(world: DeskWorld) -> Showing:
    return Showing(world.settings)
