import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.quality import mattes

Alpha = NDArray[np.float64]


def half(width: int) -> Alpha:
    """60 x 60, solid up to `width`."""
    alpha = np.zeros((60, 60))
    alpha[:, :width] = 1
    return alpha


def test_iou_is_of_what_is_more_than_half_there() -> None:
    assert mattes.iou(half(30), half(30) * 0.6) == 1
    assert mattes.iou(half(30), half(20)) == pytest.approx(20 / 30)
    assert mattes.iou(half(0), half(0)) == 1


def test_band_error_is_of_the_edge_alone() -> None:
    far_off = half(30)
    far_off[:, :10] = 0
    assert mattes.band_error(far_off, half(30)) == 0
    assert mattes.band_error(half(31), half(30)) == pytest.approx(1 / 20)


def test_what_is_misplaced_is_off_the_edge() -> None:
    assert mattes.misplaced(half(33), half(30)) == 0
    missing = half(30)
    missing[:, :3] = 0
    assert mattes.misplaced(missing, half(30)) == pytest.approx(0.1)


def test_sad_is_in_thousands_of_pixels() -> None:
    assert mattes.sad(half(40), half(30)) == pytest.approx(0.6)


def test_grad_sees_a_blurred_edge_and_not_a_right_one() -> None:
    soft = half(30)
    soft[:, 28:32] = [0.8, 0.6, 0.4, 0.2]
    assert mattes.grad(half(30), half(30)) == 0
    assert mattes.grad(soft, half(30)) > 0.01


def test_conn_sees_what_hangs_on_nothing() -> None:
    torn = half(30)
    torn[:, 50:55] = 0.6
    attached = half(30)
    attached[:, 30:35] = 0.1
    assert mattes.conn(half(30), half(30)) == 0
    assert mattes.conn(torn, half(30)) == pytest.approx(0.6 * 300 / 1000)
    assert mattes.conn(attached, half(30)) == 0


def test_spill_is_the_colour_that_is_not_the_product_s() -> None:
    true = half(30)
    true[:, 30] = 0.5
    red, brown = (np.full((60, 60, 3), colour, np.uint8) for colour in ((200, 30, 40), (190, 60, 60)))
    assert mattes.spill(true, red, true, red) == 0
    assert mattes.spill(true, brown, true, red) == pytest.approx(20)
