"""The product of a clip: one layer, laid into each frame by the resampler that makes the still."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.linear_light import premultiplied_light, with_srgb_primaries
from gpu_workers.imaging.resampling import resample
from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.imaging.wide_gamut import in_srgb
from gpu_workers.operations.packshot.packshot import Placement

_REACH = 3  # px of the frame that the resampler looks at about a pixel, or so many of the layer
_SPARE = 2  # times as large as it is shown, a layer that was larger is kept: the resampler does the rest

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Layer:
    """`light` (h, w, 4; linear, premultiplied, within sRGB) is the cut-out from its pixel `corner` (x, y) on, each of
    its pixels `reduced` of that long."""

    light: Plane
    corner: tuple[int, int]
    reduced: int

    def laid(self, placement: Placement) -> tuple[Plane, Box]:
        """The layer where the cut-out is placed so, (h, w, 4), and the rows and columns of the frame that it is for. It
        overshoots nowhere."""
        scale = placement.scale * self.reduced
        left = placement.x_px + self.corner[0] * placement.scale
        top = placement.y_px + self.corner[1] * placement.scale
        reach = _REACH * max(scale, 1.0)
        x0, y0 = max(math.floor(left - reach), 0), max(math.floor(top - reach), 0)
        x1 = min(math.ceil(left + self.light.shape[1] * scale + reach), placement.canvas.width_px)
        y1 = min(math.ceil(top + self.light.shape[0] * scale + reach), placement.canvas.height_px)
        found = resample(self.light, scale, (left - x0, top - y0), (x1 - x0, y1 - y0))
        np.clip(found, 0, 1, out=found)
        np.minimum(found[..., :3], found[..., 3:], out=found[..., :3])
        return found, (slice(y0, y1), slice(x0, x1))


def layer_of(cutout: Codes, scale_max: float) -> Layer:
    """The layer of a `cutout` (h, w, 4; straight alpha), which is shown at `scale_max` of its size at most."""
    rows, columns = (np.flatnonzero(cutout[..., 3].any(axis=axis)) for axis in (1, 0))
    corner = (int(columns[0]), int(rows[0]))
    code = cutout[corner[1] : int(rows[-1]) + 1, corner[0] : int(columns[-1]) + 1]
    light = premultiplied_light(code)
    if code.dtype != np.uint8:
        light = _within_srgb(light, code)
    reduced = max(1, math.floor(1 / (_SPARE * scale_max)))
    return Layer(_reduced(light, reduced), corner, reduced)


def _reduced(light: Plane, by: int) -> Plane:
    if by == 1:
        return light
    height, width = (math.ceil(side / by) for side in light.shape[:2])
    padded = np.pad(light, ((0, height * by - light.shape[0]), (0, width * by - light.shape[1]), (0, 0)))
    return np.asarray(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _within_srgb(light: Plane, code: Codes) -> Plane:
    """Colours that a clip can hold: their hue stays."""
    alpha = light[..., 3:]
    straight = np.asarray(with_srgb_primaries(light[..., :3], code) / np.maximum(alpha, 1e-4), np.float32)
    return np.concatenate([in_srgb(straight).clip(0, 1) * alpha, alpha], axis=2).astype(np.float32)
