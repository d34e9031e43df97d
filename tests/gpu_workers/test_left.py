"""What a cutout left behind, and what it took of the ground."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.quality.left import left_measures

SIDE = 400
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photograph() -> Picture:
    """A red box with a strap on a ground that gets darker to one side, and its soft shadow."""
    ramp = np.linspace(235, 205, SIDE)[None, :, None]
    rgb = np.repeat(np.repeat(ramp, SIDE, axis=0), 3, axis=2).astype(np.float32)
    shadow = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(shadow, (210, 302), (110, 14), 0, 0, 360, 0.45, -1)
    rgb *= 1 - cv2.GaussianBlur(shadow, (0, 0), 9)[..., None]
    rgb[there()[..., None].repeat(3, axis=2) > 0] = 0
    rgb += (there() > 0)[..., None] * np.array([170, 40, 30], np.float32)
    noise = np.random.default_rng(1).normal(0, 0.8, rgb.shape)
    return np.asarray(np.clip(rgb + noise, 0, 255), np.uint8)


def there() -> Picture:
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    cv2.rectangle(alpha, (120, 140), (300, 300), 255, -1)
    cv2.rectangle(alpha, (190, 70), (215, 140), 255, -1)
    return alpha


def measured(photograph: Picture, alpha: Picture) -> dict[str, float]:
    return left_measures(photograph, np.dstack([photograph, alpha]))


def test_a_good_cutout_left_and_took_nothing(photograph: Picture) -> None:
    assert measured(photograph, there()) == {
        "odd_part": 0.0, "ground_rim": 0.0, "ground_taken": 0.0, "product_left": 0.0,
    }  # fmt: skip


def test_a_halo_is_a_rim_of_ground(photograph: Picture) -> None:
    assert measured(photograph, cv2.dilate(there(), np.ones((9, 9), np.uint8)))["ground_rim"] > 0.7


def test_a_patch_of_ground_beside_it_is_a_residue(photograph: Picture) -> None:
    alpha = there()
    cv2.circle(alpha, (302, 200), 12, 255, -1)
    found = measured(photograph, alpha)
    assert found["ground_taken"] > 3
    assert found["ground_rim"] < 0.1


def test_a_strap_that_is_missing_was_left(photograph: Picture) -> None:
    alpha = there()
    alpha[:140] = 0
    assert measured(photograph, alpha)["product_left"] > 20


def test_a_black_strap_is_no_shadow(photograph: Picture) -> None:
    black, alpha = photograph.copy(), there()
    black[70:140, 190:216] = 30
    alpha[:140] = 0
    assert measured(black, alpha)["product_left"] > 20


def test_a_narrow_dark_shadow_along_it_is_no_product(photograph: Picture) -> None:
    shaded = photograph.copy()
    cv2.rectangle(shaded, (301, 160), (308, 220), (110, 106, 104), -1)
    assert measured(shaded, there())["product_left"] == 0


@pytest.mark.parametrize(("side", "odd"), [(60, True), (6, False), (170, False)])
def test_a_small_second_part_is_odd_and_a_pair_or_a_crumb_is_not(photograph: Picture, side: int, odd: bool) -> None:
    wide = np.pad(photograph, ((0, 0), (0, 200), (0, 0)), mode="edge")
    alpha = np.pad(there(), ((0, 0), (0, 200)))
    alpha[120 : 120 + side, 410 : 410 + side] = 255
    assert (left_measures(wide, np.dstack([wide, alpha]))["odd_part"] > 0) is odd


def test_of_a_product_in_the_grounds_colour_or_on_no_plain_ground_nothing_is_said(photograph: Picture) -> None:
    pale = photograph.copy()
    pale[there() > 0] = 222
    busy = np.random.default_rng(2).integers(0, 256, photograph.shape, dtype=np.uint8)
    for picture in (pale, busy):
        assert measured(picture, there()) == {"odd_part": 0.0}


def test_a_supplier_s_own_cutout_is_held_against_white() -> None:
    rgba = np.dstack([np.full((SIDE, SIDE, 3), (170, 40, 30), np.uint8), there()])
    assert left_measures(rgba, rgba)["ground_rim"] == 0
    halo = rgba.copy()
    halo[there() == 0, :3] = 255
    halo[..., 3] = cv2.dilate(there(), np.ones((9, 9), np.uint8))
    found = left_measures(halo, halo)
    assert found["ground_rim"] > 0.7
    assert "product_left" not in found


@pytest.mark.parametrize(("level", "is_ground"), [(255, True), (253, True), (247, False), (240, False)])
def test_of_a_supplier_s_own_cutout_only_what_is_white_is_ground(level: int, is_ground: bool) -> None:
    """A white sole or sleeve has shades; white that a cutout took with it has none."""
    alpha = there()
    cv2.circle(alpha, (302, 200), 12, 255, -1)
    made = np.dstack([np.full((*alpha.shape, 3), level, np.uint8), alpha])
    made[125:296, 125:296, :3] = (160, 60, 40)
    assert (left_measures(made, made)["ground_taken"] > 3) is is_ground


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (50, 50)])
@pytest.mark.parametrize("level", [0, 255])
def test_nothing_and_all_of_a_picture_break_nothing(shape: tuple[int, int], level: int) -> None:
    rgb, alpha = np.zeros((*shape, 3), np.uint8), np.full(shape, level, np.uint8)
    assert left_measures(rgb, np.dstack([rgb, alpha])) == {"odd_part": 0.0}
