"""Mockups: seeds, lights and paints of a scene, what is refused, and which scene is chosen."""

from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.library.scenes import BadScene, Scene, load
from gpu_workers.operations.mockup.harmonising import lit_from
from gpu_workers.operations.mockup.mockup import choose, mockup, scene_for
from gpu_workers.operations.mockup.scene_layers import fingerprint, layers_of
from gpu_workers.operations.mockup.scene_placing import Product, without_fringe
from gpu_workers.operations.mockup.scene_variation import variation_of
from gpu_workers.operations.mockup.standing import stance
from gpu_workers.operations.packshot.packshot import EmptyCutout
from schemas.channels import Size
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from tests.gpu_workers.mockups import WHOLE, channel, made, measured, scene, with_parameters
from tests.gpu_workers.products import block, mug, wide, with_own_shadow
from tests.gpu_workers.scenes import HEIGHT, write_scene


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load(write_scene(tmp_path_factory.mktemp("scenes")))


def test_a_product_that_was_lit_from_the_right_turns_the_scene(table: Scene) -> None:
    rgba = mug()
    shade = np.linspace(0.6, 1.3, rgba.shape[1])[None, :, None]
    right = rgba.copy()
    right[..., :3] = np.clip(np.full_like(rgba[..., :3], 120) * shade, 0, 255)
    left = np.ascontiguousarray(right[:, ::-1])
    assert (lit_from(left), lit_from(right), lit_from(block(200, 200, (60, 40, 140, 160)))) == (-1, 1, 0)
    for seed in range(1, 5):
        assert made(table, with_parameters(seed=seed), rgba=right).light.azimuth_deg == 60
        assert made(table, with_parameters(seed=seed), rgba=left).light.azimuth_deg == -60
    assert made(table, rgba=right).light.azimuth_deg == -60  # seed 0 is the scene as it was meant


def test_an_edge_loses_the_background_it_was_photographed_on() -> None:
    rgba = block(60, 60, (20, 20, 40, 40), 60)
    rgba[20:40, 19] = (250, 250, 250, 128)
    rgba[10, 5:50] = (250, 250, 250, 128)  # a wire: nothing solid beside it
    clean = without_fringe(rgba)
    assert (clean[20:40, 19] == (60, 60, 60, 128)).all()
    assert np.array_equal(clean[10], rgba[10])
    assert np.array_equal(clean[20:40, 20:40], rgba[20:40, 20:40])


def test_the_same_seed_gives_the_same_bytes_and_another_another_picture(table: Scene) -> None:
    one, two, other = (made(table, with_parameters(seed=seed)).canvas for seed in (7, 7, 8))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_seed_nought_is_the_scene_as_it_was_meant() -> None:
    variation = variation_of(0)
    assert not variation.mirrored
    assert variation.crop[0] == 1
    assert (variation.key == 1).all()
    assert (variation.ambient == 1).all()
    assert not variation.moved.any()


def test_a_mirrored_scene_has_its_light_on_the_other_side(table: Scene) -> None:
    mirrors = [seed for seed in range(1, 20) if variation_of(seed).mirrored]
    box = block(200, 200, (60, 40, 140, 160))
    found = [measured(made(table, with_parameters(seed=seed), 9.0, box)) for seed in mirrors[:2]]
    assert all(each["shadow_azimuth_deg"] == pytest.approx(60, abs=10) for each in found)


def test_a_seed_moves_light_crop_and_product(table: Scene) -> None:
    variations = [variation_of(seed) for seed in range(1, 40)]
    assert min(one.crop[0] for one in variations) >= 0.8
    assert max(one.crop[0] for one in variations) <= 1
    assert len({one.mirrored for one in variations}) == 2
    assert all((np.abs(one.key / one.key.mean() - 1) < 0.05).all() for one in variations)
    feet = {round(made(table, with_parameters(seed=seed)).products[0].ground.x_px) for seed in range(1, 5)}
    assert len(feet) > 2


def test_paints_take_other_colours_and_keep_their_shading(tmp_path: Path) -> None:
    paint = {"name": "wall", "mask": "left.png", "colours": ["#C0C0C0", "#806040"]}
    table = scene(tmp_path, paints=[paint])
    own = made(table, with_parameters(lighting_mode="none", shadow_mode="none")).bare.astype(int)
    blue = made(table, with_parameters(palette="wall:#3050C0", lighting_mode="none", shadow_mode="none")).bare.astype(
        int
    )
    assert (blue[:, :230, 0] < own[:, :230, 0]).all()
    assert np.abs(blue[:, 250:] - own[:, 250:]).max() <= 3
    shading = np.corrcoef(blue[:, :230, 1].ravel(), own[:, :230, 1].ravel())[0, 1]
    assert shading > 0.98


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"seed": "-1"}, "seed"),
        ({"height_cm": "tall"}, "height_cm"),
        ({"height_cm": "0"}, "height_cm"),
        ({"shadow.mode": "soft"}, "shadow.mode"),
        ({"outputSize": "10"}, "outputSize"),
        ({"padding": "0.1"}, "padding"),
    ],
)
def test_bad_parameters_are_named(values: dict[str, str], field: str) -> None:
    with pytest.raises(BadParameters, match=f"`{field}`") as caught:
        MockupParameters.parse(values)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "height_cm", "says", "field"),
    [
        ({}, None, "must be known", "height_cm"),
        ({}, 60.0, "up to 35 cm, not for 60", "height_cm"),
        ({"place": "shelf"}, 12.0, "there are: middle, right", "place"),
        ({"palette": "wall=red"}, 12.0, "paint:#RRGGBB", "palette"),
        ({"palette": "floor:#102030"}, 12.0, "it has none", "palette"),
        ({"output_size": "100x2000"}, 30.0, "cannot show", "outputSize"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(
    table: Scene, changes: dict[str, Any], height_cm: float | None, says: str, field: str
) -> None:
    with pytest.raises(BadParameters, match=says) as caught:
        mockup([Product(mug(), height_cm)], table, channel(), with_parameters(**changes))
    assert caught.value.field == field


def test_a_product_wider_than_its_place_is_refused(table: Scene) -> None:
    flat = block(400, 100, (10, 40, 390, 60))
    with pytest.raises(BadParameters, match="40 cm wide"):
        made(table, rgba=flat)


def test_nothing_opaque_is_refused(table: Scene) -> None:
    with pytest.raises(EmptyCutout):
        made(table, rgba=np.zeros((64, 64, 4), np.uint8))


def test_more_products_than_places_are_refused(table: Scene) -> None:
    with pytest.raises(BadScene, match="places for 2 products"):
        mockup([Product(mug(), 9.0)] * 3, table, channel(), WHOLE)


def test_sixteen_bits_give_the_same_picture(table: Scene) -> None:
    deep = wide(mug())
    one, two = (mockup([Product(rgba, 12.0)], table, channel(), WHOLE) for rgba in (mug(), deep))
    assert np.abs(one.canvas.astype(int) - eight_bit(two.canvas)).max() <= 1


def test_the_suppliers_shadow_is_taken_off(table: Scene) -> None:
    picture = made(table, rgba=with_own_shadow(mug()))
    assert picture.products[0].own_shadow > 0.05
    assert picture.placement.scale == pytest.approx(made(table).placement.scale, rel=0.02)


def test_the_canvas_shrinks_before_pixels_are_enlarged(table: Scene) -> None:
    rules = channel(canvas=Size(2000, 2000), scale_max=1.0)
    picture = mockup([Product(mug(), 12.0)], table, rules, MockupParameters(framing="context"))
    assert picture.canvas.shape[0] <= HEIGHT
    assert picture.scene_scale <= 1.001
    assert measured(picture)["scale"] <= 1.001


def test_the_product_may_come_towards_the_scene_by_a_median_of_two(table: Scene) -> None:
    dark = msgspec.structs.replace(table, light=table.light)
    bright = block(200, 200, (60, 40, 140, 160), 235)
    found = measured(made(dark, with_parameters(lighting_mode="both"), rgba=bright))
    assert 0.5 < found["product_delta_e_median"] <= 2.05


def test_the_scene_takes_the_products_noise(table: Scene) -> None:
    rng = np.random.default_rng(5)
    noisy, clean = block(200, 200, (40, 40, 160, 160), 128), block(200, 200, (40, 40, 160, 160), 128)
    noisy[..., :3] = np.clip(noisy[..., :3] + rng.normal(0, 4, (200, 200, 1)), 0, 255)
    roughness = [
        np.abs(np.diff(made(table, rgba=rgba).bare[:100, :, 1].astype(int), axis=1)).mean() for rgba in (clean, noisy)
    ]
    assert roughness[1] > roughness[0] + 0.5


def test_a_box_a_bottle_and_four_legs_stand_as_they_do() -> None:
    box = stance(block(100, 100, (20, 20, 80, 90))[..., 3])
    assert box.rise_px == 0
    assert box.foot_px == (20, 80)
    chair = block(100, 200, (20, 20, 80, 100))
    for left, bottom in ((20, 180), (34, 165), (60, 165), (74, 180)):
        chair[100:bottom, left : left + 6] = (90, 90, 90, 255)
    legs = stance(chair[..., 3])
    assert [bool(legs.stands[column]) for column in (23, 30, 37, 50, 63, 77)] == [True, False, True, False, True, True]
    assert legs.contact[37] == 165
    assert legs.contact[23] == 180


def test_the_narrowest_word_for_a_category_chooses_the_scene(tmp_path: Path) -> None:
    suits = {"bath": ["glass"], "floor": ["home"], "kitchen": ["kitchen", "glass"], "sofa": ["cushions"]}
    scenes = {name: load(write_scene(tmp_path, name=name, suits=words)) for name, words in suits.items()}
    assert choose(scenes, "Home > Cushions", 20.0) == "sofa"
    assert choose(scenes, "Home > Rugs", 20.0) == "floor"
    assert choose(scenes, "Kitchen > Glassware", 20.0) == "kitchen"
    assert choose(scenes, "Gifts > Glassware", 20.0) == "bath"
    assert {choose(scenes, "Home > Cushions", 20.0, seed) for seed in range(9)} == {"floor", "sofa"}


def test_scenes_are_chosen_by_height_and_words(tmp_path: Path) -> None:
    folders = {
        name: write_scene(tmp_path, name=name, suits=suits, height_cm=heights)
        for name, suits, heights in (
            ("bench", ["garden"], [3.0, 30.0]),
            ("floor", [], [30.0, 120.0]),
            ("shelf", [], [3.0, 30.0]),
        )
    }
    scenes = {name: load(folder) for name, folder in folders.items()}
    assert choose(scenes, "Home & Garden", 20.0) == "bench"
    assert choose(scenes, "Kitchen", 20.0) == "shelf"
    assert choose(scenes, "Kitchen", 80.0) == "floor"
    assert {choose(scenes, "Kitchen", 30.0, seed) for seed in range(9)} == {"floor", "shelf"}
    with pytest.raises(BadScene, match="bench, floor, shelf"):
        choose(scenes, "Kitchen", 300.0)
    with pytest.raises(BadScene, match="of 20 cm and 9 beside it"):
        choose(scenes, "Kitchen", 20.0, count=10)
    assert scene_for(folders, MockupParameters(height_cm=80.0)).name == "floor"
    with pytest.raises(BadScene, match="no scene is called 'beach'; there are: bench, floor, shelf"):
        scene_for(folders, MockupParameters(scene="beach"))
    with pytest.raises(BadParameters, match="height_cm"):
        scene_for(folders, MockupParameters())


def test_layers_are_decoded_once_until_a_file_changes(tmp_path: Path) -> None:
    table = scene(tmp_path, key=None)
    before, first = fingerprint(table.folder, table), layers_of(table)
    assert layers_of(table) is first
    plate = table.folder / "plate.png"
    plate.write_bytes((table.folder / "key.png").read_bytes())
    assert fingerprint(table.folder, table) != before
    assert not np.array_equal(layers_of(table).plate, first.plate)


def test_a_layer_of_another_size_is_named(tmp_path: Path) -> None:
    table = scene(tmp_path)
    small = write_scene(tmp_path / "small", factor=0.5)
    (table.folder / "key.png").write_bytes((small / "key.png").read_bytes())
    with pytest.raises(BadScene, match=r"table: the layer 'key.png' is not as large as the plate"):
        made(table)


def test_a_prop_gives_way_to_a_product_on_its_place(tmp_path: Path) -> None:
    prop = {"name": "pot", "file": "pot.png", "x_px": 330, "y_px": 200, "hides_places": ["right"]}
    folder = write_scene(tmp_path, props=[prop])
    pot = np.full((60, 40, 4), (30, 60, 200, 255), np.uint8)
    cv2.imwrite(str(folder / "pot.png"), pot)
    table = load(folder)
    there, gone = (
        made(table, with_parameters(lighting_mode="none", shadow_mode="none", place=place), height_cm=6.0).bare
        for place in ("middle", "right")
    )
    assert (there[210:250, 335:365, 0] == 200).all()
    assert (gone[210:250, 335:365, 0] != 200).all()
