"""How near mockups are taken, where in the frame the product is, and what is out of focus."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gpu_workers.library.scenes import Scene, load
from gpu_workers.operations.mockup.mockup import Mockup, mockup
from gpu_workers.operations.mockup.scene_focus import defocused
from gpu_workers.operations.mockup.scene_placing import Product
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters
from tests.gpu_workers.mockups import channel, measured
from tests.gpu_workers.products import block
from tests.gpu_workers.scenes import ELEVATION_DEG, FOCAL_PX, write_scene

TALL = block(200, 200, (80, 40, 120, 160))
WIDE = block(200, 200, (10, 90, 190, 130))
LENS = {"elevation_deg": ELEVATION_DEG, "focal_px": FOCAL_PX * 2, "focus_cm": 140.0, "f_number": 2.8}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A scene of 960 x 720 px that knows its lens and its distances."""
    return load(write_scene(tmp_path_factory.mktemp("scenes"), factor=2, camera=LENS, depth="depth.png"))


def made(table: Scene, height_cm: float = 12.0, rgba: np.ndarray[Any, Any] = TALL, **wanted: str) -> Mockup:
    parameters = MockupParameters.parse({"outputSize": "320x320", **wanted})
    return mockup([Product(rgba, height_cm)], table, channel(), parameters)


def box(picture: Mockup) -> tuple[float, float, float, float]:
    """Where the product is, as shares of the canvas: left, top, right, bottom."""
    rows, columns = (np.flatnonzero((picture.mask >= 128).any(axis=axis)) for axis in (1, 0))
    height, width = picture.mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


@pytest.mark.parametrize("height_cm", [9.0, 12.0, 20.0])
@pytest.mark.parametrize("seed", ["0", "1", "2", "7"])
def test_a_hero_takes_half_of_the_height(table: Scene, height_cm: float, seed: str) -> None:
    picture = made(table, height_cm, seed=seed)
    assert 0.45 <= measured(picture)["height_share"] <= 0.65
    assert measured(picture)["in_frame"] == 1


def test_context_shows_the_room_and_detail_the_product(table: Scene) -> None:
    shares = [measured(made(table, framing=framing))["height_share"] for framing in ("context", "hero", "detail")]
    assert shares[0] < 0.3 < shares[1] < 0.66 < shares[2] < 0.9


def test_a_product_that_is_wide_keeps_its_margins(table: Scene) -> None:
    left, _, right, _ = box(made(table, 5.0, WIDE))
    assert left > 0.1
    assert right < 0.9
    assert 0.65 < right - left < 0.75


def test_a_product_as_high_as_the_scene_is_shown_as_it_can_be(table: Scene) -> None:
    picture = made(table, 30.0)
    assert measured(picture)["in_frame"] == 1
    assert measured(picture)["height_share"] > 0.5


def test_no_frame_is_so_near_that_the_plate_is_all_blur(table: Scene) -> None:
    picture = made(table, 1.0)
    assert measured(picture)["height_share"] < 0.3
    assert picture.scene_scale <= 320 / (0.22 * 720) + 0.02


@pytest.mark.parametrize("framing", ["hero", "context"])
@pytest.mark.parametrize("side", ["left", "right", "top"])
def test_there_is_room_for_words(table: Scene, side: str, framing: str) -> None:
    left, top, right, bottom = box(made(table, copySpace=side, framing=framing))
    assert {"left": left, "right": 1 - right, "top": top}[side] >= 0.3
    assert min(left, top, 1 - right, 1 - bottom) > 0.01


def test_words_are_refused_where_there_is_no_room(tmp_path: Path) -> None:
    place = {"name": "edge", "x_px": 130.0, "y_px": 520.0, "width_cm": 20.0, "depth_cm": 3.0, "height_cm_max": 35.0}
    scene = load(write_scene(tmp_path, factor=2, places=[place]))
    with pytest.raises(BadParameters, match="no room for words at the left") as caught:
        made(scene, 20.0, copySpace="left")
    assert caught.value.field == "copySpace"
    assert made(scene, 20.0, copySpace="right").mask.any()


@pytest.mark.parametrize("framing", ["hero", "context"])
def test_for_words_nothing_is_pushed_out_of_the_frame(table: Scene, framing: str) -> None:
    for height_cm in (7.0, 7.6):
        picture = made(table, height_cm, WIDE, copySpace="left", framing=framing)
        assert measured(picture)["in_frame"] == 1
        assert box(picture)[0] >= 0.3
    with pytest.raises(BadParameters, match="`copySpace`"):
        made(table, 8.8, WIDE, copySpace="left", framing=framing)


@pytest.mark.parametrize(("azimuth_deg", "middle"), [(-60.0, 1 / 3), (60.0, 2 / 3)])
def test_in_a_wide_frame_the_shadow_has_two_thirds(tmp_path: Path, azimuth_deg: float, middle: float) -> None:
    light = {"azimuth_deg": azimuth_deg, "elevation_deg": 40.0, "softness_deg": 12.0, "ambient": 0.4}
    left, _, right, _ = box(made(load(write_scene(tmp_path, factor=2, light=light)), outputSize="480x270"))
    assert (left + right) / 2 == pytest.approx(middle, abs=0.02)


def test_a_hero_is_as_true_as_any_other(table: Scene) -> None:
    found = measured(made(table, outputSize="640x640"))
    assert found["canvas_difference_max"] <= 2
    assert found["height_error"] < 0.03
    assert found["shadow_azimuth_error_deg"] <= 10
    assert found["contact_gap"] <= 0.03


def test_what_is_far_is_out_of_focus_and_what_the_product_stands_on_is_not(tmp_path: Path) -> None:
    folder = write_scene(tmp_path, factor=2, camera=LENS, depth="depth.png")
    noise = np.random.default_rng(3).integers(60, 200, (720, 960, 1)).astype(np.uint8).repeat(3, axis=2)
    cv2.imwrite(str(folder / "plate.png"), noise)
    cv2.imwrite(str(folder / "key.png"), noise // 2)
    sharp = made(load(folder), 12.0, TALL, **{"shadow.mode": "none"})
    for name in ("focus_cm", "f_number"):
        text = (folder / "scene.yaml").read_text()
        (folder / "scene.yaml").write_text("\n".join(line for line in text.split("\n") if name not in line))
    without = made(load(folder), 12.0, TALL, **{"shadow.mode": "none"})
    foot = round(box(sharp)[3] * 320)
    assert sharp.bare[:40].std() < 0.3 * without.bare[:40].std()
    beside = (slice(foot - 3, foot + 3), slice(0, 60))
    assert sharp.bare[beside].std() > 0.8 * without.bare[beside].std()


def test_what_is_sharp_does_not_glow_into_what_is_not() -> None:
    picture = np.full((80, 80, 3), 0.1, np.float32)
    picture[40:] = 1.0
    sigma = np.zeros((20, 20), np.float32)
    sigma[:9] = 6.0
    blurred = defocused(picture, sigma)
    assert np.array_equal(blurred[48:], picture[48:])
    assert blurred[:32].max() < 0.2


@pytest.mark.parametrize("values", [{"framing": "close"}, {"copySpace": "below"}])
def test_unknown_framings_are_refused_by_name(values: dict[str, str]) -> None:
    with pytest.raises(BadParameters) as caught:
        MockupParameters.parse(values)
    assert caught.value.field == next(iter(values))
