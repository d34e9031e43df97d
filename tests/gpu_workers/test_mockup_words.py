"""What words do to a mockup: which scene it is, its light, colours, props and variation; and what cannot be met."""

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from gpu_workers.library import scenes
from gpu_workers.library.scenes import Scene, load
from gpu_workers.operations.base import ComposeRequest, Library, compose, fingerprint
from gpu_workers.operations.mockup.mockup import Mockup, choose, mockup, scene_for
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.sources.decoding import Picture
from schemas import channels, wording
from schemas.channels import Size
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from schemas.wording import read
from tests.gpu_workers.mockups import channel
from tests.gpu_workers.products import mug
from tests.gpu_workers.scenes import write_scene

SHIPPED = {name: load(folder) for name, folder in scenes.find(scenes.shipped_folder()).items()}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A scene with two paints, which are its left half, and some tags."""
    paints = [{"name": name, "mask": "left.png", "colours": ["#808080"]} for name in ("wall", "floor")]
    folder = write_scene(tmp_path_factory.mktemp("scenes"), paints=paints, tags=["oak", "table", "window"])
    return load(folder)


def made(table: Scene, prompt: str, **wanted: str) -> Mockup:
    parameters = MockupParameters.parse({"background.prompt": prompt, "outputSize": "320x320", **wanted})
    return mockup([Product(mug(), 8.0)], table, channel(), parameters)


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("marble, soft light", "marble-vanity"),
        ("auf einem Tisch aus Eiche in der Küche", "oak-table-window"),
        ("plan de travail en pierre dans une cuisine lumineuse", "kitchen-counter"),
        ("en un jardín de verano", "stone-garden"),
        ("minimalistyczne studio, podest", "studio-podium"),
        ("desk in an office with pencils", "desk"),
        ("tiles with eucalyptus", "bathroom-shelf"),
        ("christmas evening on a shelf, cosy", "shelf-neighbours"),
    ],
)
def test_words_choose_the_scene(prompt: str, scene: str) -> None:
    assert choose(SHIPPED, "Home > Mugs", 10.0, reading=read(prompt)) == scene


def test_without_words_of_place_the_category_chooses() -> None:
    reading = read("warm evening light")
    assert choose(SHIPPED, "Home > Mugs", 10.0, reading=reading) in {
        name for name, scene in SHIPPED.items() if "mugs" in scene.suits
    } | {"oak-table-window"}


def test_a_place_that_no_scene_has_is_refused_by_name() -> None:
    with pytest.raises(BadParameters, match="no scene for this product has beach; there are: bathroom, ") as caught:
        choose(SHIPPED, "", 10.0, reading=read("on the beach, sunny"))
    assert caught.value.field == "background.prompt"
    with pytest.raises(BadParameters, match="has marble"):
        choose(SHIPPED, "", 90.0, reading=read("marble"))


def test_light_words_change_the_light(table: Scene) -> None:
    plain, dark, warm = (made(table, prompt, seed="0").bare for prompt in ("oak", "dark oak", "warm oak"))
    as_meant = made(table, "oak").bare.astype(int)
    assert np.array_equal(plain, as_meant)
    variation = {"lighting.mode": "none", "seed": "5"}
    light = [made(table, f"oak {word}", **variation).bare.mean(axis=(0, 1)) for word in ("", "dark", "warm", "cool")]
    assert light[1].sum() < 0.9 * light[0].sum()
    assert light[2][0] / light[2][2] > 1.02 * light[0][0] / light[0][2] > 1.04 * light[3][0] / light[3][2]
    assert dark.shape == warm.shape


def test_colours_paint_the_first_paints_that_are_free(table: Scene) -> None:
    plain, white, black = (
        made(table, f"oak {word}", seed="5", **{"lighting.mode": "none"}) for word in ("", "white", "black")
    )
    assert white.bare.mean() > plain.bare.mean() + 5 > black.bare.mean() + 10
    assert black.met == {"oak": True, "black": True}
    taken = made(table, "oak, black, white, blue", palette="wall:#808080")
    assert taken.met == {"oak": True, "black": True, "white": False, "blue": False}


def test_what_the_scene_cannot_show_is_told(table: Scene) -> None:
    met = made(table, "oak by the window, christmas, lemons, without candles, without oak").met
    assert met["window"]
    assert not met["christmas"]
    assert not met["lemons"]
    assert met["candle"]
    assert not met["oak"]


def test_props_are_there_or_not_as_words_say() -> None:
    scene = SHIPPED["kitchen-counter"]
    size = {"outputSize": "300x300", "framing": "context", "seed": "4"}
    with_them, without = (made(scene, f"kitchen {word} lemons", **size) for word in ("with", "without"))
    assert with_them.met == without.met == {"kitchen": True, "lemons": True}
    assert not np.array_equal(with_them.bare, without.bare)
    right = made(scene, "kitchen with lemons", place="right", **size)
    assert right.met == {"kitchen": True, "lemons": False}  # the product stands where they would lie


def test_the_same_wish_is_the_same_picture_in_every_language(table: Scene) -> None:
    one, two = made(table, "oak, morning"), made(table, "Morgen auf Eiche")
    assert np.array_equal(one.canvas, two.canvas)
    assert not np.array_equal(one.canvas, made(table, "oak, evening").canvas)
    assert not np.array_equal(one.canvas, made(table, "oak, morning", seed="3").canvas)


def test_every_tag_of_a_scene_that_ships_is_a_term_and_every_prop_has_words() -> None:
    terms = wording.vocabulary().terms
    for scene in SHIPPED.values():
        assert scene.tags
        assert set(scene.tags) <= terms.keys(), scene.name
        for prop in scene.props:
            assert terms[prop.name].kind == "props"


def test_the_measures_tell_of_every_word() -> None:
    found = composed({"background.prompt": "studio podium, beige, christmas, flamingo", "height_cm": "12"})
    assert found["words_unknown"] == 1
    words = {name: value for name, value in found.items() if name.startswith("words.")}
    assert words == {"words.studio": 1, "words.podium": 1, "words.beige": 1, "words.christmas": 0}
    assert not [name for name in composed({"scene": "studio-podium", "height_cm": "12"}) if name.startswith("words")]


def test_another_vocabulary_is_another_result(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(scenes=scenes.find(scenes.shipped_folder()))
    with_words, without = (
        ComposeRequest(channel(), {"scene": "desk", "height_cm": "12", **words}, library=library)
        for words in ({"background.prompt": "office"}, {})
    )
    before = [fingerprint("mockup", request) for request in (with_words, without)]
    monkeypatch.setattr(wording, "_text", lambda: b"another")
    after = [fingerprint("mockup", request) for request in (with_words, without)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def composed(parameters: Mapping[str, str]) -> dict[str, float]:
    rules = {"canvas": Size(300, 300), "smallest": Size(40, 40), "formats": ("png",)}
    small = msgspec.structs.replace(channels.load("shopify"), **rules)
    library = Library(scenes=scenes.find(scenes.shipped_folder()))
    cut_out = Picture(mug(), "image/png", 8, True, "", 1, 1)
    return compose("mockup", [cut_out], ComposeRequest(small, parameters, library=library)).measures


def test_a_scene_that_is_named_stays_and_words_are_held_to_it() -> None:
    parameters = MockupParameters.parse({"scene": "desk", "background.prompt": "marble", "height_cm": "12"})
    assert scene_for(scenes.find(scenes.shipped_folder()), parameters).name == "desk"
    assert mockup([Product(mug(), 12.0)], SHIPPED["desk"], channel(), parameters).met == {"marble": False}
