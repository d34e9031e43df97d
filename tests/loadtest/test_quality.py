import numpy as np
import pytest

from loadtest import quality


def half(columns: int) -> quality.Alpha:
    """A picture 60 px wide, its left `columns` solid."""
    alpha = np.zeros((40, 60))
    alpha[:, :columns] = 1
    return alpha


def test_masks_are_compared_by_what_is_more_than_half_there() -> None:
    assert quality.iou(half(30), half(30) * 0.6) == 1
    assert quality.iou(half(30), half(20)) == pytest.approx(20 / 30)
    assert quality.iou(half(0), half(0)) == 1


def test_only_what_is_near_the_true_edge_counts() -> None:
    far_off = half(30)
    far_off[:, 55:] = 1
    assert quality.band_error(far_off, half(30)) == 0
    # One column of the ten on each side of the edge is wrong.
    assert quality.band_error(half(31), half(30)) == pytest.approx(1 / 20)


def test_every_photograph_has_a_truth_of_its_size() -> None:
    assert len(quality.PHOTOGRAPHS) == 28
    for photograph in quality.PHOTOGRAPHS[:2]:
        alpha = quality.truth(photograph.stem)
        assert 0 < alpha.mean() < 1
