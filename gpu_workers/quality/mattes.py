"""How good a matte is beside the true one: measures of alpha (h, w) in 0..1, and of the colours that go with it.

SAD, Grad and Conn are those of C. Rhemann et al., A Perceptually Motivated Online Benchmark for Image Matting, 2009,
over the whole picture and in thousands, as its authors tell them.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BAND_PX = 10
EDGE_PX = 3
_GRADIENT_SIGMA = 1.4  # px, as in C. Rhemann et al., A Perceptually Motivated Online Benchmark, 2009
_STEP = 0.1  # between thresholds of alpha, as there
_SLACK = 0.15  # of alpha: as there, less is no loss of connection

Alpha = NDArray[np.floating[Any]]


def iou(one: Alpha, other: Alpha) -> float:
    """Intersection over union of what is more than half there."""
    one_solid, other_solid = one > 0.5, other > 0.5
    either = np.count_nonzero(one_solid | other_solid)
    return float(np.count_nonzero(one_solid & other_solid) / either) if either else 1.0


def sad(found: Alpha, true: Alpha) -> float:
    """Sum of the differences, in thousands."""
    return float(np.abs(found - true).sum(dtype=np.float64) / 1000)


def grad(found: Alpha, true: Alpha) -> float:
    """Sum of the squared differences of the gradients' lengths, in thousands."""
    difference = _gradient(found) - _gradient(true)
    return float((difference * difference).sum(dtype=np.float64) / 1000)


def conn(found: Alpha, true: Alpha) -> float:
    """Sum of the differences in how far pixels hang together with what both call solid, in thousands."""
    reached = np.full(true.shape, -1.0)
    for level in np.arange(_STEP, 1 + _STEP / 2, _STEP):
        both = _largest((found >= level) & (true >= level))
        reached[(reached == -1) & ~both] = level - _STEP
    reached[reached == -1] = 1
    apart = np.abs(_connectedness(found, reached) - _connectedness(true, reached))
    return float(apart.sum() / 1000)


def band_error(found: Alpha, true: Alpha) -> float:
    """Mean difference of alpha within BAND_PX pixels of the true edge."""
    solid = (true > 0.5).astype(np.uint8)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND_PX + 1, 2 * BAND_PX + 1))
    band = cv2.dilate(solid, reach) > cv2.erode(solid, reach)
    return float(np.abs(found - true)[band].mean()) if band.any() else float(np.abs(found - true).mean())


def misplaced(found: Alpha, true: Alpha) -> float:
    """What is missing or too much, more than half and EDGE_PX off the true edge, as a share of the product's area."""
    solid = (true > 0.5).astype(np.uint8)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * EDGE_PX + 1, 2 * EDGE_PX + 1))
    edge = cv2.dilate(solid, reach) > cv2.erode(solid, reach)
    wrong = (np.abs(found - true) > 0.5) & ~edge
    return float(wrong.sum() / max(1, int(solid.sum())))


def spill(found: Alpha, colours: NDArray[np.uint8], true: Alpha, true_colours: NDArray[np.uint8]) -> float:
    """Mean difference of the colours (h, w, 3) where the truth is mixed and something was found, 0..255."""
    mixed = (true > 0.05) & (true < 0.95) & (found > 0.05)
    difference = np.abs(colours[mixed].astype(np.float64) - true_colours[mixed]).mean(axis=1)
    return float(np.average(difference, weights=found[mixed])) if mixed.any() else 0.0


def _gradient(alpha: Alpha) -> Alpha:
    """Length of the gradient, by derivatives of a Gaussian."""
    reach = int(np.ceil(3 * _GRADIENT_SIGMA))
    x = np.arange(-reach, reach + 1)
    smooth = np.exp(-(x**2) / (2 * _GRADIENT_SIGMA**2))
    slope = -x * smooth
    scale = np.sqrt((np.outer(smooth, slope) ** 2).sum())
    plane = alpha.astype(np.float64)
    across = cv2.sepFilter2D(plane, cv2.CV_64F, slope / scale, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(plane, cv2.CV_64F, smooth, slope / scale, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(across, down))


def _largest(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    if len(stats) == 1:
        return where
    return np.asarray(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _connectedness(alpha: Alpha, reached: Alpha) -> Alpha:
    beyond = alpha - reached
    return np.asarray(1 - beyond * (beyond >= _SLACK))
