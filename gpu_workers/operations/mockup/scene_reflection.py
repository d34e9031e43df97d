"""What a glossy surface mirrors of a product that stands on it."""

import cv2
import numpy as np

from gpu_workers.imaging.types import Plane

# Set by hand, none is fitted, but where a line says so.
_STEPS = 4  # blurs between which the rest is interpolated
_SPREAD = 0.35  # of the height, by which the roughest ground blurs the top of what it mirrors
_FADE = 0.8  # of the height, within which the roughest ground loses it


def reflection(light: Plane, contact: Plane, roughness: float, height_px: float) -> Plane:
    """A product's `light` (h, w, 4; linear, premultiplied) upside down, each column about the row where it meets the
    ground, `contact` (w,); blurred the more the higher what is mirrored, and faded with it: a rough surface sends the
    mirrored light of high parts elsewhere.
    """
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]].astype(np.float32)
    up = rows + 0.5 - contact[None]
    mirrored = cv2.remap(light, columns, contact[None] - up - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mirrored[up < 0] = 0
    seen = np.exp(-np.maximum(up, 0) / max((1 - _FADE * roughness) * height_px, 1.0))
    return np.asarray(_blurred_upwards(mirrored, up, roughness) * seen[..., None], np.float32)


def spread_px(roughness: float, height_px: float) -> float:
    """How far (standard deviation) the mirror image of a point so high above the ground is blurred."""
    return _SPREAD * roughness * height_px


def _blurred_upwards(mirrored: Plane, up: Plane, roughness: float) -> Plane:
    """Between a few blurs, each for a height."""
    most = spread_px(roughness, float(up.max()))
    if most < 1:
        return mirrored
    sigmas = np.linspace(0, most, _STEPS)
    level = np.clip(spread_px(roughness, 1.0) * np.maximum(up, 0) / sigmas[1], 0, _STEPS - 1)
    out = np.zeros_like(mirrored)
    for index, sigma in enumerate(sigmas):
        weight = np.maximum(1 - np.abs(level - index), 0)[..., None]
        out += weight * (
            mirrored if index == 0 else cv2.GaussianBlur(mirrored, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        )
    return out
