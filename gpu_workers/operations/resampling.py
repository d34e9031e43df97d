"""Lanczos resampling to any scale and sub-pixel offset, as banded matrix products."""

import numpy as np
from numpy.typing import NDArray

_LOBES = 3
_BLOCK_PX = 32

Plane = NDArray[np.float32]


def resample(image: Plane, scale: float, offset_px: tuple[float, float], size_px: tuple[int, int]) -> Plane:
    """The premultiplied `image` (h, w, c) times `scale`, its origin at `offset_px` (x, y) of a frame `size_px` (w, h).

    Source point p lands on p * scale + offset, pixels being squares with their centres at one half. What lies
    outside the source is zero. Returns (frame h, frame w, c) float32, which may overshoot the source's range.
    """
    height, width, bands = image.shape
    rows = _stretch(image.reshape(height, -1), scale, offset_px[1], size_px[1])
    turned = np.ascontiguousarray(rows.reshape(size_px[1], width, bands).swapaxes(0, 1))
    columns = _stretch(turned.reshape(width, -1), scale, offset_px[0], size_px[0])
    return np.ascontiguousarray(columns.reshape(size_px[0], size_px[1], bands).swapaxes(0, 1))


def _stretch(lines: Plane, scale: float, offset_px: float, count: int) -> Plane:
    """`count` lines out of `lines` (n, m): each a weighted sum of the source's lines near it."""
    out = np.zeros((count, lines.shape[1]), np.float32)
    reach = _LOBES / min(scale, 1.0)
    for start in range(0, count, _BLOCK_PX):
        centres = (np.arange(start, min(start + _BLOCK_PX, count)) + 0.5 - offset_px) / scale
        first, last = int(np.floor(centres[0] - reach)), int(np.ceil(centres[-1] + reach))
        weights = _lanczos((np.arange(first, last) + 0.5 - centres[:, None]) * min(scale, 1.0))
        weights /= weights.sum(axis=1, keepdims=True)
        inside = slice(max(first, 0), max(min(last, len(lines)), 0))
        out[start : start + _BLOCK_PX] = (
            weights[:, inside.start - first : inside.stop - first].astype(np.float32) @ lines[inside]
        )
    return out


def _lanczos(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.sinc(distance) * np.sinc(distance / _LOBES)
    return np.where(np.abs(distance) < _LOBES, weights, 0.0)
