"""What the name says."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.library.scenes import Scene, load
from gpu_workers.operations.mockup.mockup import mockup
from gpu_workers.operations.mockup.scene_ground import ground_of, seen_from
from gpu_workers.operations.mockup.scene_layers import layers_of
from gpu_workers.operations.mockup.scene_placing import Product
from schemas.channels import Fill
from tests.gpu_workers.mockups import WHOLE, channel, made, measured, scene, with_parameters
from tests.gpu_workers.products import block, lamp, mug
from tests.gpu_workers.scenes import FOCAL_PX, FOOT, WALL_CM, WIDTH, px_per_cm, write_scene


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load(write_scene(tmp_path_factory.mktemp("scenes")))


def test_a_product_stands_on_its_place_at_its_real_size(table: Scene) -> None:
    picture = made(table, rgba=block(200, 200, (60, 40, 140, 160)))
    rows, columns = np.nonzero(picture.mask >= 128)
    assert rows.max() + 1 == pytest.approx(FOOT[1], abs=1)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(FOOT[0], abs=1)
    cosine = math.cos(math.radians(table.camera.elevation_deg))
    assert rows.max() + 1 - rows.min() == pytest.approx(12 * cosine * px_per_cm(FOOT[1]), abs=1.5)
    assert abs(measured(picture)["height_error"]) < 0.03


def test_a_taller_product_is_larger_and_a_farther_one_smaller(table: Scene) -> None:
    sizes = [made(table, height_cm=height).placement.scale for height in (6.0, 12.0)]
    assert sizes[1] == pytest.approx(2 * sizes[0])
    near = made(table, with_parameters(place="right"), height_cm=6.0).placement.scale
    assert near / sizes[0] == pytest.approx(px_per_cm(290) / px_per_cm(260), rel=0.01)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_product_pixels_are_those_of_the_cutout(table: Scene, seed: int) -> None:
    found = measured(made(table, with_parameters(seed=seed)))
    assert found["canvas_difference_max"] <= 2
    assert found["product_difference_max"] <= 2  # the file is lossless here
    assert found["product_pixels"] > 1000
    assert found["in_frame"] == 1


@pytest.mark.parametrize("azimuth_deg", [-150, -100, -60, -20, 30, 75, 120, 170])
def test_the_shadow_tells_where_the_light_is(tmp_path: Path, azimuth_deg: float) -> None:
    light = {"azimuth_deg": azimuth_deg, "elevation_deg": 40.0, "softness_deg": 12.0, "ambient": 0.4}
    found = measured(made(scene(tmp_path, light=light, factor=2), height_cm=14.0))
    assert found["shadow_azimuth_error_deg"] <= 10
    assert found["contact_darkening"] >= 0.08


def test_a_low_light_throws_a_longer_shadow_and_a_soft_one_has_softer_edges(tmp_path: Path) -> None:
    def shadow(**changes: float) -> NDArray[np.float32]:
        light = {"azimuth_deg": -60.0, "elevation_deg": 50.0, "softness_deg": 6.0, "ambient": 0.4} | changes
        return made(scene(tmp_path, light=light), height_cm=16.0).shadow

    def edge(shadow: NDArray[np.float32]) -> float:
        return float(np.abs(np.diff(shadow[190:250, 310:], axis=0)).max())

    assert (shadow(elevation_deg=30.0) > 0.3).mean() > 1.3 * (shadow() > 0.3).mean()
    assert edge(shadow(softness_deg=50.0)) < 0.5 * edge(shadow())


def test_a_shadow_takes_the_main_light_and_leaves_the_ambient(table: Scene) -> None:
    picture = made(table, with_parameters(lighting_mode="none"), height_cm=16.0)
    deepest = picture.shadow[:, WIDTH // 2 + 95 :].max()  # the key is 0.6 of the light; the sky is hidden a little too
    assert 0.55 < deepest < 0.75


def test_without_shadows_the_scene_is_as_it_was(table: Scene) -> None:
    picture = made(table, with_parameters(shadow_mode="none"))
    assert np.array_equal(picture.ground, picture.bare)
    assert not picture.shadow.any()
    assert "shadow_azimuth_deg" not in measured(picture)


def test_away_from_product_and_shadow_the_scene_is_untouched(table: Scene) -> None:
    picture = made(table, with_parameters(lighting_mode="none"))
    away = (picture.mask == 0) & (picture.shadow == 0)
    assert away.mean() > 0.5
    difference = np.abs(picture.canvas.astype(int) - layers_of(table).plate)[away]
    assert difference.max() <= 3  # noise apart, which is the product's
    assert np.array_equal(picture.canvas[away], picture.bare[away])


def test_a_wall_that_is_near_takes_the_shadow(tmp_path: Path) -> None:
    light = {"azimuth_deg": 0.0, "elevation_deg": 20.0, "softness_deg": 6.0, "ambient": 0.4}
    wall_px = 147  # rows above it are wall
    with_wall, without = (
        made(scene(tmp_path / str(depth), light=light, depth=depth), height_cm=30.0).shadow[:wall_px]
        for depth in ("depth.png", None)
    )
    assert (with_wall > 0.2).mean() > 0.02
    # On the wall the shadow stands upright: as wide above as below.
    widths = (with_wall > 0.2).sum(axis=1)
    widths = widths[widths > 0]
    assert widths[len(widths) // 3] > 0.7 * widths[-1]
    assert (without > 0.2).sum() != (with_wall > 0.2).sum()


def test_no_foot_is_over_the_edge(tmp_path: Path) -> None:
    folder, edge_px = write_scene(tmp_path, factor=2, depth="depth.png"), 525
    depth = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth is not None
    depth[edge_px:] = depth[edge_px]  # there the table ends
    whole = made(load(folder), rgba=lamp(), height_cm=20.0)
    cv2.imwrite(str(folder / "depth.png"), depth)
    ended = made(load(folder), rgba=lamp(), height_cm=20.0)
    lowest = [np.flatnonzero((picture.mask >= 128).any(axis=1))[-1] * 2 for picture in (whole, ended)]
    assert lowest[0] > edge_px + 2
    assert edge_px - 12 < lowest[1] <= edge_px
    assert measured(ended)["height_error"] < 0.03


def test_distances_and_the_ground_agree(tmp_path: Path) -> None:
    table = scene(tmp_path, depth="depth.png")
    layers = layers_of(table)
    assert layers.depth is not None
    points = seen_from(ground_of(table, WIDTH), (layers.depth / 10).astype(np.float32), FOCAL_PX)
    assert np.abs(points[270:, :, 2]).max() < 0.1
    x, y, w = np.linalg.inv(ground_of(table, WIDTH).to_picture()) @ (400.5, 300.5, 1.0)
    assert points[300, 400, :2] == pytest.approx([x / w, y / w], abs=0.1)
    assert points[20, 240, 1] == pytest.approx(WALL_CM, rel=0.05)
    assert points[20, 240, 2] > 20


def test_what_stands_in_front_hides_the_product(tmp_path: Path) -> None:
    left = {"name": "left", "x_px": 75.0, "y_px": 260.0, "width_cm": 20.0, "depth_cm": 3.0, "height_cm_max": 30.0}
    picture = made(scene(tmp_path, occluder="occluder.png", places=[left]))
    assert not picture.mask[:, :59].any()
    assert picture.mask[:, 61:].any()
    assert (picture.canvas[:, :59, 1] > picture.canvas[:, :59, 0]).all()
    found = measured(picture)
    assert 0.3 < found["visible_share"] < 0.7
    assert found["canvas_difference_max"] <= 2


def test_a_glossy_ground_mirrors_the_product(tmp_path: Path) -> None:
    near, far = ({"y_px": y, "px_per_cm": px_per_cm(y)} for y in (360, 200))
    red = block(200, 200, (60, 40, 140, 160))
    red[..., 1:3] = 0
    red[..., 0] = 220 * (red[..., 3] > 0)
    dull, glossy = (
        made(
            scene(tmp_path / str(gloss), surface={"near": near, "far": far, "gloss": gloss, "roughness": 0.1}), rgba=red
        )
        for gloss in (0.0, 0.4)
    )
    below = (slice(264, 300), slice(225, 255))
    assert (glossy.ground[below][..., 1].astype(int) < dull.ground[below][..., 1]).all()
    strength = dull.ground[below][..., 1].astype(int) - glossy.ground[below][..., 1]
    assert strength[:5].mean() > strength[-5:].mean() > 0


def test_two_products_and_the_nearer_one_in_front(table: Scene) -> None:
    picture = mockup([Product(mug(), 12.0), Product(mug(), 10.0)], table, channel(), WHOLE)
    first, second = picture.products
    assert (first.place, second.place) == ("middle", "right")
    assert second.ground.y_px > first.ground.y_px
    both = (first.hidden > 0) & (second.mask > 0)
    assert not (second.hidden > 1).any()
    assert (first.hidden > 0).sum() == both.sum()
    assert measured(picture)["canvas_difference_max"] <= 2


def test_a_small_product_is_seen_from_nearer_as_the_channel_wants(table: Scene) -> None:
    requests = channel(fill=Fill(min=0.6, target=0.7, max=0.9))
    far, near = (mockup([Product(mug(), 8.0)], table, rules, WHOLE) for rules in (channel(), requests))
    assert near.placement.scale > 1.2 * far.placement.scale
    assert near.scene_scale <= 1 / 0.6 + 0.01
