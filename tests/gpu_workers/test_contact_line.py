"""The dark line under a foot goes, and whatever else is dark at a product's lower edge stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout import contact_line

Plane = NDArray[np.float32]

SIDE_PX = 600
FOOT = 400
ACROSS = slice(150, 450)
LINE_PX = 5
GROUND = (0.9, 0.89, 0.87)


def standing_on(
    colour: tuple[float, float, float], *, line: tuple[float, float, float], shade: float
) -> tuple[Plane, Plane]:
    """A block of a colour, LINE_PX of another below it, ground that gets lighter from `shade` on; a matte of both."""
    ground = np.tile(np.array(GROUND, np.float32), (SIDE_PX, SIDE_PX, 1))
    rgb = ground.copy()
    below = np.arange(40, dtype=np.float32) / 40
    rgb[FOOT : FOOT + 40, ACROSS] *= (shade + (1 - shade) * below)[:, None, None]
    rgb[200:FOOT, ACROSS] = colour
    rgb[FOOT : FOOT + LINE_PX, ACROSS] = line
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    alpha[200 : FOOT + LINE_PX, ACROSS] = 1
    alpha[FOOT + LINE_PX, ACROSS] = 0.4
    return rgb, alpha


def cut(rgb: Plane, alpha: Plane) -> Plane:
    return contact_line.without(rgb, np.tile(np.array(GROUND, np.float32), (SIDE_PX, SIDE_PX, 1)), alpha)


@pytest.mark.parametrize("colour", [(0.95, 0.94, 0.92), (0.55, 0.3, 0.15), (0.3, 0.5, 0.55)])
def test_the_line_under_a_foot_goes_and_the_product_stays(colour: tuple[float, float, float]) -> None:
    found = cut(*standing_on(colour, line=(0.09, 0.09, 0.09), shade=0.5))
    assert (found[200:FOOT, ACROSS] == 1).all()
    assert (found[FOOT:, ACROSS] == 0).all()


def test_a_line_that_gets_lighter_downwards_ends_where_the_product_does() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.09, 0.09, 0.09), shade=0.5)
    steps = np.linspace(0.1, 0.6, LINE_PX, dtype=np.float32)
    rgb[FOOT : FOOT + LINE_PX, ACROSS] = steps[:, None, None] * np.array(GROUND, np.float32)
    found = cut(rgb, alpha)
    assert (found[200:FOOT, ACROSS] == 1).all()
    assert (found[FOOT:, ACROSS] == 0).all()


def test_the_line_leaves_no_teeth_where_it_is_less_dark() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.09, 0.09, 0.09), shade=0.5)
    rgb[FOOT : FOOT + LINE_PX, 160:440:13] = 0.31
    found = cut(rgb, alpha)
    assert (found[200:FOOT, ACROSS] == 1).all()
    assert (found[FOOT:, ACROSS] == 0).all()


def test_a_short_piece_of_a_line_is_not_cut_out() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.31, 0.31, 0.31), shade=0.5)
    rgb[FOOT : FOOT + LINE_PX, 240:270] = 0.09
    alpha[FOOT : FOOT + LINE_PX, 150:450] = 0
    alpha[FOOT : FOOT + LINE_PX, 240:270] = 1
    assert (cut(rgb, alpha)[200:FOOT, ACROSS] == 1).all()
    assert (cut(rgb, alpha)[FOOT : FOOT + LINE_PX, 240:270] == 1).all()


def test_what_is_dark_and_the_products_own_stays() -> None:
    sole, alpha = standing_on((0.55, 0.3, 0.15), line=(0.05, 0.05, 0.05), shade=0.5)
    sole[FOOT - 12 : FOOT, ACROSS] = 0.05
    hanging = standing_on((0.55, 0.3, 0.15), line=(0.05, 0.05, 0.05), shade=1.0)
    blue = standing_on((0.8, 0.8, 0.85), line=(0.05, 0.1, 0.4), shade=0.5)
    black = standing_on((0.06, 0.06, 0.06), line=(0.03, 0.03, 0.03), shade=0.5)
    piping = standing_on((0.55, 0.3, 0.15), line=(0.05, 0.05, 0.05), shade=0.5)
    piping[0][200 : 200 + LINE_PX, ACROSS] = 0.05
    for rgb, matte in ((sole, alpha), hanging, blue, black, piping):
        assert np.array_equal(cut(rgb, matte), matte)


def test_a_dark_spot_on_the_edge_is_no_line() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.55, 0.3, 0.15), shade=0.5)
    rgb[FOOT : FOOT + LINE_PX, 300:312] = 0.08
    assert np.array_equal(cut(rgb, alpha), alpha)


def test_on_a_dark_ground_and_at_the_pictures_rim_nothing_is_touched() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.02, 0.02, 0.02), shade=0.5)
    dark = np.full_like(rgb, 0.15)
    on_dark = np.where(alpha[..., None] == 1, rgb, rgb / 6)
    assert np.array_equal(contact_line.without(on_dark, dark, alpha), alpha)
    full = np.ones((SIDE_PX, SIDE_PX), np.float32)
    assert np.array_equal(contact_line.without(rgb, np.full_like(rgb, 0.9), full), full)


def test_a_line_under_half_of_a_foot_ends_without_a_step() -> None:
    rgb, alpha = standing_on((0.55, 0.3, 0.15), line=(0.09, 0.09, 0.09), shade=0.5)
    rgb[FOOT : FOOT + LINE_PX, 300:450] = (0.55, 0.3, 0.15)
    alpha[FOOT + LINE_PX] = 0
    heights = cut(rgb, alpha)[200:, ACROSS].sum(axis=0)
    assert heights[:120] == pytest.approx(FOOT - 200)
    assert heights[180:] == pytest.approx(FOOT - 200 + LINE_PX)
    assert np.abs(np.diff(heights)).max() <= 1
