"""What the name says."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.operations.cutout.cutout import (
    Cutout,
    cutout,
    eight_bit,
    subject_box,
)
from schemas.operations.cutout import CutoutParameters
from streams.flow.gates.edges import UNCERTAINTY_MAX
from tests.gpu_workers.cutouts import RED, SIZE_PX, Mask, Picture, alpha_error, disc, photograph, sees_red


@pytest.fixture(scope="module")
def mug() -> NDArray[np.float64]:
    """A disc with a ring for a handle."""
    handle = disc(175, 120, 40) * (1 - disc(175, 120, 25))
    return np.maximum(disc(105, 120, 60), handle)


@pytest.fixture(scope="module")
def mug_cutout(mug: NDArray[np.float64]) -> Cutout:
    return cutout(photograph(mug), sees_red)


def test_alpha_is_close_to_the_truth(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    assert mug_cutout.rgba.shape == (SIZE_PX, SIZE_PX, 4)
    assert alpha_error(mug_cutout, mug) < 0.004


def test_a_handle_hole_stays_a_hole(mug_cutout: Cutout) -> None:
    assert mug_cutout.rgba[120, 182, 3] == 0
    assert mug_cutout.rgba[120, 208, 3] == 255


def test_solid_pixels_keep_their_bytes(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    solid = mug_cutout.rgba[..., 3] == 255
    assert solid.sum() > 0.9 * (mug == 1).sum()
    np.testing.assert_array_equal(mug_cutout.rgba[solid][:, :3], photograph(mug)[solid])


def test_edges_carry_no_background_colour(mug_cutout: Cutout) -> None:
    edge = (mug_cutout.rgba[..., 3] > 60) & (mug_cutout.rgba[..., 3] < 250)
    assert edge.sum() > 50
    assert np.abs(mug_cutout.rgba[edge][:, :3] - RED).max(axis=1).mean() < 12


def test_clear_pixels_are_zero(mug_cutout: Cutout) -> None:
    assert not mug_cutout.rgba[mug_cutout.rgba[..., 3] == 0].any()


def test_the_same_picture_gives_the_same_bytes(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    assert cutout(photograph(mug), sees_red).rgba.tobytes() == mug_cutout.rgba.tobytes()


def test_sixteen_bits_stay_sixteen(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    deep = photograph(mug).astype(np.uint16) * 257
    deep += np.random.default_rng(7).integers(0, 120, deep.shape, np.uint16) * (deep < 65000)
    made = cutout(deep, sees_red).rgba
    assert made.dtype == np.uint16
    solid = made[..., 3] == 65535
    assert solid.sum() > 0.9 * (mug == 1).sum()
    np.testing.assert_array_equal(made[solid][:, :3], deep[solid])
    assert not made[made[..., 3] == 0].any()
    assert np.abs(eight_bit(made)[..., 3].astype(int) - mug_cutout.rgba[..., 3]).mean() < 0.2


def test_an_alpha_that_is_all_solid_is_no_alpha(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    opaque = np.dstack([photograph(mug), np.full((SIZE_PX, SIZE_PX), 255, np.uint8)])
    np.testing.assert_array_equal(cutout(opaque, sees_red).rgba, mug_cutout.rgba)


def test_measures_say_what_was_found(mug_cutout: Cutout, mug: NDArray[np.float64]) -> None:
    measures = mug_cutout.measures
    assert measures["islands"] == 1
    assert measures["plain_background"] == 1
    assert measures["has_own_alpha"] == 0
    assert measures["coverage"] == pytest.approx(mug.mean(), rel=0.05)
    assert 0.5 < measures["band_width_px"] < 6
    assert measures["agreement"] > 0.85
    assert measures["uncertainty"] < 0.4


@pytest.fixture(scope="module")
def rack() -> tuple[NDArray[np.float64], Picture, Mask]:
    """A red frame with bars, a sticker whiter than its grey sweep, and the mask of a network that sees one solid."""
    shape = np.zeros((SIZE_PX, SIZE_PX))
    shape[40:200, 20:220] = 1
    solid = shape.copy()
    for left in range(45, 185, 20):
        shape[60:120, left : left + 14] = 0
    picture = photograph(shape).astype(np.float64)
    picture[140:170, 60:110] = 235
    picture += np.random.default_rng(5).normal(0, 1.2, picture.shape)
    return shape, np.rint(np.clip(picture, 0, 255)).astype(np.uint8), solid.astype(np.float32)


def sees_solid(solid: Mask) -> Callable[[Picture], Mask]:
    """A network that gives this mask at each look; right where the subject fills the picture."""
    mask = cv2.GaussianBlur(cv2.resize(solid, (320, 320), interpolation=cv2.INTER_AREA), (0, 0), 2)
    return lambda _picture: np.asarray(mask, np.float32)


def test_gaps_that_the_mask_fills_are_opened(rack: tuple[NDArray[np.float64], Picture, Mask]) -> None:
    shape, picture, solid = rack
    result = cutout(picture, sees_solid(solid))
    assert result.rgba[65:115, 70:74, 3].max() == 0
    assert result.rgba[65:115, 61:63, 3].min() == 255
    assert alpha_error(result, shape) < 0.01


def racket(light_px: float, shade: float) -> tuple[NDArray[np.float64], Picture]:
    """A hoop strung with lines, and its photograph on a sweep that it keeps light from."""
    lines = np.zeros((SIZE_PX, SIZE_PX))
    lines[::16], lines[:, ::16] = 1, 1
    shape = np.maximum(disc(119.5, 119.5, 100) * (1 - disc(119.5, 119.5, 88)), lines * disc(119.5, 119.5, 90))
    dark = shade * cv2.GaussianBlur(np.roll(shape, 4, axis=0), (0, 0), light_px)
    return shape, photograph(shape, np.full((SIZE_PX, SIZE_PX, 3), 215.0) * (1 - dark[..., None]))


def test_gaps_in_their_product_s_shade_are_opened() -> None:
    shape, picture = racket(6, 0.14)
    result = cutout(picture, sees_solid(disc(119.5, 119.5, 100).astype(np.float32)))
    assert alpha_error(result, shape) < 0.02


def test_a_gap_as_light_as_its_product_is_opened(mug: NDArray[np.float64]) -> None:
    picture = photograph(mug, np.full((SIZE_PX, SIZE_PX, 3), (60.0, 110, 100)))
    filled = np.maximum(mug, disc(175, 120, 40)).astype(np.float32)
    result = cutout(picture, sees_solid(filled))
    assert result.rgba[110:130, 176:188, 3].max() == 0
    assert result.rgba[115:125, 206:209, 3].min() == 255


def test_fringe_is_strands() -> None:
    shape = np.zeros((SIZE_PX, SIZE_PX))
    shape[30:120, 40:200] = 1
    shape[120:190, 40:200:5] = shape[120:190, 41:200:5] = 1
    solid = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    solid[30:185, 40:200] = 1
    alpha = cutout(photograph(shape), sees_solid(solid)).rgba[130:180, 60:180, 3] / 255
    assert np.abs(alpha - shape[130:180, 60:180]).mean() < 0.1


def test_a_coarse_knit_is_no_fringe() -> None:
    knit = disc(119.5, 119.5, 90)
    picture = photograph(knit, np.full((SIZE_PX, SIZE_PX, 3), 215.0))
    dark = (np.indices((SIZE_PX, SIZE_PX)).sum(axis=0) % 5 < 2) & (knit == 1)
    picture[(knit == 1) & ~dark] = (135, 145, 140)
    picture[dark] = (20, 35, 30)
    result = cutout(picture, sees_solid(disc(119.5, 119.5, 84).astype(np.float32)))
    assert result.rgba[60:180, 60:180, 3].min() == 255


def test_lettering_is_no_fringe() -> None:
    box = np.zeros((SIZE_PX, SIZE_PX))
    box[20:220, 30:210] = 1
    printed = box.copy()
    printed[100:140, 60:180:5] = printed[100:140, 61:180:5] = 0
    result = cutout(photograph(printed), sees_solid(box.astype(np.float32)))
    assert result.rgba[90:150, 50:190, 3].min() == 255


def test_what_a_closer_look_loses_stays_when_the_first_was_sure() -> None:
    pair = np.maximum(disc(85, 120, 30), disc(155, 120, 30))
    predictions = iter([pair, np.where(np.arange(SIZE_PX) < 120, pair, 0)])
    picture = photograph(pair, np.random.default_rng(5).uniform(60, 160, (SIZE_PX, SIZE_PX, 3)))

    def predict(shown: Picture) -> Mask:
        if shown.shape == picture.shape:
            return np.asarray(next(predictions), np.float32)
        box = subject_box(pair.astype(np.float32))
        return np.asarray(box.of(next(predictions)), np.float32)

    assert cutout(picture, predict).rgba[110:130, 150:160, 3].min() == 255


def test_a_white_sticker_is_no_gap(rack: tuple[NDArray[np.float64], Picture, Mask]) -> None:
    _, picture, solid = rack
    assert cutout(picture, sees_solid(solid)).rgba[140:170, 60:110, 3].min() == 255


def test_a_grey_sticker_the_mask_doubts_is_no_hole(rack: tuple[NDArray[np.float64], Picture, Mask]) -> None:
    _, picture, solid = rack
    picture, doubtful = picture.copy(), solid.copy()
    picture[140:170, 60:110] = 198
    doubtful[140:170, 60:110] = doubtful[140:170, 130:180] = 0.6
    assert cutout(picture, sees_solid(doubtful)).rgba[138:172, 58:112, 3].min() == 255


def test_a_sticker_on_a_clipped_white_sweep_is_no_gap() -> None:
    product = disc(119.5, 119.5, 80)
    picture = photograph(product, np.full((SIZE_PX, SIZE_PX, 3), 255.0))
    picture[100:140, 90:150] = 255
    assert cutout(picture, sees_solid(product.astype(np.float32))).rgba[100:140, 90:150, 3].min() == 255


@pytest.mark.parametrize(("band_level", "unsure"), [(None, False), (48, True)], ids=["whole", "band left out"])
def test_a_dark_band_on_a_dark_ground_that_is_left_out_is_doubt(band_level: int | None, unsure: bool) -> None:
    ground = np.full((SIZE_PX, SIZE_PX, 3), 18.0)
    if band_level is not None:
        ground[disc(120, 120, 60) - disc(120, 120, 48) > 0.5] = band_level
    cups = np.maximum(disc(65, 140, 35), disc(175, 140, 35))
    result = cutout(photograph(cups, ground), sees_red)
    assert (result.measures["left_out_share"] > 0.01) is unsure
    assert (result.measures["uncertainty"] > UNCERTAINTY_MAX) is unsure


def test_a_soft_shadow_is_not_left_out() -> None:
    shade = cv2.GaussianBlur(disc(120, 190, 50), (0, 0), 12)
    result = cutout(photograph(disc(120, 110, 60), 215 * (1 - 0.4 * np.dstack([shade] * 3))), sees_red)
    assert result.measures["left_out_share"] == 0
    assert result.measures["uncertainty"] < UNCERTAINTY_MAX


def test_a_product_that_looks_like_its_sweep_is_doubt() -> None:
    product = disc(119.5, 119.5, 85)
    inner = disc(119.5, 119.5, 75)[..., None]
    glass = photograph(product) * (1 - inner) + np.array([213.0, 210, 213]) * inner
    result = cutout(np.rint(glass).astype(np.uint8), sees_solid(product.astype(np.float32)))
    assert result.measures["look_through_share"] > 0.5
    assert result.measures["uncertainty"] > UNCERTAINTY_MAX


def glass_on(ground: float) -> tuple[Picture, NDArray[np.float64]]:
    """A tumbler that dims the sweep behind it evenly, its wall dark, and its shape."""
    shape, inner = disc(119.5, 119.5, 105), disc(119.5, 119.5, 100)[..., None]
    sweep = np.full((SIZE_PX, SIZE_PX, 3), ground)
    wall = shape[..., None] * 90 + (1 - shape[..., None]) * sweep
    return np.rint(sweep * np.array([0.93, 0.95, 0.94]) * inner + wall * (1 - inner)).astype(np.uint8), shape


def test_glass_lets_the_ground_through_and_a_person_looks_at_it() -> None:
    picture, shape = glass_on(215)
    result = cutout(picture, sees_solid(shape.astype(np.float32)))
    assert 0 < result.rgba[80:160, 80:160, 3].mean() / 255 < 0.4
    assert result.measures["see_through_share"] > 0.9
    assert result.measures["uncertainty"] > UNCERTAINTY_MAX
    alpha = result.rgba[..., 3:] / 255
    over = to_linear(result.rgba[..., :3]) * alpha + to_linear(np.full(picture.shape, 215, np.uint8)) * (1 - alpha)
    inside = np.s_[80:160, 80:160]
    assert np.abs(to_srgb(over.astype(np.float32))[inside].astype(int) - picture[inside]).max() <= 4


def test_glass_before_a_dark_ground_is_a_veil_of_white() -> None:
    shape, inner = disc(119.5, 119.5, 105), disc(119.5, 119.5, 100)[..., None]
    sweep = np.full((SIZE_PX, SIZE_PX, 3), (95.0, 75, 60))
    wall = shape[..., None] * 235 + (1 - shape[..., None]) * sweep
    picture = np.rint((sweep + 0.2 * (255 - sweep)) * inner + wall * (1 - inner)).astype(np.uint8)
    result = cutout(picture, sees_solid(shape.astype(np.float32)))
    assert result.rgba[110:130, 110:130, 3].mean() / 255 < 0.3
    assert result.rgba[110:130, 18:20, 3].mean() / 255 > 0.7
    assert result.measures["see_through_share"] > 0.9


@pytest.mark.parametrize("colour", [205, 198])
def test_a_plain_box_of_nearly_the_sweep_s_colour_is_no_glass(colour: int) -> None:
    box = np.full((SIZE_PX, SIZE_PX, 3), 215, np.uint8)
    box[20:220, 20:220] = colour
    solid = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    solid[20:220, 20:220] = 1
    result = cutout(box, sees_solid(solid))
    assert result.rgba[30:210, 30:210, 3].min() == 255
    assert result.measures["see_through_share"] == 0


@pytest.mark.parametrize(("subject", "unsure"), [("product", True), ("everything", False)])
def test_people_are_doubt_where_the_product_is_wanted(subject: Any, unsure: bool) -> None:
    product = disc(119.5, 119.5, 105)
    picture = photograph(product)
    picture[100:140, 90:150] = (210, 160, 135)
    solid = sees_solid(product.astype(np.float32))
    worn = product.astype(np.float32)
    result = cutout(picture, solid, CutoutParameters(subject=subject), lambda _picture: worn)
    assert result.measures["person_share"] == pytest.approx(2400 / product.sum(), rel=0.1)
    assert (result.measures["uncertainty"] > UNCERTAINTY_MAX) is unsure
    assert cutout(picture, solid).measures["person_share"] == 0


@pytest.mark.parametrize(("subject", "whole"), [("product", False), ("everything", True)])
def test_everything_is_also_who_wears_the_product(subject: Any, whole: bool) -> None:
    wearer = disc(119.5, 119.5, 90)
    stripes = np.where(np.arange(SIZE_PX) // 20 % 2, 100.0, 180.0)
    picture = photograph(wearer, np.broadcast_to(stripes[:, None], (SIZE_PX, SIZE_PX, 3)))
    picture[130:][wearer[130:] == 1] = (210, 160, 135)
    parameters = CutoutParameters(subject=subject)
    result = cutout(picture, sees_red, parameters, lambda _picture: wearer.astype(np.float32))
    assert result.rgba[60:120, 90:150, 3].min() == 255
    assert bool(result.rgba[150:190, 90:150, 3].mean() > 250) is whole
