import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.library import scenes
from gpu_workers.library.scenes import BadScene, Scene

SHIPPED = scenes.find(scenes.shipped_folder())
SCALE_ERROR_MAX = 0.01  # depth is written in whole mm and through a lens without blur
KEY_OVER_PLATE_MAX = (3, 40)  # code values: where 999 of 1000 lie, and JPEG's ringing at hard edges


@pytest.fixture(params=sorted(SHIPPED))
def scene(request: pytest.FixtureRequest) -> Scene:
    return scenes.load(SHIPPED[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shipped scene's copy, to be spoilt."""
    return Path(shutil.copytree(SHIPPED["studio-podium"], tmp_path / "studio-podium"))


def layer(scene: Scene, file: str) -> NDArray[np.int64]:
    with Image.open(scene.folder / file) as picture:
        return np.asarray(picture).astype(np.int64)


def spoil(folder: Path, old: str, new: str) -> Path:
    text = (folder / scenes.FILE).read_text()
    assert old in text
    (folder / scenes.FILE).write_text(text.replace(old, new, 1))
    return folder


def test_ten_scenes_ship_for_what_merchants_sell() -> None:
    shipped = [scenes.load(folder) for folder in SHIPPED.values()]
    assert len(shipped) >= 10
    for category in ("Food & Drink > Oils", "Kitchen > Mugs", "Furniture > Chairs", "Shoes > Sneakers", "Bags > Totes"):
        assert any(scene.suits and scene.covers(category) for scene in shipped), category


def test_layers_are_of_one_size_and_kind(scene: Scene) -> None:
    plate = layer(scene, scene.plate)
    assert plate.shape[2] == 3
    assert plate.shape[0] * plate.shape[1] > 1_500_000
    for file in (scene.key, scene.depth, scene.occluder, *(paint.mask for paint in scene.paints)):
        if file:
            assert layer(scene, file).shape[:2] == plate.shape[:2], file
    for paint in scene.paints:
        mask = layer(scene, paint.mask)
        assert mask.ndim == 2
        assert mask.max() == 255


def test_an_occluder_leaves_the_places_free(scene: Scene) -> None:
    if scene.occluder:
        alpha = layer(scene, scene.occluder)[..., 3]
        assert 0.001 < (alpha > 0).mean() < 0.35
        main = scene.places[0]
        assert alpha[round(main.y_px), round(main.x_px)] == 0


def test_the_key_is_part_of_the_plate(scene: Scene) -> None:
    assert scene.key
    over = layer(scene, scene.key) - layer(scene, scene.plate)
    most, worst = KEY_OVER_PLATE_MAX
    assert np.percentile(over, 99.9) <= most
    assert over.max() <= worst


def test_the_main_light_reaches_the_main_place(scene: Scene) -> None:
    assert scene.key
    x_px, y_px = round(scene.places[0].x_px), round(scene.places[0].y_px)
    around = (slice(y_px - 10, y_px + 10), slice(x_px - 40, x_px + 40))
    assert layer(scene, scene.key)[around].mean() > 0.4 * layer(scene, scene.plate)[around].mean()
    assert 0.0 < scene.light.ambient < 0.9


def test_little_of_the_plate_is_clipped(scene: Scene) -> None:
    assert (layer(scene, scene.plate) >= 255).any(-1).mean() < 0.03


def test_the_room_of_every_place_is_in_the_picture(scene: Scene) -> None:
    height, width, _ = layer(scene, scene.plate).shape
    for place in scene.places:
        scale = scene.surface.px_per_cm(place.y_px)
        assert place.x_px - place.width_cm / 2 * scale >= 0, place.name
        assert place.x_px + place.width_cm / 2 * scale <= width, place.name
        assert 0 <= place.y_px - place.height_cm_max * scale < place.y_px < height, place.name
        assert scene.height_cm[0] < place.height_cm_max, place.name


def test_the_scale_of_two_rows_is_the_depth_layers(scene: Scene) -> None:
    assert scene.depth
    depth_mm = layer(scene, scene.depth)
    for place in scene.places:
        seen = scene.camera.focal_px * 10 / depth_mm[round(place.y_px), round(place.x_px)]
        assert seen == pytest.approx(scene.surface.px_per_cm(place.y_px), rel=SCALE_ERROR_MAX), place.name


def test_scale_is_linear_between_the_rows_and_beyond(scene: Scene) -> None:
    near, far = scene.surface.near, scene.surface.far
    assert scene.surface.px_per_cm(near.y_px) == pytest.approx(near.px_per_cm)
    assert scene.surface.px_per_cm(far.y_px) == pytest.approx(far.px_per_cm)
    middle = scene.surface.px_per_cm((near.y_px + far.y_px) / 2)
    assert middle == pytest.approx((near.px_per_cm + far.px_per_cm) / 2)


def test_props_fade_out_and_name_places_there_are(scene: Scene) -> None:
    height, width, _ = layer(scene, scene.plate).shape
    for prop in scene.props:
        patch = layer(scene, prop.file)
        assert prop.y_px + patch.shape[0] <= height
        assert prop.x_px + patch.shape[1] <= width
        assert patch[..., 3].max() == 255
        assert prop.key_file
        assert np.array_equal(layer(scene, prop.key_file)[..., 3], patch[..., 3])
        assert set(prop.hides_places) <= {place.name for place in scene.places}


def test_scenes_are_light_enough_to_ship() -> None:
    weights = [
        sum(file.stat().st_size for file in folder.iterdir()) for folder in (f.resolve() for f in SHIPPED.values())
    ]
    assert max(weights) <= 1_200_000
    assert sum(weights) <= 12_000_000


def test_a_later_folder_stands_in(folder: Path) -> None:
    found = scenes.find(scenes.shipped_folder(), folder.parent)
    assert found["studio-podium"] == folder
    assert found.keys() == SHIPPED.keys()


def test_a_missing_layer_is_named(folder: Path) -> None:
    (folder / "key.jpg").unlink()
    with pytest.raises(BadScene, match=r"studio-podium: the layer 'key\.jpg' is not in its folder"):
        scenes.load(folder)


def test_a_layer_outside_the_folder_is_not_read(folder: Path) -> None:
    shutil.copy(folder / "plate.jpg", folder.parent / "plate.jpg")
    with pytest.raises(BadScene, match=r"the layer '\.\./plate\.jpg'"):
        scenes.load(spoil(folder, "plate: plate.jpg", "plate: ../plate.jpg"))


def test_a_scene_bears_its_folders_name(folder: Path) -> None:
    with pytest.raises(BadScene, match="`name` is 'podium'"):
        scenes.load(spoil(folder, "name: studio-podium", "name: podium"))


def test_far_is_above_near(folder: Path) -> None:
    far = scenes.load(folder).surface.far.y_px
    with pytest.raises(BadScene, match=r"surface\.near\.y_px"):
        scenes.load(spoil(folder, f"far: {{y_px: {far}", "far: {y_px: 1600.0"))


def test_an_unknown_field_is_named(folder: Path) -> None:
    with pytest.raises(BadScene, match=r"studio-podium: .*`colour`"):
        scenes.load(spoil(folder, "kind: studio", "colour: red\nkind: studio"))


def test_a_folder_without_a_scene_is_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadScene, match="nowhere"):
        scenes.load(tmp_path / "nowhere")
