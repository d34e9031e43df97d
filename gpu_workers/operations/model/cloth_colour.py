"""The cutout as the cloth's colour: its own pixels at points of the panels."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import opacity, to_linear
from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.operations.model.drape import Points
from gpu_workers.operations.model.pattern import Pattern

_SOLID = 0.98  # of an alpha: less is a rim that has its ground's colour in it
_RIM_CM = 0.8  # beyond a cutout's outline cloth is solid: seams lie there, and a seam is no gap
_ROW = 1024  # points that are looked up in a row: OpenCV takes no more than 32,767


@dataclass(frozen=True)
class Texture:
    """Linear light (h, w, 3) that has its edge's colours beyond its edge, and alpha (h, w); `scale` of the cutout's
    pixels."""

    rgb: Plane
    alpha: Plane
    scale: NDArray[np.float64]
    cut: Pattern

    def at(self, flat: Points) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Light (n, 3) and alpha (n,) at points of the panels, (n, 2) cm."""
        count = len(flat)
        px = (self.cut.in_cutout(flat) * self.scale - 0.5).astype(np.float32)
        columns, rows = (np.pad(px[:, k], (0, -count % _ROW)).reshape(-1, _ROW) for k in (0, 1))
        if not count:
            return np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        colour = cv2.remap(self.rgb, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.remap(self.alpha, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.clip(colour.reshape(-1, 3)[:count], *self.span), cover.reshape(-1)[:count]

    @property
    def span(self) -> tuple[float, float]:
        """The least and the most light: a cubic between pixels may overshoot them."""
        return float(self.rgb.min()), float(self.rgb.max())


def texture(cutout: Codes, cut: Pattern, px_per_cm: float) -> Texture:
    """The cutout (h, w, 4), no finer than `px_per_cm` of what is drawn."""
    scale = min(1.0, px_per_cm / float(np.abs(cut.px_per_cm).max()))
    rgb, alpha = to_linear(cutout[..., :3].copy()), opacity(cutout[..., 3])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in alpha.shape[::-1]]
        weighted = cv2.resize(rgb * alpha[..., None], size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        rgb = weighted / np.maximum(alpha, 1e-3)[..., None]
    closed = _closed(alpha, max(1, round(_RIM_CM * scale * float(np.abs(cut.px_per_cm).max()))))
    return Texture(_spread(rgb, alpha), closed, np.array(alpha.shape[::-1]) / np.array(cutout.shape[1::-1]), cut)


def _closed(alpha: Plane, by_px: int) -> Plane:
    """Solid for `by_px` about its outline, as it was elsewhere."""
    open_ = np.pad((alpha <= _SOLID).astype(np.uint8), 1, constant_values=1)
    _, parts = cv2.connectedComponents(open_, connectivity=4)
    outside = parts[1:-1, 1:-1] == parts[0, 0]
    size = 2 * by_px + 1
    solid = cv2.dilate((~outside).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.where(outside & (solid > 0), np.float32(1), alpha)


def _spread(rgb: Plane, alpha: Plane) -> Plane:
    """Where the cutout is not solid, the nearest solid pixel's colour."""
    solid = alpha > _SOLID
    if not solid.any():
        return rgb
    nothing = (~solid).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(nothing, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    table[nearest[solid]] = rgb[solid]
    return np.where(solid[..., None], rgb, table[nearest])
