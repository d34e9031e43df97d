import cv2
import numpy as np
import pytest

from loadtest.benchmarks.similarity import C1, Luma, luma, ms_ssim, ssim


def picture(noise: float = 0.0) -> Luma:
    """A soft pattern, 0..255, with noise of that standard deviation."""
    y, x = np.mgrid[0:240, 0:320]
    clean = 128 + 60 * np.sin(x / 9) * np.cos(y / 13)
    return np.asarray(clean + np.random.default_rng(3).normal(0, noise, clean.shape), np.float32)


def of_one_level(level: float) -> Luma:
    return np.full((200, 200), level, np.float32)


def test_a_picture_is_like_itself() -> None:
    assert ssim(picture(), picture()) == pytest.approx(1)
    assert ms_ssim(picture(), picture()) == pytest.approx(1)


def test_without_structure_only_the_means_count() -> None:
    expected = (2 * 100 * 120 + C1) / (100**2 + 120**2 + C1)
    assert ssim(of_one_level(100), of_one_level(120)) == pytest.approx(expected, abs=1e-4)


def test_more_noise_is_less_alike_and_it_does_not_matter_which_is_first() -> None:
    found = [ssim(picture(), picture(noise)) for noise in (0, 4, 12, 40)]
    assert found == sorted(found, reverse=True)
    assert found[1] - found[3] > 0.3
    assert ssim(picture(12), picture()) == pytest.approx(found[2])


def test_noise_weighs_less_on_coarser_scales() -> None:
    assert ms_ssim(picture(), picture(12)) > ssim(picture(), picture(12))


def test_blur_is_seen() -> None:
    blurred = np.asarray(cv2.GaussianBlur(picture(8), (0, 0), 2), np.float32)
    assert ssim(picture(8), blurred) < 0.9


def test_what_is_transparent_is_seen_on_white() -> None:
    assert luma(np.zeros((20, 20, 4), np.uint8)) == pytest.approx(np.full((20, 20), 255), abs=1e-3)


@pytest.mark.parametrize(("one", "other"), [((20, 20), (20, 21)), ((8, 30), (8, 30))])
def test_sizes_that_cannot_be_compared_are_refused(one: tuple[int, int], other: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        ssim(np.zeros(one, np.float32), np.zeros(other, np.float32))
