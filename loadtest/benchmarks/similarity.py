"""How alike two pictures are: SSIM and MS-SSIM of their luma.

SSIM as Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity"
(IEEE Transactions on Image Processing 13(4), 2004): a Gaussian window of 11 px and σ 1.5, K1 .01, K2 .03, only where
the window lies within the picture. MS-SSIM as Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image
quality assessment" (Asilomar 2003), with their five weights and halving by a mean of 2 × 2.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW_PX = 11
SIGMA_PX = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # as JPEG, WebP and AVIF weigh it

Luma = NDArray[np.float32]


def luma(picture: NDArray[np.uint8]) -> Luma:
    """The luma (h, w), 0..255, of a picture (h, w, 3), or (h, w, 4) as it is seen on white."""
    colour = np.asarray(picture[..., :3], np.float32)
    if picture.shape[2] == 4:
        share = picture[..., 3:] / np.float32(255)
        colour = np.asarray(colour * share + 255 * (1 - share), np.float32)
    return np.asarray(colour @ LUMA, np.float32)


def ssim(one: Luma, other: Luma) -> float:
    """Up to 1, which is for the same. Raises ValueError for sizes that differ or are below the window's."""
    return float(np.mean(np.prod(_terms(one, other), axis=0)))


def ms_ssim(one: Luma, other: Luma) -> float:
    """Up to 1, which is for the same. Raises ValueError for sizes that differ or are below the window's at 1/16."""
    whole = 1.0
    for scale, weight in enumerate(WEIGHTS):
        light, structure = _terms(one, other)
        last = scale == len(WEIGHTS) - 1
        term = float(np.mean(light * structure if last else structure))
        whole *= max(term, 0.0) ** weight
        one, other = _halved(one), _halved(other)
    return whole


def _terms(one: Luma, other: Luma) -> tuple[Luma, Luma]:
    """The comparisons of luminance, and of contrast and structure, at every place of the window."""
    if one.shape != other.shape or min(one.shape) < WINDOW_PX:
        raise ValueError(f"{one.shape} and {other.shape} cannot be compared by windows of {WINDOW_PX} px")
    mean_one, mean_other = _mean(one), _mean(other)
    variances = _mean(one * one) - mean_one**2 + _mean(other * other) - mean_other**2
    covariance = _mean(one * other) - mean_one * mean_other
    light = (2 * mean_one * mean_other + C1) / (mean_one**2 + mean_other**2 + C1)
    return light, (2 * covariance + C2) / (variances + C2)


def _mean(values: Luma) -> Luma:
    around = WINDOW_PX // 2
    blurred = cv2.GaussianBlur(values, (WINDOW_PX, WINDOW_PX), SIGMA_PX)
    return np.asarray(blurred[around : values.shape[0] - around, around : values.shape[1] - around], np.float32)


def _halved(values: Luma) -> Luma:
    height, width = values.shape[0] // 2, values.shape[1] // 2
    return np.asarray(values[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3)), np.float32)
