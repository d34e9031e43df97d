"""Recipes on this machine, without a broker: what `packshot preview` does."""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from schemas.operations import OPERATIONS
from schemas.operations.base import Parameters
from schemas.records import CatalogChanged
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases.preview import Wanted, preview
from tests.e2e.system import draw_product, upsert

pytestmark = pytest.mark.usefixtures("reads_nothing")
RECIPE = """\
name: spring
version: 1
steps:
  - operation: cutout
    next:
      - {operation: packshot, each: channel, parameters: {padding: 0.15}}
      - {operation: transparent, channel: web}
"""


class Mockup(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts here of a mockup's parameters."""

    height_cm: float | None = None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, colour in (("jar", (170, 40, 60)), ("tin", (40, 90, 170))):
        draw_product(tmp_path / f"{name}.png", colour)
    (tmp_path / "spring.yaml").write_text(RECIPE)
    return Settings(data_folder=tmp_path / "data")


def database(folder: Path, *events: dict[str, object]) -> Path:
    file = folder / "catalogue.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return file


def outcomes(settings: Settings, wanted: Wanted, target: Path) -> dict[str, str]:
    entries = preview(settings, wanted, target, lambda _done, _total: None)
    return {picture.asset: picture.outcome for entry in entries for picture in entry.pictures}


def test_a_preview_shows_every_picture_with_its_verdict_and_parameters(settings: Settings, tmp_path: Path) -> None:
    file = database(tmp_path, upsert("jar", channels=["instagram", "amazon"]), upsert("tin"))
    seen: list[tuple[int, int]] = []
    wanted = Wanted(str(tmp_path / "spring.yaml"), ["jar"], file)
    target = tmp_path / "new" / "page.html"
    entries = preview(settings, wanted, target, lambda *progress: seen.append(progress))
    assert {each.asset: each.outcome for each in entries[0].pictures} == {
        "instagram-1": "pass",
        "amazon-1": "fail",  # 70 % of the canvas is too little there
        "web-1": "pass",
    }
    assert (seen[0], seen[-1]) == ((0, 3), (3, 3))
    page = target.read_text()
    assert len(re.findall(r"<img [^>]*data:image", page)) == 3
    assert page.count("background-image:url(data:image") == 1
    assert re.search(r"fill is 0\.\d+, the limit ≥ 0.85", page)
    assert "<tr><th>padding</th><td>0.15</td>" in page
    assert "<tr class=ruled><th>shadow.mode</th><td>soft</td>" in page
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:|//|/)", page), "the page asks nobody for anything"


def test_the_same_products_give_the_same_page(settings: Settings, tmp_path: Path) -> None:
    wanted = Wanted(str(tmp_path / "spring.yaml"), ["jar"], database(tmp_path, upsert("jar")))
    pages = []
    for name in ("a.html", "b.html"):
        preview(settings, wanted, tmp_path / name, lambda *_: None)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_what_cannot_be_made_stands_on_the_page(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATIONS, "mockup", dataclasses.replace(OPERATIONS["mockup"], parameters=Mockup))
    (tmp_path / "spring.yaml").write_text(RECIPE + "      - {operation: mockup, each: channel, asset: lifestyle}\n")
    gone = upsert("gone", channels=["shopify"])
    file = database(tmp_path, upsert("jar", channels=["shopify"]), gone)
    wanted = Wanted(str(tmp_path / "spring.yaml"), ["jar", "gone"], file)
    entries = preview(settings, wanted, tmp_path / "page.html", lambda *_: None)
    jar, nothing = ({each.asset: each for each in entry.pictures} for entry in entries)
    assert jar["shopify-1"].outcome == "pass"
    assert jar["shopify-1.lifestyle"].why.startswith("missing_attribute (attributes.height_cm)")
    assert {each.outcome for each in nothing.values()} == {"none"}
    assert "missing_attribute (attributes.height_cm)" in (tmp_path / "page.html").read_text()


def test_known_products_are_seen_by_the_recipes_of_the_facts(settings: Settings, tmp_path: Path) -> None:
    source = {"uri": (tmp_path / "jar.png").as_uri()}
    facts = Database(settings.database)
    facts.create_tables()
    with facts.begin() as writing:
        writing.products.put(_event(upsert("jar", sources=[source])))
    facts.close()
    wanted = Wanted("marketplace", ["jar"], channels=["shopify"])
    assert outcomes(settings, wanted, tmp_path / "page.html") == {"shopify-1": "pass", "web-1": "pass"}


def _event(fields: dict[str, object]) -> CatalogChanged:
    return msgspec.convert(fields, CatalogChanged)


@pytest.mark.parametrize(
    ("recipe", "skus", "channels", "code"),
    [
        ("nope", ["jar"], [], "unknown_recipe"),
        ("marketplace", ["nope"], [], "unknown_sku"),
        ("marketplace", ["jar"], ["bazaar"], "unknown_channel"),
        ("bad.yaml", ["jar"], [], "bad_recipe"),
        ("missing.yaml", ["jar"], [], "bad_recipe"),
    ],
)
def test_what_cannot_be_previewed_is_refused(
    settings: Settings, tmp_path: Path, recipe: str, skus: Sequence[str], channels: Sequence[str], code: str
) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad")
    recipe = str(tmp_path / recipe) if recipe.endswith(".yaml") else recipe
    with pytest.raises(Refused) as caught:
        outcomes(settings, Wanted(recipe, skus, database(tmp_path, upsert("jar")), channels=channels), tmp_path / "x")
    assert caught.value.code == code
