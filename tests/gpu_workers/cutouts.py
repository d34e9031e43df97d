"""Pictures to be cut out, and networks that see what they are told to."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.operations.cutout.cutout import (
    Cutout,
)

Picture = NDArray[np.uint8]


Mask = NDArray[np.float32]


SIZE_PX = 240


RED = np.array([200, 30, 40], np.float64)


def disc(x: float, y: float, radius: float) -> NDArray[np.float64]:
    """Coverage of a disc, its edge one pixel wide."""
    ys, xs = np.mgrid[:SIZE_PX, :SIZE_PX]
    return np.asarray(np.clip(radius + 0.5 - np.hypot(xs - x, ys - y), 0, 1))


def photograph(alpha: NDArray[np.float64], background: NDArray[np.float64] | None = None) -> Picture:
    """A red product of that shape on a grey sweep, or on what is given, mixed as a lens mixes."""
    if background is None:
        background = np.full((SIZE_PX, SIZE_PX, 3), 215.0)
    red, ground = (to_linear(np.rint(colour).astype(np.uint8)) for colour in (RED, background))
    return to_srgb((red * alpha[..., None] + ground * (1 - alpha[..., None])).astype(np.float32))


def sees_red(picture: Picture) -> Mask:
    """A network that knows red from grey, and draws blurred edges as real ones do."""
    small = cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA)
    rgb = small.astype(np.float32) / small.max()
    mask = np.clip((rgb[..., 0] - rgb[..., 1]) * 3 - 0.5, 0, 1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2), np.float32)


def alpha_error(result: Cutout, truth: NDArray[np.float64]) -> float:
    return float(np.abs(result.rgba[..., 3] / 255 - truth).mean())
