"""A design without any transparency is printed on products of ours, from its catalogue event to the CDN."""

import io
from collections.abc import Iterator
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from tests.e2e.system import System, running, upsert

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("prints")
    y, x = np.mgrid[:1200, :1200]
    design = np.where(((x + y) // 150 % 2 == 0)[..., None], (210, 30, 50), (20, 90, 200)).astype(np.uint8)
    Image.fromarray(design).save(folder / "STRIPES.png")
    with running(folder, {"PACKSHOT_EMBEDDED_BROKER": "memory"}) as started:
        yield started


def test_an_opaque_design_becomes_pictures_of_printed_products(system: System) -> None:
    outcome = system.submit(upsert("STRIPES", channels=["amazon", "shopify"], recipe="prints"))
    (product,) = outcome["submitted"]
    assert product["state"] == "done", product
    states = {asset["asset"]: asset["state"] for asset in product["assets"]}
    assert states == {f"shopify-1.{name}": "published" for name in ("mug", "tshirt", "tote")}, "amazon takes no artwork"
    events = {event["asset"]: event for event in system.published() if event["type"] == "AssetPublished"}
    with urlopen(events["shopify-1.tote"]["file"]["url"], timeout=10) as answer:
        pixels = np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB")).astype(int)
    assert (pixels.max(axis=2) - pixels.min(axis=2) > 100).mean() > 0.05, "the print is on it"
    assert events["shopify-1.tote"]["models"] == [], "no network was asked"
    assert system.json("dead", "list") == []
    assert system.json("audit")["findings"] == []
