"""Cutout: what counts as the product, and what a supplier's own alpha is worth."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout.cutout import (
    BadImage,
    NoSubject,
    cutout,
    eight_bit,
    has_clean_alpha,
)
from schemas.operations.cutout import CutoutParameters
from tests.gpu_workers.cutouts import SIZE_PX, Mask, Picture, alpha_error, disc, photograph, sees_red
from tests.gpu_workers.products import mug as mug_alone
from tests.gpu_workers.products import with_own_shadow


def sees(value: float) -> Callable[[Picture], Mask]:
    return lambda _picture: np.full((320, 320), value, np.float32)


def test_a_dark_shadow_at_the_foot_is_no_part_of_the_product() -> None:
    product, shade = disc(119.5, 100, 50), cv2.GaussianBlur(disc(119.5, 150, 25), (0, 0), 8)
    picture = photograph(product, np.full((SIZE_PX, SIZE_PX, 3), 215.0) * (1 - 0.9 * shade[..., None]))
    assert picture[154, 120].max() < 80
    assert alpha_error(cutout(picture, sees_red), product) < 0.01


def test_a_set_of_two_stays_two() -> None:
    pair = np.maximum(disc(70, 120, 40), disc(170, 120, 40))
    result = cutout(photograph(pair), sees_red)
    assert result.measures["islands"] == 2
    assert alpha_error(result, pair) < 0.004


def test_speckle_goes() -> None:
    product = disc(120, 120, 60)
    result = cutout(photograph(np.maximum(product, disc(195, 60, 1.5))), sees_red)
    assert result.rgba[50:70, 185:205, 3].max() == 0
    assert result.measures["islands"] == 1


def test_a_soft_shadow_the_mask_half_believes_is_not_product() -> None:
    # Symmetric about the middle: the second look is mirrored where the subject fills the picture.
    product, shade = disc(119.5, 100, 50), cv2.GaussianBlur(disc(119.5, 160, 45), (0, 0), 12)
    picture = photograph(product, np.full((SIZE_PX, SIZE_PX, 3), 215.0) * (1 - 0.3 * shade[..., None]))
    part = np.s_[30:220, 45:195]
    half_shadow = cv2.resize(0.7 * shade[part], (320, 320))

    def half_believes(seen: Picture) -> Mask:
        return np.asarray(np.maximum(sees_red(seen), half_shadow), np.float32)

    result = cutout(picture[part], half_believes)
    assert half_believes(picture[part])[-40, 160] > 0.5
    assert alpha_error(result, product[part]) < 0.015


def test_a_product_may_touch_the_frame() -> None:
    touching = disc(120, 240, 90)
    result = cutout(photograph(touching), sees_red)
    assert result.rgba[-1, 120, 3] == 255
    assert alpha_error(result, touching) < 0.005


def test_a_busy_background_is_not_called_plain() -> None:
    stripes = np.tile(np.where(np.arange(SIZE_PX) // 12 % 2, 60.0, 180.0)[:, None, None], (1, SIZE_PX, 3))
    product = disc(120, 120, 60)
    result = cutout(photograph(product, stripes), sees_red)
    assert result.measures["plain_background"] == 0
    assert alpha_error(result, product) < 0.006


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_nothing_that_stands_out_is_an_answer(value: float) -> None:
    with pytest.raises(NoSubject, match=r"highest value is 0\.[03]0"):
        cutout(np.full((80, 100, 3), 230, np.uint8), sees(value))


def test_everything_is_product_when_the_network_says_so() -> None:
    assert cutout(photograph(disc(120, 120, 60)), sees(1.0)).rgba[..., 3].min() == 255


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (np.zeros((10, 10), np.uint8), r"\(10, 10\)"),
        (np.zeros((10, 10, 2), np.uint8), r"\(10, 10, 2\)"),
        (np.zeros((0, 10, 3), np.uint8), r"\(0, 10, 3\)"),
        (np.zeros((10, 10, 3), np.float32), "float32"),
    ],
)
def test_what_is_no_picture_is_named(image: Picture, named: str) -> None:
    with pytest.raises(BadImage, match=named):
        cutout(image, sees(1.0))


def test_one_pixel_wide_pictures_do_not_crash() -> None:
    assert cutout(np.full((200, 1, 3), 200, np.uint8), sees(1.0)).rgba.shape == (200, 1, 4)


def test_a_clean_alpha_is_kept_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (SIZE_PX, SIZE_PX, 3), np.uint8)
    own = np.dstack([colours, np.rint(disc(120, 120, 70) * 255).astype(np.uint8)])
    result = cutout(own, sees(0.0))
    np.testing.assert_array_equal(result.rgba, own)
    assert result.measures["has_own_alpha"] == 1
    assert result.measures["own_shadow_share"] == 0


def test_a_suppliers_shadow_is_kept_and_measured() -> None:
    shadow = cv2.GaussianBlur(disc(120, 200, 30), (0, 0), 6) * 0.4
    alpha = np.maximum(disc(120, 100, 50), shadow)
    own = np.dstack([photograph(disc(120, 100, 52), np.zeros((SIZE_PX, SIZE_PX, 3))), (alpha * 255).astype(np.uint8)])
    result = cutout(own, sees(0.0))
    np.testing.assert_array_equal(result.rgba, own)
    assert result.measures["own_shadow_share"] > 0.1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_suppliers_shadow_can_be_dropped(depth: Any) -> None:
    own: Any = with_own_shadow(mug_alone()).astype(depth) * (np.iinfo(depth).max // 255)
    made = cutout(own, sees(0.0), CutoutParameters(own_shadow="drop")).rgba
    assert made.dtype == depth
    solid = mug_alone()[..., 3] == 255
    np.testing.assert_array_equal(made[solid], own[solid])
    assert np.abs(eight_bit(made)[..., 3].astype(int) - mug_alone()[..., 3]).mean() < 1
    assert np.abs(eight_bit(own)[..., 3].astype(int) - mug_alone()[..., 3]).mean() > 2


def test_an_alpha_can_be_set_aside() -> None:
    product = disc(120, 120, 60)
    own = np.dstack([photograph(product), np.rint(disc(120, 120, 90) * 255).astype(np.uint8)])
    result = cutout(own, sees_red, CutoutParameters(keep_own_alpha=False))
    assert result.measures["has_own_alpha"] == 0
    assert alpha_error(result, product) < 0.005


@pytest.mark.parametrize(
    ("alpha", "clean"),
    [
        (np.full((50, 50), 255), False),
        (np.full((50, 50), 128), False),
        (np.zeros((50, 50)), False),
        (np.pad(np.full((30, 30), 255), 10), True),
        (np.pad(np.full((50, 30), 255), ((0, 0), (10, 10))), True),
    ],
    ids=["solid", "see-through", "empty", "cut out", "touches the frame"],
)
def test_what_counts_as_a_clean_alpha(alpha: NDArray[np.int64], clean: bool) -> None:
    assert has_clean_alpha(np.dstack([np.zeros((*alpha.shape, 3)), alpha]).astype(np.uint8)) is clean
