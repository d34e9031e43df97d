"""A recipe is previewed, released and changed while the system runs: just what it touches is made again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system import System, draw_product, running, upsert

pytestmark = pytest.mark.long

SPRING = """\
name: marketplace
version: 2
steps:
  - operation: cutout
    next:
      - {operation: packshot, each: channel}
      - {operation: packshot, channels: [shopify], asset: warm, parameters: {background.color: "#EFE7DB"}}
"""
DEFAULTS = """\
tenant: demo
version: 1
defaults:
  - {operation: packshot, channels: [instagram], parameters: {padding: 0.2}}
"""
TOGETHER = """\
name: together
version: 1
steps:
  - operation: cutout
    next:
      - operation: mockup
        each: channel
        parameters: {scene: oak-table-window, others: "JAR,TIN"}
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("recipes")
    for number, sku in enumerate(("JAR", "TIN", "BOX")):
        draw_product(folder / f"{sku}.png", (170 - 40 * number, 40, 60 + 50 * number))
    with running(folder, {"PACKSHOT_EMBEDDED_BROKER": "memory"}) as started:
        yield started


def release(system: System, text: str, *options: str) -> list[str]:
    """Releases a recipe or defaults; the products that are made again."""
    (system.folder / "file.yaml").write_text(text)
    view = system.json("recipes", "release", "file.yaml", *options)
    assert view["noted"] == ("--dry-run" not in options)
    return [product["sku"] for product in view["products"]]


def live(system: System, sku: str) -> dict[str, str]:
    """The digest of each asset of a product that is live."""
    assets = system.json("status", sku)["assets"]
    return {each["asset"]: each["live"]["file"]["sha256"] for each in assets if each["live"] is not None}


def test_a_release_makes_again_just_what_it_touches(system: System) -> None:
    channels = {"JAR": ["amazon", "shopify"], "TIN": ["amazon"], "BOX": ["instagram"]}
    sent = system.submit(*(upsert(sku, channels=wanted) for sku, wanted in channels.items()))
    assert {each["state"] for each in sent["submitted"]} == {"done"}
    before = {sku: live(system, sku) for sku in channels}

    assert release(system, SPRING, "--dry-run") == ["BOX", "JAR", "TIN"]  # it makes no transparent one any more
    assert release(system, SPRING) == ["BOX", "JAR", "TIN"]
    done = {"amazon-1": "published", "shopify-1": "published", "shopify-1.warm": "published"}
    system.wait_for("JAR", done)
    system.wait_for("TIN", {"amazon-1": "published"})
    system.wait_for("BOX", {"instagram-1": "published"})
    after = live(system, "JAR")
    assert after["amazon-1"] == before["JAR"]["amazon-1"]
    assert after["shopify-1.warm"] != after["shopify-1"] == before["JAR"]["shopify-1"]

    assert release(system, DEFAULTS) == ["BOX"]
    shown = system.json("recipes", "show", "marketplace", "--tenant", "demo", "--channel", "instagram")
    assert shown["steps"][1]["parameters"]["padding"] == {"value": "0.2", "said_by": "tenant"}
    system.wait_for("BOX", {"instagram-1": "published"})
    assert release(system, DEFAULTS) == ["BOX"], "told again it asks for the same"
    assert system.json("dead", "list") == []
    assert system.json("audit")["findings"] == []


def test_a_preview_is_a_page_of_known_products(system: System) -> None:
    system.run("preview", "marketplace", "JAR", "--out", "page.html")
    page = Path(system.folder / "page.html").read_text()
    assert "shopify-1.warm" in page


def test_a_bad_recipe_is_reported_with_its_line(system: System) -> None:
    (system.folder / "bad.yaml").write_text(SPRING.replace("each: channel", "each: day"))
    system.run("recipes", "check", "bad.yaml", status=1)
    system.run("recipes", "release", "bad.yaml", status=2)
    assert [row["version"] for row in system.json("recipes", "list") if row["name"] == "marketplace"] == [2]


def test_products_that_a_recipe_names_stand_in_one_scene(system: System) -> None:
    assert release(system, TOGETHER) == []
    system.submit(*(upsert(sku, version=2, attributes={"height_cm": "14"}) for sku in ("JAR", "TIN")))
    wanted = {"tenant": "demo", "recipe": "together", "channels": ["instagram"]}
    outcome = system.submit({"type": "CampaignRequested", "campaign": "pair", "skus": ["JAR", "TIN"], **wanted})
    assert {each["state"] for each in outcome["submitted"]} == {"done"}, outcome
    digests = {live(system, sku)["pair.instagram-1"] for sku in ("JAR", "TIN")}
    assert len(digests) == 2, "each is the main one in its own picture"
    assert system.json("audit")["findings"] == []
