"""The features of uncertainty tell flaws apart from what a product is: thin, or printed on."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout import uncertainty

Plane = NDArray[np.float32]

SIDE_PX = 400
GROUND = 0.85


def seen(alpha: Plane, colour: float = 0.3) -> dict[str, float]:
    """The features of a matte (h, w) of a product of one grey on a lighter sweep."""
    rgb = np.repeat((GROUND + (colour - GROUND) * alpha)[..., None], 3, axis=2).astype(np.float32)
    return uncertainty.seen(rgb, alpha, alpha)


def drawn(*rods: tuple[tuple[int, int], tuple[int, int]], width_px: int) -> Plane:
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    for start, end in rods:
        cv2.line(alpha, start, end, 1.0, width_px, cv2.LINE_AA)
    return alpha


def box() -> Plane:
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    alpha[80:320, 100:300] = 1
    return alpha


def frayed() -> Plane:
    """A box with an outline as a bad mask has it: dents and hairs of a few pixels."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    out = 6 * np.sin(2 * np.pi * (x + y) / 9)
    return np.asarray((y > 80 + out) & (y < 320 + out) & (x > 100 + out) & (x < 300 + out), np.float32)


def test_a_mask_s_soft_outline_is_no_more_doubt_in_a_thin_product() -> None:
    rod, thick = drawn(((100, 40), (300, 360)), width_px=8), drawn(((100, 40), (300, 360)), width_px=80)
    unsure = []
    for alpha in (rod, thick):
        mask = cv2.GaussianBlur(alpha, (0, 0), 1.2)
        rgb = np.repeat((GROUND - 0.5 * alpha)[..., None], 3, axis=2).astype(np.float32)
        unsure.append(uncertainty.seen(rgb, mask, alpha)["mask_doubt"])
    assert unsure[0] < 1.5 * unsure[1]
    wide = cv2.GaussianBlur(thick, (0, 0), 12)
    rgb = np.repeat((GROUND - 0.5 * thick)[..., None], 3, axis=2).astype(np.float32)
    assert uncertainty.seen(rgb, wide, thick)["mask_doubt"] > 3 * unsure[1]


@pytest.mark.parametrize("width_px", [4, 6, 9])
def test_a_thin_product_is_not_ragged(width_px: int) -> None:
    chair = drawn(
        ((80, 40), (110, 220)),
        ((140, 40), (160, 220)),
        ((200, 40), (210, 220)),
        ((110, 220), (90, 380)),
        ((210, 220), (230, 380)),
        ((80, 40), (200, 40)),
        ((110, 220), (210, 220)),
        width_px=width_px,
    )
    assert seen(chair)["ragged"] < 0.5 * seen(frayed())["ragged"]


def test_a_rough_outline_is_ragged_and_a_smooth_one_is_not() -> None:
    assert seen(frayed())["ragged"] > 0.1
    assert seen(box())["ragged"] < 0.03


@pytest.mark.parametrize("radius_px", [4, 6, 9, 15])
def test_small_round_outlines_are_not_ragged(radius_px: int) -> None:
    """A tray with holes: smoothing along a small circle makes it much shorter, and it is smooth all the same."""
    tray = box()
    for x in range(120, 300, 40):
        for y in range(100, 320, 40):
            cv2.circle(tray, (x, y), radius_px, 0.0, cv2.FILLED)
    assert seen(tray)["ragged"] < 0.02


@pytest.mark.parametrize("ink", [0.02, 0.6])
def test_print_is_no_inner_edge(ink: float) -> None:
    """A label's lettering has edges everywhere, but the ground is not seen in it."""
    rgb = np.full((SIDE_PX, SIDE_PX, 3), GROUND, np.float32)
    rgb[80:320, 100:300] = 0.3
    rgb[120:280:10, 120:280] = ink
    rgb[121:280:10, 120:280] = ink
    assert uncertainty.seen(rgb, box(), box())["inner_edges"] < 0.02


def test_edges_beside_what_looks_like_the_ground_are_inner_edges() -> None:
    """A net whose meshes a mask filled."""
    rgb = np.full((SIDE_PX, SIDE_PX, 3), GROUND, np.float32)
    rgb[80:320, 100:300] = 0.3
    for at in range(100, 300, 20):
        rgb[100:300, at + 4 : at + 20] = GROUND
    assert uncertainty.seen(rgb, box(), box())["inner_edges"] > 0.15


def test_where_no_ground_is_seen_every_edge_counts() -> None:
    rgb = np.full((SIDE_PX, SIDE_PX, 3), 0.3, np.float32)
    rgb[::8] = 0.8
    everything = np.ones((SIDE_PX, SIDE_PX), np.float32)
    assert uncertainty.seen(rgb, everything, everything)["inner_edges"] > 0.4
