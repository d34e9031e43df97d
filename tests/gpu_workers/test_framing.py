"""Masks that hold no product are refused, or looked at by a person."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout.cutout import NoSubject, cutout
from gpu_workers.operations.cutout.framing import emptiness, framed_share
from schemas.operations.cutout import CutoutParameters
from tests.gpu_workers.products import mug


def photograph(height: int = 300, width: int = 400) -> NDArray[np.uint8]:
    """A dark disc on a grey ground with a camera's noise."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    rgb = np.where((np.hypot(x * width / height, y) < 0.5)[..., None], (60, 30, 20), (150, 150, 160))
    return np.clip(rgb + np.random.default_rng(1).normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)


def barred(colour: int, top: int, left: int) -> NDArray[np.uint8]:
    return np.pad(photograph(), ((top, top), (left, left), (0, 0)), constant_values=colour)


def taken_whole(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A network for which whatever is no bar stands out."""
    plain = np.isin(rgb.min(axis=2), (0, 255)) & (np.ptp(rgb, axis=2) == 0)
    return np.asarray(~plain, np.float32)


def disc(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray((rgb[..., 2] < 100) & (rgb[..., 0] > 25), np.float32)


@pytest.mark.parametrize(("colour", "top", "left"), [(0, 60, 0), (255, 0, 80), (255, 50, 50)])
def test_a_photograph_within_bars_is_no_product(colour: int, top: int, left: int) -> None:
    made = cutout(barred(colour, top, left), taken_whole)
    assert made.measures["framed_share"] > 0.9
    assert made.measures["uncertainty"] >= 0.5


@pytest.mark.parametrize(("colour", "top", "left"), [(0, 60, 0), (255, 0, 80), (255, 50, 50)])
def test_a_product_in_a_photograph_within_bars_is_one(colour: int, top: int, left: int) -> None:
    assert cutout(barred(colour, top, left), disc).measures["framed_share"] < 0.1


def test_a_product_on_a_plain_ground_has_no_frame() -> None:
    rgb = np.full((300, 300, 3), 255, np.uint8)
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    solid = np.hypot(x, y) < 0.6
    rgb[solid] = (120, 20, 30)
    assert framed_share(rgb, solid) < 0.5
    assert framed_share(photograph(), np.ones((300, 400), bool)) == 0


def test_a_rectangular_product_on_a_plain_ground_has_no_frame() -> None:
    """A book from above: nobody lays it down to the pixel."""
    corners = cv2.boxPoints(((400, 300), (520, 380), 1.2))
    solid = np.zeros((600, 800), np.uint8)
    cv2.fillConvexPoly(solid, np.rint(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    rgb = np.full((600, 800, 3), 255, np.uint8)
    rgb[solid > 127] = (120, 20, 30)
    assert framed_share(rgb, solid > 127) < 0.5


def test_an_inverted_alpha_is_refused() -> None:
    inverted = mug()
    inverted[..., 3] = 255 - inverted[..., 3]
    inverted[..., :3][inverted[..., 3] == 255] = 255
    assert "inverted" in emptiness(inverted)
    # Whatever the network makes of what is left when the product is not to be seen.
    with pytest.raises(NoSubject):
        cutout(inverted, lambda rgb: np.ones(rgb.shape[:2], np.float32))


def test_nothing_but_white_is_refused() -> None:
    white = mug()
    white[..., :3] = 255
    with pytest.raises(NoSubject, match="white"):
        cutout(white, lambda _: pytest.fail("its own alpha is clean"), CutoutParameters(keep_own_alpha=True))
    assert emptiness(mug()) == ""
