"""A case mends all of a product's pictures: a running system, a real cutout, a real browser.

The wire bowl on a busy table is the sample catalogue's worst cutout: what stands beside it is taken for product, and so
is what shows through its meshes. A person draws a box, two strokes along wires, and three across what shows through.
"""

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

from schemas.records import TaskCompleted
from streams.blobs import Blobs, open_store
from streams.facts import Database
from tests.e2e.asking import wait_until_ready
from tests.e2e.system import ROOT, System, running
from tests.servers import skip_or_fail
from tests.streams.web.browsing import NoBrowser, chromium, opened

CATALOGUE = ROOT / "loadtest" / "rendering" / "catalogue"
SKU = "BWL-WIRE-29"
NAME = f"{SKU}-busy"
CHANNELS = ["amazon", "google", "zalando", "shopify", "instagram"]
ASSETS = {*(f"{channel}-1" for channel in CHANNELS), "web-1"}
WITHIN_S = 1000.0
BETTER_TIMES = 8  # of the error of the cutout, to the truth
WIRE_PX, MESH_PX = 2, 3  # radii of strokes
# Along the rim and a ring; across the wall, the table's far end and the table behind. In px of the photograph.
WIRES = [[(290, 305), (350, 270), (460, 255), (580, 250)], [(310, 350), (420, 390), (560, 402), (700, 395)]]
MESHES = [[(300, 300), (840, 300)], [(340, 365), (820, 365)], [(420, 480), (740, 480)]]
Line = list[tuple[float, float]]
Alpha = NDArray[np.float32]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    around = {"PACKSHOT_EMBEDDED_BROKER": "memory", "PACKSHOT_SOURCE_FILE_ROOTS": str(CATALOGUE)}
    with running(tmp_path, around) as started:
        wait_until_ready(started)
        yield started


def truth() -> Alpha:
    """The bowl's own alpha (h, w), 0..1."""
    with Image.open(CATALOGUE / "truth" / f"{NAME}.png") as opened_one:
        return np.asarray(opened_one.convert("L"), np.float32) / np.float32(255)


def alpha_of(system: System, digest: str) -> Alpha:
    """The alpha (h, w) of a picture in the blob store, 0..1."""
    data = Blobs(open_store(f"file://{system.folder}/data/blobs", s3_endpoint=None)).get(digest)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), np.float32)[..., 3] / np.float32(255)


def wrong(alpha: Alpha) -> float:
    """How far an alpha is from the truth, mean over the picture."""
    return float(np.abs(alpha - truth()).mean())


def shares(points: NDArray[Any]) -> Line:
    height, width = truth().shape
    return [(float(x / width), float(y / height)) for x, y in points]


def frame() -> Line:
    """Two corners of a box about the bowl."""
    rows, columns = np.nonzero(truth() > 0.5)
    return shares(np.array([(columns.min() - 6, rows.min() - 6), (columns.max() + 6, rows.max() + 6)]))


def draw(page: Page, line: Line) -> None:
    """A stroke along places of the photograph, in shares of its width and height."""
    box = page.locator("#board").bounding_box()
    assert box is not None
    height, width = truth().shape
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    (x, y), *others = [(left + a * width * scale, top + b * height * scale) for a, b in line]
    page.mouse.move(x, y)
    page.mouse.down()
    for a, b in others or [(x, y)]:
        page.mouse.move(a, b)
    page.mouse.up()


def mark(page: Page) -> int:
    """A box about the bowl, strokes along wires, strokes across what shows through; how many marks that is."""
    page.keyboard.press("o")
    draw(page, frame())
    page.keyboard.press("l")
    for lines, radius_px in ((WIRES, WIRE_PX), (MESHES, MESH_PX)):
        widen(page, radius_px)
        for line in lines:
            draw(page, shares(np.array(line)))
        page.keyboard.press("x")
    return 1 + len(WIRES) + len(MESHES)


def widen(page: Page, radius_px: float) -> None:
    page.locator("#radius").fill(str(max(1, round(1000 * radius_px / max(truth().shape)))))


def waiting(system: System) -> dict[str, Any]:
    """The one case about the bowl's cutout, as soon as all of its pictures wait for it."""
    until = time.monotonic() + WITHIN_S
    while True:
        found = [each for each in system.json("review", "list", "--sku", SKU) if each["about"] == "cutout"]
        if found and found[0]["waiting"] == len(ASSETS):
            case: dict[str, Any] = found[0]
            return case
        assert time.monotonic() < until, system.log()
        time.sleep(2)


def mended(page: Page, case_id: str) -> None:
    """Marks the case's photograph, looks at what comes of it, and sends it."""
    page.goto(page.url.replace("/try", f"/mend?case={case_id}"))
    page.wait_for_selector("#mend[data-ready]")
    marks = mark(page)
    page.wait_for_selector(f"#mend[data-marks='{marks}']")
    page.keyboard.press("p")
    page.wait_for_selector("#mend[data-seen='cutout']", timeout=WITHIN_S * 1000)
    page.fill("#reason", "the meshes")
    page.click("#send")
    page.wait_for_url("**/review")


@pytest.mark.long
def test_marks_on_the_wire_bowl_mend_all_its_pictures(system: System) -> None:
    (line,) = [each for each in (CATALOGUE / "catalogue.jsonl").read_text().splitlines() if SKU in each]
    event = {**json.loads(line), "sources": [{"uri": str(CATALOGUE / "photographs" / f"{NAME}.jpg")}]}
    file = system.folder / "bowl.jsonl"
    file.write_text(json.dumps(event))
    system.run("submit", str(file))
    case = waiting(system)
    before = alpha_of(system, case["cutout"]["digest"])
    link = system.run("desk", "link", "--tenant", "demo", "--name", "ada", "--role", "reviewer").strip()
    try:
        with chromium() as browser:
            mended(opened(browser, link).page, case["case_id"])
    except NoBrowser as lacking:
        skip_or_fail(str(lacking))
    settle_others(system)
    system.wait_for(SKU, dict.fromkeys(ASSETS, "published"), within_s=WITHIN_S)
    assets = system.json("status", SKU)["assets"]
    assert all(each["disclosure"]["approved_by"].startswith("desk/ada") for each in assets)
    (transparent,) = [each for each in assets if each["asset"] == "web-1"]
    with urllib.request.urlopen(transparent["url"], timeout=60) as answer:
        (system.folder / "mended.png").write_bytes(answer.read())
    first, again = cutouts(system)
    (after,) = again.outputs
    assert wrong(before) > BETTER_TIMES * wrong(alpha_of(system, after.digest))
    assert engine_ms(first) > 0
    assert engine_ms(again) == 0, "no network is asked again what it was asked for the first cutout"


def settle_others(system: System) -> None:
    """What else is in doubt once the cutout is made anew is another cause: wood looks like skin.

    No picture waits for its cutout any more.
    """
    until = time.monotonic() + WITHIN_S
    while {each["state"] for each in system.json("status", SKU)["assets"]} - {"review", "published"}:
        assert time.monotonic() < until, system.log()
        time.sleep(2)
    others = system.json("review", "list", "--sku", SKU)
    assert "cutout" not in {each["about"] for each in others}
    for each in others:
        system.run("review", "approve", "--case", each["case_id"], "--by", "desk/ada", "--why", "that is wood")


def cutouts(system: System) -> list[TaskCompleted]:
    """The cutouts that were made, in their order."""
    database = Database(f"sqlite:///{system.folder}/data/facts.db")
    with database.read() as facts:
        tasks = [each.record for each in facts.tasks.of("demo", SKU, 1) if each.operation == "cutout"]
    database.close()
    done = [each for each in tasks if isinstance(each, TaskCompleted)]
    return sorted(done, key=lambda each: each.task.origin is not None and each.task.origin.retouch)


def engine_ms(event: TaskCompleted) -> float:
    return sum(each.engine_ms for each in event.costs.values())
