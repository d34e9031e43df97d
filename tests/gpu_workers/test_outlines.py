"""Rims that mirror their ground belong to the product, and feet are even; what is neither stays as it is."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout import faint_outline, foot
from gpu_workers.operations.cutout.cutout import cutout
from gpu_workers.operations.cutout.outlines import outlines_of

Plane = NDArray[np.float32]


def colour(*codes: float) -> Plane:
    return np.array(codes, np.float32)


SIDE_PX = 400
RADIUS_PX = 120.0
REACH_PX = 2.5
GROUND = colour(0.93, 0.9, 0.86)
STEEL = colour(0.35, 0.34, 0.33)
GLARE = colour(0.98, 0.97, 0.95)


def disc(radius_px: float, middle: tuple[float, float] = (200.0, 200.0)) -> Plane:
    """Coverage of a disc, its edge one pixel wide."""
    ys, xs = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float32)
    return np.asarray(np.clip(radius_px + 0.5 - np.hypot(xs - middle[0], ys - middle[1]), 0, 1), np.float32)


def sight(shape: Plane) -> Plane:
    """A network's mask of a shape: soft, as those are."""
    return np.asarray(cv2.GaussianBlur(shape, (0, 0), 2.0))


def ground() -> Plane:
    return np.tile(GROUND, (SIDE_PX, SIDE_PX, 1))


def painted(*layers: tuple[Plane, Plane], noise: float = 0.004) -> Plane:
    """Colours over the ground, each where its shape (h, w) is, with a camera's noise."""
    rgb = ground()
    for shape, colour in layers:
        rgb = rgb + shape[..., None] * (colour - rgb)
    noisy = rgb + np.random.default_rng(3).normal(0, noise, rgb.shape)
    return noisy.astype(np.float32)


def missing(found: Plane, true: Plane) -> float:
    """Share of the shape's rim that is left out, 10 px deep."""
    rim = (true > 0.5) & (disc(RADIUS_PX - 10) < 0.5)
    return float((found < 0.5)[rim].mean())


@pytest.mark.parametrize("rim_off", [-0.035, 0.04])
@pytest.mark.parametrize("rim_px", [6, 8])
def test_a_rim_that_mirrors_the_ground_is_part_of_the_product(rim_off: float, rim_px: int) -> None:
    whole, core = disc(RADIUS_PX), disc(RADIUS_PX - rim_px)
    rgb = painted((whole, GROUND + np.float32(rim_off)), (core, STEEL))
    found = faint_outline.filled(rgb, ground(), outlines_of(sight(whole)), core, REACH_PX)
    above = np.arange(SIDE_PX)[:, None] < 220
    assert missing(np.where(above, core, 1), whole) > 0.2
    assert missing(np.where(above, found, 1), whole) < 0.05  # half a pixel of ten
    assert not (found - whole)[disc(RADIUS_PX + 2) == 0].any()


def test_a_nick_beside_a_glare_is_filled_through_where_the_rim_has_the_ground_s_own_colour() -> None:
    whole = disc(RADIUS_PX)
    glare = whole * disc(60, (200, 100))
    rim = whole * (1 - disc(RADIUS_PX - 4))
    same = rim * (np.abs(np.arange(SIDE_PX)[None] - 200) < 6)
    rgb = painted((whole, STEEL), (glare, GLARE), (rim, GROUND - np.float32(0.05)), (same, GROUND))
    nicked = np.where((rim > 0) & (disc(60, (200, 100)) > 0), 0, whole).astype(np.float32)
    found = faint_outline.filled(rgb, ground(), outlines_of(sight(whole)), nicked, REACH_PX)
    assert (nicked[82:84, 195:206] == 0).all()
    assert (found[82:84, 195:206] > 0.9).all()


@pytest.mark.parametrize("sigma_px", [0.7, 1.5, 3.0, 4.0, 6.0, 9.0])
def test_the_foot_of_a_soft_edge_is_no_rim(sigma_px: float) -> None:
    """It would be a halo."""
    whole = disc(RADIUS_PX)
    rgb = cv2.GaussianBlur(painted((whole, STEEL)), (0, 0), sigma_px)
    solid = (cv2.GaussianBlur(whole, (0, 0), sigma_px) > 0.6).astype(np.float32)
    np.testing.assert_array_equal(
        faint_outline.filled(rgb, ground(), outlines_of(sight(whole)), solid, REACH_PX), solid
    )


def test_a_soft_shadow_is_no_rim() -> None:
    whole = disc(RADIUS_PX)
    shadow = cv2.GaussianBlur(disc(RADIUS_PX + 4), (0, 0), 6.0) * np.float32(0.25)
    rgb = painted((shadow, np.zeros(3, np.float32)), (whole, STEEL))
    found = faint_outline.filled(rgb, ground(), outlines_of(sight(whole)), whole, REACH_PX)
    assert float((found - whole).sum()) < 0.001 * float(whole.sum())


def test_what_is_filled_beside_a_gap_stays_within_reach_of_it() -> None:
    """The far side of a ring is nearest to no point of its gap, and yet each pixel has one that is."""
    ring = disc(RADIUS_PX) * (1 - disc(60))
    thin = disc(RADIUS_PX) * (1 - disc(67))
    rgb = painted((ring, GROUND - np.float32(0.05)), (thin, STEEL))
    found = faint_outline.filled(rgb, ground(), outlines_of(sight(ring)), thin.astype(np.float32), REACH_PX)
    assert not found[disc(RADIUS_PX + 2) == 0].any()
    assert (found[disc(55) == 1] == 0).all()
    assert float(found.sum()) > float(thin.sum())


def block(low: Plane) -> Plane:
    """A block that stands, its lower edge at `low` (w,)."""
    ys = np.arange(SIDE_PX, dtype=np.float32)[:, None]
    shape = np.clip(low[None] + 0.5 - ys, 0, 1) * (ys > 100)
    shape[:, :100], shape[:, 300:] = 0, 0
    return np.asarray(shape, np.float32)


FLAT = np.full(SIDE_PX, 300, np.float32)


def shaded(shape: Plane) -> Plane:
    """A picture of a block that stands in its own shadow, down to black at its foot."""
    near = cv2.GaussianBlur(np.roll(shape, 14, axis=0), (0, 0), 8.0) * np.float32(0.6)
    return painted((near, np.zeros(3, np.float32)), (shape, STEEL))


@pytest.mark.parametrize("bump_px", [3, 5, -3])
def test_bumps_and_teeth_of_a_foot_in_its_shadow_are_evened(bump_px: int) -> None:
    true = block(FLAT)
    low = FLAT.copy()
    low[180:225] += bump_px
    low[150:170:4] += 2
    found = foot.evened(shaded(true), ground(), outlines_of(sight(true)), block(low))
    between = slice(130, 270)
    assert np.abs(block(low) - true)[:, between].sum() > 90
    assert np.abs(found - true)[:, between].sum() < 45


def test_the_lower_edge_of_what_does_not_stand_stays() -> None:
    true = block(FLAT)
    low = FLAT.copy()
    low[180:225] += 3
    found = foot.evened(painted((true, STEEL)), ground(), outlines_of(sight(true)), block(low))
    np.testing.assert_array_equal(found, block(low))


def test_a_tag_that_hangs_below_a_foot_stays() -> None:
    low = FLAT.copy()
    low[190:205] += 12
    tagged = block(low)
    found = foot.evened(shaded(block(FLAT)), ground(), outlines_of(sight(block(FLAT))), tagged)
    assert (found[302:311, 192:203] > 0.9).all()


def sees_what_is_no_ground(picture: NDArray[np.uint8]) -> Plane:
    """A network that knows all of the product, and draws blurred edges as real ones do."""
    small = cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    off = np.abs(cv2.GaussianBlur(small, (0, 0), 1.5) - GROUND).max(axis=2)
    return sight((off > 0.017).astype(np.float32))


def test_a_cutout_of_polished_metal_has_its_rim() -> None:
    """A solver takes the edge of the dark reflection for the outline: it is twenty times as strong."""
    whole, core = disc(RADIUS_PX), disc(RADIUS_PX - 6)
    rgb = painted((whole, GROUND * np.float32(0.97)), (core, colour(0.02, 0.02, 0.02)))
    photograph = np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)
    found = cutout(photograph, sees_what_is_no_ground).rgba[..., 3] / np.float32(255)
    above = np.arange(SIDE_PX)[:, None] < 220
    assert missing(np.where(above, found, 1), whole) < 0.05


@pytest.mark.parametrize("shape", [(8, 40_000), (600, 1_200)])
def test_what_is_longer_than_can_be_read_has_no_outline(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.float32)
    mask[1::4], mask[:, 4:8] = 1, 1  # a comb: one course of more than 32,767 pixels
    assert outlines_of(mask) == []
